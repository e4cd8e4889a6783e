"""Whether our own app-server may be ended so that its threads go on elsewhere: only while nothing would be lost.

Asks Codex itself, not our memory of it: a turn, a command in the background and a thread that nobody has said anything
in yet all die with the process that holds them. Changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from autopilot.companion.codex import history
from autopilot.companion.codex.history import Call
from autopilot.companion.codex.messages import CodexRefused

UNUSED_SECONDS = 600.0
"""A thread without a turn is not written down by Codex: one that is used for nothing for so long holds nobody up."""


async def at_rest(call: Call, now: datetime) -> bool:
    """Whether nothing runs on this app-server, and nothing is only in its memory.

    Raises:
        CodexError: it did not answer.
    """
    for thread_id in await history.loaded(call):
        if not await _thread_rests(call, thread_id, now):
            return False
    return True


async def _thread_rests(call: Call, thread_id: str, now: datetime) -> bool:
    named = {"threadId": thread_id}
    told = msgspec.json.decode(await call("thread/read", named), type=_Read).thread
    if told.status.get("type") == "active":
        return False
    terminals = msgspec.json.decode(await call("thread/backgroundTerminals/list", named))
    if terminals.get("data"):
        return False
    unused = not told.ephemeral and not await _has_turns(call, thread_id)
    return not unused or now.timestamp() - told.createdAt > UNUSED_SECONDS


async def _has_turns(call: Call, thread_id: str) -> bool:
    try:
        page = await call("thread/turns/list", {"threadId": thread_id, "limit": 1, "itemsView": "notLoaded"})
    except CodexRefused:
        return False  # "not materialized yet"
    return bool(msgspec.json.decode(page).get("data"))


class _Thread(msgspec.Struct, frozen=True):
    status: dict[str, Any] = {}
    ephemeral: bool = False
    createdAt: float = 0.0  # noqa: N815  # the wire's name


class _Read(msgspec.Struct, frozen=True):
    thread: _Thread
