"""What the companion relies on in Codex's protocol: methods, what is sent and read of them, and notifications.

A pure table, held to the code by tests/companion/test_drift.py. Drift is judged by it: what is not in it may come and
go. Paths are dotted names as `schema` writes them; `[]` goes into a list.
"""

from __future__ import annotations

from autopilot.companion.codex import translate
from autopilot.companion.methods import PROGRAM_READS, READS, THREAD_ACTS

HANDSHAKE = frozenset({"initialize"})
"""Without these there is no session at all."""

CALLS: dict[str, frozenset[str]] = {
    "initialize": frozenset(
        {"params.clientInfo", "params.capabilities", "result.userAgent", "result.codexHome"},
    ),
    "thread/backgroundTerminals/list": frozenset(
        {"params.threadId", "result.data[].processId", "result.data[].itemId"}
    ),
    "thread/backgroundTerminals/terminate": frozenset({"params.threadId", "params.processId"}),
    "thread/fork": frozenset({"params.threadId", "params.excludeTurns", "params.threadSource", "result.thread.id"}),
    "thread/items/list": frozenset(
        {
            *("params.threadId", "params.turnId", "params.cursor", "params.limit", "params.sortDirection"),
            *("result.data[].turnId", "result.data[].item", "result.nextCursor"),
        }
    ),
    "thread/list": frozenset(
        {
            *("params.limit", "params.sortKey", "params.sortDirection"),
            *("result.data[].id", "result.data[].updatedAt", "result.data[].status"),
        }
    ),
    "thread/loaded/list": frozenset({"params.cursor", "result.data", "result.nextCursor"}),
    "thread/queue/list": frozenset({"params.threadId", "params.cursor", "result.data[].id", "result.nextCursor"}),
    "thread/read": frozenset(
        {
            *("params.threadId", "result.thread.id", "result.thread.ephemeral", "result.thread.threadSource"),
            *("result.thread.status", "result.thread.createdAt", "result.thread.name", "result.thread.path"),
        }
    ),
    "thread/resume": frozenset({"params.threadId", "params.excludeTurns"}),
    "thread/start": frozenset({"params.threadSource", "result.thread.id"}),
    "thread/turns/list": frozenset(
        {
            *("params.threadId", "params.cursor", "params.limit", "params.sortDirection", "params.itemsView"),
            *("result.data[].id", "result.data[].status", "result.data[].startedAt", "result.data[].completedAt"),
            "result.nextCursor",
        }
    ),
    "turn/interrupt": frozenset({"params.threadId", "params.turnId"}),
    "turn/start": frozenset({"params.threadId", "params.input", "params.clientUserMessageId", "result.turn.id"}),
    "turn/steer": frozenset({"params.threadId", "params.input", "params.expectedTurnId", "params.clientUserMessageId"}),
}
"""What the companion itself calls, with the fields that it writes or reads."""

REQUESTED: dict[str, frozenset[str]] = {
    **{method: frozenset() for method in PROGRAM_READS | READS},
    **{method: frozenset({"params.threadId"}) for method in THREAD_ACTS},
    "thread/queue/add": frozenset({"params.threadId", "params.clientUserMessageId"}),
}
"""What people ask for and the companion hands on: their params are theirs, but for what it puts in."""

METHODS = REQUESTED | CALLS

NOTIFICATIONS: dict[str, frozenset[str]] = {
    "error": frozenset({"params.threadId"}),
    "item/completed": frozenset({"params.threadId", "params.turnId", "params.item.id", "params.item.type"}),
    "item/started": frozenset({"params.threadId", "params.turnId", "params.item.id", "params.item.type"}),
    "serverRequest/resolved": frozenset({"params.threadId", "params.requestId"}),
    "thread/closed": frozenset({"params.threadId"}),
    "thread/deleted": frozenset({"params.threadId"}),
    "thread/started": frozenset({"params.thread.id", "params.thread.ephemeral", "params.thread.threadSource"}),
    "thread/status/changed": frozenset({"params.threadId"}),
    "turn/completed": frozenset({"params.threadId", "params.turn.id", "params.turn.status"}),
    "turn/started": frozenset({"params.threadId", "params.turn.id", "params.turn.status"}),
    **{
        method: frozenset({"params.threadId", "params.turnId", "params.itemId", "params.delta"})
        for method in translate.DELTAS
    },
}
"""What the companion acts on; every other one is only written down."""

NEEDS: dict[str, frozenset[str]] = {
    "thread/archive": frozenset({"thread/resume"}),
    "thread/resume": frozenset({"thread/read"}),
    "turn/interrupt": frozenset({"thread/turns/list"}),
}
"""A request -> what is called besides the method of its name."""


def needed(method: str) -> frozenset[str]:
    """All that a request of this method relies on."""
    return frozenset({method}) | NEEDS.get(method, frozenset())


def relied_on() -> frozenset[str]:
    """Names whose fields are looked at."""
    return frozenset(METHODS) | frozenset(NOTIFICATIONS)
