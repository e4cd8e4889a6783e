"""Read a thread's history from Codex, page by page, with every item's raw text.

Codex lists an item in its history only once it is completed; an interrupted turn keeps what was completed in it
(docs/guide/companion.md). Owns nothing, and calls nothing that would change anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

PAGE = 100
IN_PROGRESS = "inProgress"
INTERRUPTED = "interrupted"

Call = Callable[[str, Any], Awaitable[msgspec.Raw]]
"""`Codex.call`: method and params -> raw result."""


class HistoryItem(msgspec.Struct, frozen=True):
    """A completed item, as `thread/items/list` tells it."""

    turnId: str  # noqa: N815  # the wire's name
    item: msgspec.Raw
    completedAtMs: int | None = None  # noqa: N815  # the wire's name

    def params(self, thread_id: str) -> dict[str, Any]:
        """The params of the `item/completed` that this is a copy of."""
        told: dict[str, Any] = {"item": self.item, "threadId": thread_id, "turnId": self.turnId}
        if self.completedAtMs is not None:
            told["completedAtMs"] = self.completedAtMs
        return told


class _TurnNames(msgspec.Struct, frozen=True):
    id: str
    status: str = ""
    startedAt: float | None = None  # noqa: N815  # the wire's name
    completedAt: float | None = None  # noqa: N815  # the wire's name


class HistoryTurn(msgspec.Struct, frozen=True):
    """A turn, as `thread/turns/list` tells it, without its items."""

    turn_id: str
    status: str
    started_at: float | None
    """Seconds since the epoch."""
    completed_at: float | None
    raw: msgspec.Raw


class _ItemPage(msgspec.Struct, frozen=True):
    data: list[HistoryItem]
    nextCursor: str | None = None  # noqa: N815  # the wire's name


class _TurnPage(msgspec.Struct, frozen=True):
    data: list[msgspec.Raw]
    nextCursor: str | None = None  # noqa: N815  # the wire's name


class Queued(msgspec.Struct, frozen=True):
    """A message that waits for the running turn to end."""

    id: str
    clientUserMessageId: str | None = None  # noqa: N815  # the wire's name


class Described(msgspec.Struct, frozen=True):
    """A thread, as `thread/read` tells it."""

    name: str | None = None
    path: str | None = None

    @property
    def archived(self) -> bool:
        """Whether it was put away: Codex keeps those in a folder of their own."""
        return "/archived_sessions/" in (self.path or "").replace("\\", "/")


class _QueuePage(msgspec.Struct, frozen=True):
    data: list[Queued]
    nextCursor: str | None = None  # noqa: N815  # the wire's name


class _Read(msgspec.Struct, frozen=True):
    thread: Described


async def turns(call: Call, thread_id: str, *, newest_first: bool) -> AsyncIterator[HistoryTurn]:
    """The thread's turns; pages are fetched as they are needed."""
    cursor: str | None = None
    while True:
        asked = _page(thread_id, cursor, newest_first=newest_first) | {"itemsView": "notLoaded"}
        page = msgspec.json.decode(await call("thread/turns/list", asked), type=_TurnPage)
        for raw in page.data:
            told = msgspec.json.decode(raw, type=_TurnNames)
            yield HistoryTurn(told.id, told.status, told.startedAt, told.completedAt, raw)
        cursor = page.nextCursor
        if cursor is None:
            return


async def items(
    call: Call, thread_id: str, *, turn_id: str | None = None, newest_first: bool = False
) -> AsyncIterator[HistoryItem]:
    """The completed items of the thread, or of one turn."""
    cursor: str | None = None
    while True:
        asked = _page(thread_id, cursor, newest_first=newest_first) | ({"turnId": turn_id} if turn_id else {})
        page = msgspec.json.decode(await call("thread/items/list", asked), type=_ItemPage)
        for item in page.data:
            yield item
        cursor = page.nextCursor
        if cursor is None:
            return


async def turn_of_message(call: Call, thread_id: str, client_id: str, *, within_items: int = 2000) -> str | None:
    """The turn that holds the user message with this `clientId`, newest items first; None: Codex has none such."""
    seen = 0
    async for entry in items(call, thread_id, newest_first=True):
        told = msgspec.json.decode(entry.item)
        if told.get("type") == "userMessage" and told.get("clientId") == client_id:
            return entry.turnId
        seen += 1
        if seen >= within_items:
            return None
    return None


async def running_turn(call: Call, thread_id: str) -> str | None:
    """The id of the turn that runs now, or None."""
    async for turn in turns(call, thread_id, newest_first=True):
        return turn.turn_id if turn.status == IN_PROGRESS else None
    return None


async def queued(call: Call, thread_id: str) -> list[Queued]:
    """What waits in the thread's queue for the turn to end."""
    found: list[Queued] = []
    cursor: str | None = None
    while True:
        asked = {"threadId": thread_id, "cursor": cursor}
        page = msgspec.json.decode(await call("thread/queue/list", asked), type=_QueuePage)
        found += page.data
        cursor = page.nextCursor
        if cursor is None:
            return found


async def described(call: Call, thread_id: str) -> Described:
    """What Codex says of the thread itself."""
    return msgspec.json.decode(await call("thread/read", {"threadId": thread_id}), type=_Read).thread


def _page(thread_id: str, cursor: str | None, *, newest_first: bool) -> dict[str, Any]:
    direction = "desc" if newest_first else "asc"
    asked: dict[str, Any] = {"threadId": thread_id, "limit": PAGE, "sortDirection": direction}
    if cursor is not None:
        asked["cursor"] = cursor
    return asked
