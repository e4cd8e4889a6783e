"""How the items of a timeline look: one renderer a kind of view, from what is shown to its element. Pure.

Owns the looks; what is shown, and how much of it, is said by `client.presenters.timeline`. What a model says is hostile
input: everything of an item's is escaped here, made visible there. Never loads anything, never knows who may see it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import htpy as h

from autopilot.client.presenters.cuts import WHOLE, Caps
from autopilot.client.presenters.timeline import View, present
from autopilot.client.presenters.timeline import doings as did
from autopilot.client.presenters.timeline import messages as said
from autopilot.client.presenters.timeline import people as asked
from autopilot.client.presenters.timeline import turns as turned
from autopilot.client.timeline_items import Item
from autopilot.web.timeline import doings, messages, people, turns
from autopilot.web.timeline.frame import article, element_id
from autopilot.web.timeline.look import PLAIN, Look

__all__ = ["PLAIN", "RENDERERS", "WHOLE", "Caps", "Look", "element_id", "render"]

RENDERERS: dict[type[View], Callable[[Any, Look], h.Node]] = {
    said.UserMessageView: messages.user_message,
    said.AgentMessageView: messages.agent_message,
    said.ReasoningView: messages.reasoning,
    said.PlanView: messages.plan,
    did.CommandView: doings.command,
    did.ChangesView: doings.changes,
    did.ToolCallView: doings.tool_call,
    did.WebSearchView: doings.web_search,
    did.ImageView: doings.image,
    did.LineView: doings.line,
    did.OtherView: doings.other,
    turned.RuleView: turns.rule,
    turned.FailureView: turns.failure,
    turned.ReviewView: turns.review,
    turned.AutoReviewView: turns.auto_review,
    asked.RequestView: people.request,
    asked.ApprovalView: people.approval,
    asked.PolicyDeniedView: people.policy_denied,
    asked.HandshakeView: people.handshake,
    asked.LifecycleView: people.lifecycle,
}


def render(item: Item, look: Look = PLAIN, now: datetime | None = None) -> h.Element:
    """An item's element. `now`: for the few that look different when time has passed."""
    view = present(item, look.names, look.caps, now)
    renderer = RENDERERS.get(type(view))
    return article(item, view, renderer(view, look) if renderer else None)
