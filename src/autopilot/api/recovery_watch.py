"""Tells what a user has open that somebody came in without a passkey, and when that is over: at once, on every node.

Owns the frames `codex.state.recovery` of streams of everything. One query a second covers every such stream of the
process; a recovery that begins here is told at once. It goes to that user's own streams alone: not to guests, who have
no account, and not to machines. State first: a stream that opens during a hold begins with it. Never decides what a
held session may do (`recovery.py`). Source: docs/decisions/0024-recovery.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import asyncpg

from autopilot.api.grants import Grant
from autopilot.api.sessions import Tokens
from autopilot.contract import StateRecovery, encode
from autopilot.contract.instants import instant
from autopilot.db.away import AWAY
from autopilot.db.queries import load
from autopilot.ops.log import get_logger

SQL = load("autopilot.api", "step_up")

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 2.0
"""A stream that opens waits no longer for what is held; the next look tells it."""

log = get_logger("autopilot.api")
Held = Mapping[str, StateRecovery]
"""By device."""


class RecoveryNews:
    """What one stream is to be told."""

    def __init__(self) -> None:
        self.has_begun = False
        """Whether the stream has come so far that it can be told."""
        self._has_news = False
        self._moved = asyncio.Event()
        self._held: Held = {}
        self._told: Held = {}

    def see(self, held: Held) -> None:
        """So it stands now."""
        self._held = held
        if held != self._told:
            self._has_news = True
            self._moved.set()

    def begin(self) -> bytes:
        """What is held already; `next` tells the rest."""
        self.has_begun = True
        self._moved.set()
        return self._frames()

    async def next(self) -> bytes:
        """What has changed since it was told last, once something has."""
        while not (self.has_begun and self._has_news):
            self._moved.clear()
            await self._moved.wait()
        return self._frames()

    def _frames(self) -> bytes:
        self._has_news = False
        over = [replace(was, state="over") for device_id, was in self._told.items() if device_id not in self._held]
        news = [now for device_id, now in self._held.items() if now != self._told.get(device_id)]
        self._told = self._held
        return b"".join(_frame(each) for each in (*over, *news))


class RecoveryWatch:
    """Keep `run` running."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._listening: dict[int, set[RecoveryNews]] = defaultdict(set)
        self._poked = asyncio.Event()

    def signed_in(self, tokens: Tokens) -> None:
        """Somebody came in here: where they are held, that is told at once."""
        if tokens.held_until is not None:
            self._poked.set()

    @contextlib.contextmanager
    def listening(self, grant: Grant) -> Iterator[RecoveryNews | None]:
        """Within it a stream of everything of this grant is told; None: whom it speaks for has nothing of the kind."""
        user_id = grant.claims.user_id
        if user_id is None or grant.claims.machine_id is not None:
            yield None
            return
        news = RecoveryNews()
        self._listening[user_id].add(news)
        try:
            yield news
        finally:
            self._listening[user_id].discard(news)
            if not self._listening[user_id]:
                del self._listening[user_id]

    async def begin(self, grant: Grant, news: RecoveryNews) -> None:
        """Before the first frame: what is held already. A database that is away is asked again by `run`."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await self._held([grant.user_id])
        except (*AWAY, TimeoutError):
            return
        news.see(found.get(grant.user_id, {}))

    async def run(self) -> None:
        """Look once a second, and at once when one began here, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._poked.wait()
            self._poked.clear()
            try:
                await self.look()
            except AWAY as error:
                log.warning("recovery_watch_blind", error=str(error))

    async def look(self) -> None:
        """Tell every open stream how it stands.

        Raises:
            what AWAY names: the database can't be asked.
        """
        if not self._listening:
            return
        found = await self._held(list(self._listening))
        for user_id, listeners in self._listening.items():
            for news in listeners:
                news.see(found.get(user_id, {}))

    async def _held(self, user_ids: list[int]) -> dict[int, dict[str, StateRecovery]]:
        found: dict[int, dict[str, StateRecovery]] = defaultdict(dict)
        for row in await self._pool.fetch(SQL.held, user_ids):
            found[row["user_id"]][row["device_id"]] = _shown(row)
        return found


def _shown(row: Any) -> StateRecovery:
    return StateRecovery(
        state="held",
        device_id=row["device_id"],
        device_name=row["name"] or None,
        platform=row["platform"],
        surface=row["surface"],
        address=row["address"],
        began_at=instant(row["created_at"]),
        held_until=instant(row["held_until"]),
    )


def _frame(recovery: StateRecovery) -> bytes:
    body = json.dumps(encode(recovery), separators=(",", ":"), ensure_ascii=False)
    return b"event: codex.state.recovery\ndata: %s\n\n" % body.encode()
