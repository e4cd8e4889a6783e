"""Read a thread's history from Codex, page by page, with every item's raw text.

Codex lists an item in its history only once it is completed; an interrupted turn keeps what was completed in it
(docs/guide/companion.md). Owns nothing, and calls nothing that would change anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, TypeVar

import msgspec

from autopilot.companion.codex.messages import CodexAstray

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


class Page(Protocol):
    """One page of a list."""

    @property
    def nextCursor(self) -> str | None:  # noqa: N802  # the wire's name
        """Where the next one begins; None: there is none."""
        ...


PageShape = TypeVar("PageShape", bound=Page)


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


class _LoadedPage(msgspec.Struct, frozen=True):
    data: list[str]
    nextCursor: str | None = None  # noqa: N815  # the wire's name


class _Read(msgspec.Struct, frozen=True):
    thread: Described


async def pages(method: str, call: Call, asked: dict[str, Any], shape: type[PageShape]) -> AsyncIterator[PageShape]:
    """The pages of a list of Codex's, fetched as they are needed.

    Raises:
        CodexAstray: a page leads back to an earlier one; whoever followed it would read for ever.
        CodexError: Codex did not give one.
    """
    cursor: str | None = None
    followed: set[str] = set()
    while True:
        page = msgspec.json.decode(await call(method, asked | ({"cursor": cursor} if cursor else {})), type=shape)
        yield page
        cursor = page.nextCursor
        if cursor is None:
            return
        if cursor in followed:
            raise CodexAstray(f"the pages of {method} go round")
        followed.add(cursor)


async def turns(call: Call, thread_id: str, *, newest_first: bool, limit: int = 0) -> AsyncIterator[HistoryTurn]:
    """The thread's turns, `limit` (0: as many as usual) in each page. Raises as `pages`."""
    asked = _asked(thread_id, limit, newest_first=newest_first) | {"itemsView": "notLoaded"}
    async for page in pages("thread/turns/list", call, asked, _TurnPage):
        for raw in page.data:
            told = msgspec.json.decode(raw, type=_TurnNames)
            yield HistoryTurn(told.id, told.status, told.startedAt, told.completedAt, raw)


async def items(
    call: Call, thread_id: str, *, turn_id: str | None = None, newest_first: bool = False, limit: int = 0
) -> AsyncIterator[HistoryItem]:
    """The completed items of the thread, or of one turn; `limit` as of turns. Raises as `pages`."""
    asked = _asked(thread_id, limit, newest_first=newest_first) | ({"turnId": turn_id} if turn_id else {})
    async for page in pages("thread/items/list", call, asked, _ItemPage):
        for item in page.data:
            yield item


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
    """What waits in the thread's queue for the turn to end. Raises as `pages`."""
    found: list[Queued] = []
    async for page in pages("thread/queue/list", call, {"threadId": thread_id}, _QueuePage):
        found += page.data
    return found


async def loaded(call: Call) -> list[str]:
    """The threads that this app-server has in its memory. Raises as `pages`."""
    found: list[str] = []
    async for page in pages("thread/loaded/list", call, {}, _LoadedPage):
        found += page.data
    return found


async def described(call: Call, thread_id: str) -> Described:
    """What Codex says of the thread itself."""
    return msgspec.json.decode(await call("thread/read", {"threadId": thread_id}), type=_Read).thread


def _asked(thread_id: str, limit: int, *, newest_first: bool) -> dict[str, Any]:
    return {"threadId": thread_id, "limit": limit or PAGE, "sortDirection": "desc" if newest_first else "asc"}
