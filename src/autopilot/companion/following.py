"""Follow what other processes do in this CODEX_HOME: threads that we can only watch, read from Codex's history.

Owns the look at `thread/list`: who changed, by Codex's own times and not by our clock. Looks more often while something
happens, seldom when nothing does. A thread that changes though it is not loaded where we are has another writer; it is
labelled so (places.py), and filled in (recovery.py). Never takes a thread up: that is for whoever asks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import structlog

from autopilot.companion.codex import translate
from autopilot.companion.codex.messages import CodexError, CodexRefused
from autopilot.companion.codex.supervisor import Codex
from autopilot.companion.database import Database
from autopilot.companion.places import Places
from autopilot.companion.recovery import Recovery
from autopilot.companion.threads import Thread, Threads
from autopilot.ops.clock import Clock

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 10.0
SLOWER = 1.5
"""Each look that finds nothing makes the next one so much later."""
LOOKED_AT = 50
"""The latest changed threads are looked at; more than these don't change between two looks."""
SINCE = "followed_since"
REASON = "another program writes this thread"

log = structlog.get_logger(__name__)


class _Listed(msgspec.Struct, frozen=True):
    """One entry of `thread/list`, without what is said in it."""

    id: str
    updatedAt: float = 0.0  # noqa: N815  # the wire's name
    parentThreadId: str | None = None  # noqa: N815  # the wire's name
    status: dict[str, object] = {}

    @property
    def is_loaded_here(self) -> bool:
        """Whether the app-server that we asked has it in its memory."""
        return self.status.get("type", "notLoaded") != "notLoaded"


class _Page(msgspec.Struct, frozen=True):
    data: list[msgspec.Raw]


@dataclass(slots=True)
class _Seen:
    """What the last look found of a thread."""

    updated_at: float
    busy: bool = False
    """It had something new: it is looked at again whatever its time says (which has whole seconds)."""


@dataclass(slots=True)
class Following:
    """Keep `run` running."""

    codex: Codex
    threads: Threads
    places: Places
    recovery: Recovery
    database: Database
    clock: Clock
    spoken_for: Callable[[str], bool] = lambda _worker_id: False
    """Whether another machine's companion speaks for this worker: it need not be told twice."""
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _since: float | None = None

    async def run(self) -> None:
        """Look, forever."""
        self._since = await self.database.run(_since)
        pause = FIRST_SECONDS
        while True:
            await self.clock.sleep(pause)
            try:
                changed = self.codex.session is not None and await self.look()
            except CodexError as error:
                log.info("following.trouble", error=str(error))
                changed = False
            pause = FIRST_SECONDS if changed else min(pause * SLOWER, LONGEST_SECONDS)

    async def look(self) -> bool:
        """Look once; whether anything was new.

        Raises:
            CodexError: Codex did not answer.
        """
        asked = {"limit": LOOKED_AT, "sortKey": "updated_at", "sortDirection": "desc"}
        page = msgspec.json.decode(await self.codex.call("thread/list", asked), type=_Page)
        listed = [(msgspec.json.decode(raw, type=_Listed), raw) for raw in page.data]
        if self._since is None:
            await self._begin([one for one, _ in listed])
            return False
        news = [await self._news(one, raw) for one, raw in listed]
        return any(news)

    async def _begin(self, listed: list[_Listed]) -> None:
        """The first look of all: what was there before us is not followed until it changes."""
        self._since = since = max((one.updatedAt for one in listed), default=0.0)
        self._seen = {one.id: _Seen(one.updatedAt) for one in listed}
        await self.database.run(lambda db: _save_since(db, since))

    async def _news(self, one: _Listed, raw: msgspec.Raw) -> bool:
        """Whether this thread had anything new for us."""
        before, thread = self._seen.get(one.id), self.threads.get(one.id)
        self._seen[one.id] = now = _Seen(one.updatedAt)
        if thread is None and not (before and before.busy):
            known = before.updated_at if before else (self._since or 0.0) - 1
            if known >= one.updatedAt:
                return False  # older than our being here
        if self._passed_over(one, raw, thread):
            return False
        if not one.is_loaded_here and not self._may_have_changed(one, before, thread):
            return False
        now.busy = True  # until it was read: where Codex fails meanwhile, the next look is at it again
        if one.is_loaded_here:  # the user's own program has it open on the daemon that we are connected to
            await self._adopt(one.id)
            now.busy = False
            return True
        if thread is None:
            thread = await self.recovery.introduce(raw)
            await self.places.watched(thread, REASON)
        now.busy = await self.recovery.look_again(thread) > 0
        if now.busy:
            await self.places.watched(thread, REASON)
        return now.busy

    def _may_have_changed(self, one: _Listed, before: _Seen | None, thread: Thread | None) -> bool:
        if thread is not None and thread.elsewhere is not None and thread.doubtful:
            return True  # a turn seems to run
        if before is None:
            return thread is None  # what we missed of known ones is filled in when a session begins
        return before.busy or before.updated_at != one.updatedAt

    def _passed_over(self, one: _Listed, raw: msgspec.Raw, thread: Thread | None) -> bool:
        if thread is not None:
            return thread.subscribed or not thread.is_open or self.spoken_for(thread.worker_id)
        named = translate.names(msgspec.Raw(b'{"thread":' + bytes(raw) + b"}"))
        return named.hidden_thread or self.threads.is_hidden(one.id) or one.parentThreadId is not None

    async def _adopt(self, thread_id: str) -> None:
        try:
            await self.recovery.adopt(thread_id)
        except CodexRefused as refused:
            log.info("thread.not_adopted", thread_id=thread_id, error=refused.message)


def _since(db: sqlite3.Connection) -> float | None:
    row = db.execute("select value from setting where name = ?", (SINCE,)).fetchone()
    return None if row is None else float(row["value"])


def _save_since(db: sqlite3.Connection, since: float) -> None:
    db.execute("insert or replace into setting values (?, ?)", (SINCE, str(since)))
