"""What is shown of an item of a timeline: `present` makes of each kind the view that every screen draws. Pure.

What a model says is hostile input: everything in a view is visible text, and no more of it than `cuts.Caps` says, so
that presenting and drawing take a bounded time. Owns words and rules, never looks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from autopilot.client import timeline_items as items
from autopilot.client import timeline_records as records
from autopilot.client.presenters import handshakes
from autopilot.client.presenters.cuts import SHORT, Caps
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.timeline import doings, messages, people, turns
from autopilot.client.presenters.timeline.view import NOBODY, Context, View, framed
from autopilot.client.timeline_items import Item

__all__ = ["PRESENTERS", "Context", "View", "changes_by_itself", "present"]

PRESENTERS: dict[type[Item], Callable[[Any, Context], View]] = {
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


def present(item: Item, names: Names = NOBODY, caps: Caps = SHORT, now: datetime | None = None) -> View:
    """What is shown of an item. `now`: for the few that look different when time has passed."""
    presenter = PRESENTERS.get(type(item))
    context = Context(names, caps, now)
    return presenter(item, context) if presenter else View(frame=framed(item, item.kind, context))


def changes_by_itself(item: Item, now: datetime | None) -> bool:
    """Whether the time that has passed makes an item look different."""
    return isinstance(item, records.Handshake) and handshakes.is_over(item, now)
