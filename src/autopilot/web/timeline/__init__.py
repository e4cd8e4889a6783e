"""How the items of a timeline look: one renderer a kind of item, from an item to its element. Pure.

Owns the looks; words are those of `client.presenters`. What a model says is hostile input: everything of an item's goes
through `safe`, `markdown` or `terminal`, and no more of it is shown than `look.Caps` says, so that a rendering takes a
bounded time. Never loads anything, never knows who may see it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import htpy as h

from autopilot.client import timeline_items as items
from autopilot.client import timeline_records as records
from autopilot.client.presenters import handshakes
from autopilot.client.timeline_items import Item
from autopilot.web.timeline import doings, messages, people, turns
from autopilot.web.timeline.frame import article, element_id
from autopilot.web.timeline.look import PLAIN, WHOLE, Caps, Look

__all__ = ["PLAIN", "RENDERERS", "WHOLE", "Caps", "Look", "element_id", "phase", "render"]

RENDERERS: dict[type[Item], Callable[[Any, Look], h.Element]] = {
    items.UserMessage: messages.user_message,
    items.AgentMessage: messages.agent_message,
    items.Reasoning: messages.reasoning,
    items.Plan: messages.plan,
    items.CommandExecution: doings.command,
    items.FileChange: doings.file_change,
    items.TurnDiff: doings.turn_diff,
    items.ToolCall: doings.tool_call,
    items.WebSearch: doings.web_search,
    items.Image: doings.image,
    items.SubAgent: doings.sub_agent,
    items.Hook: doings.hook,
    items.Pause: doings.pause,
    items.OtherItem: doings.other,
    items.TurnStarted: turns.turn_started,
    items.TurnEnded: turns.turn_ended,
    items.Usage: turns.usage,
    items.Failure: turns.failure,
    items.Notice: turns.notice,
    items.Compaction: turns.compaction,
    items.Review: turns.review,
    items.AutoReview: turns.auto_review,
    records.Request: people.request,
    records.Asked: people.approval,
    records.PolicyDenied: people.policy_denied,
    records.Handshake: people.handshake,
    records.Lifecycle: people.lifecycle,
}


def render(item: Item, look: Look = PLAIN, now: datetime | None = None) -> h.Element:
    """An item's element. `now`: for the few that look different when time has passed."""
    if isinstance(item, records.Handshake):
        return people.handshake(item, look, now)
    renderer = RENDERERS.get(type(item))
    return renderer(item, look) if renderer else article(item, item.kind)


def phase(item: Item, now: datetime | None) -> bool:
    """Whether the time that has passed makes an item look different."""
    return isinstance(item, records.Handshake) and handshakes.is_over(item, now)
