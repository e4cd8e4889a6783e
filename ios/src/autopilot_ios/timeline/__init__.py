"""How the items of a timeline look: one drawing a kind of view, from an item to its control. Pure.

What is shown of an item, in which words and how much of it, is decided by `client.presenters.timeline`; here it gets
its looks. Never loads anything: what a model says is hostile, and reaches Flet only as visible, bounded text.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import flet as ft

from autopilot.client.presenters.timeline import View, present
from autopilot.client.presenters.timeline import doings as done
from autopilot.client.presenters.timeline import messages as said
from autopilot.client.presenters.timeline import people as asked
from autopilot.client.presenters.timeline import turns as passed
from autopilot.client.timeline_items import Item
from autopilot_ios.timeline import doings, messages, people, turns
from autopilot_ios.timeline.frame import Look, Place, Ways

__all__ = ["DRAWINGS", "Look", "Ways", "draw"]

DRAWINGS: dict[type[View], Callable[[Any, Place], ft.Control]] = {
    said.UserMessageView: messages.user_message,
    said.AgentMessageView: messages.agent_message,
    said.ReasoningView: messages.reasoning,
    said.PlanView: messages.plan,
    done.CommandView: doings.command,
    done.ChangesView: doings.changes,
    done.ToolCallView: doings.tool_call,
    done.WebSearchView: doings.web_search,
    done.ImageView: doings.image,
    done.LineView: doings.line,
    done.OtherView: doings.other,
    passed.RuleView: turns.rule,
    passed.FailureView: turns.failure,
    passed.ReviewView: turns.review,
    passed.AutoReviewView: turns.auto_review,
    asked.RequestView: people.request,
    asked.ApprovalView: people.approval,
    asked.PolicyDeniedView: people.policy_denied,
    asked.HandshakeView: people.handshake,
    asked.LifecycleView: people.lifecycle,
}
"""By the kind of view; one of no known kind says its name."""


def draw(item: Item, look: Look, now: datetime | None = None) -> ft.Control:
    """An item's control. `now`: for the few that look different when time has passed."""
    view = present(item, look.names, look.caps, now)
    drawing = DRAWINGS.get(type(view), turns.unknown)
    return ft.Semantics(content=drawing(view, Place(look, f"i{item.seq}")), container=True, label=view.frame.label)
