"""`GET /stream`: everything of one principal on one connection: state first, then changes, and chosen workers' events.

Owns the opaque cursor, which holds one seq for each chosen worker and is the `id` of every frame that moves it; state
is told anew at each opening. A worker whose log no longer goes on from its cursor is told by a frame of its own, and
goes on from the log's end; the others are not disturbed. Relies on stream_states.py for what to tell and on
stream_notices.py for when. Changes that come close together are told together.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import asyncpg

from autopilot.contract.errors import InvalidRequest, StaleCursor, Unprocessable
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.db.away import AWAY
from autopilot.runtime import permissions
from autopilot.runtime.hearing import Hearing
from autopilot.runtime.ledger_rows import Worker
from autopilot.runtime.machines import Machines
from autopilot.runtime.router import Match, Route, integer_of, query_of
from autopilot.runtime.settings import RuntimeSettings
from autopilot.runtime.stream import HEADERS, MAX_TAIL_MS, RETRY_MS, control_frame, control_of
from autopilot.runtime.stream_notices import NO_WORKER, Listener, Notices, machine_key, principal_keys
from autopilot.runtime.stream_states import State, States
from autopilot.runtime.tail import HEARTBEAT, Follower
from autopilot.runtime.tail_workers import WorkerTail
from autopilot.runtime.workers_ids import WORKER_ID, find_worker

MAX_CHOSEN = 32
CURSOR = re.compile(r"p1(?:\.[0-9]{1,19}-[0-9]{1,16})*")
GATHER_SECONDS = 0.25
"""How long changes of state are gathered before they are told."""
REFRESH_SECONDS = 10.0
"""How often all state is compared anew: what changes by time alone, or in another process unheard."""


@dataclass(slots=True)
class Chosen:
    """A worker whose events are wanted, and from where."""

    worker: Worker
    cursor: int
    """The last seq that its reader has, or was told that it can't have."""
    stale: bool
    """The log does not go on from there, and its reader was not told yet."""


class PrincipalRoutes:
    """The one stream of a principal."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        tail: WorkerTail,
        notices: Notices,
        machines: Machines,
        *,
        hearing: Hearing,
        settings: RuntimeSettings,
    ) -> None:
        self._pool = pool
        self._tail = tail
        self._notices = notices
        self._machines = machines
        self._settings = settings
        self._hearing = hearing

    def routes(self) -> Iterable[Route]:
        """Its one route."""
        return [Route("GET", "/stream", self.stream)]

    async def stream(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and frames, or a refusal before the first of them."""
        query = query_of(request)
        permissions.require_scope(request.claims, "observe")
        tail_ms = integer_of(query, "tail_ms", low=1, high=MAX_TAIL_MS, default=None)
        control = control_of(query.get("frames"))
        cursors = cursors_of(query.get("cursor"), request.headers.get("last-event-id"))
        chosen = [
            await self._choose(request.claims, worker_id, cursors) for worker_id in chosen_of(query.get("workers"))
        ]
        states = States(self._pool, self._machines, request.claims, self._hearing)
        stream = PrincipalStream(
            self._tail,
            self._notices,
            states,
            chosen,
            keys=principal_keys(request.claims),
            find=partial(find_worker, self._pool),
            silence_seconds=self._settings.stream_heartbeat_seconds,
            control=control,
        )
        return RuntimeResponse(200, HEADERS, stream.frames(None if tail_ms is None else tail_ms / 1000))

    async def _choose(self, claims: Claims, worker_id: str, cursors: dict[int, int]) -> Chosen:
        worker = await find_worker(self._pool, worker_id)
        permissions.observe(claims, worker)
        cursor = cursors.get(worker.worker_no, worker.latest_seq)
        return Chosen(worker, cursor, stale=not worker.oldest_seq - 1 <= cursor <= worker.latest_seq)


class PrincipalStream:
    """One connection's frames."""

    def __init__(
        self,
        tail: WorkerTail,
        notices: Notices,
        states: States,
        chosen: list[Chosen],
        *,
        keys: Sequence[str],
        find: Callable[[str], Awaitable[Worker]],
        silence_seconds: float,
        control: bool,
    ) -> None:
        self._hub = tail.hub
        self._notices = notices
        self._states = states
        self._keys = keys
        self._find = find
        self._control = control
        self._silence_seconds = silence_seconds
        self._chosen = chosen
        for each in chosen:
            states.lend(each.worker)
        self._followers: list[Follower] = []

    async def frames(self, tail_seconds: float | None) -> AsyncIterator[bytes]:
        """State first, then changes and events, until `tail_seconds` are over or the runtime stops."""
        reason = "tail_ended"
        if self._control:
            yield control_frame("open", {"latest_seq": 0, "oldest_seq": 0})  # of many logs: `id` says where each is
        with ExitStack() as stack:
            try:
                async for chunk in self._follow(stack, tail_seconds):
                    yield chunk
                if self._notices.stopping:
                    reason = "shutdown"
            except AWAY:
                reason = "unavailable"
        if self._control:
            yield control_frame("bye", {"reason": reason, "retry_ms": RETRY_MS})

    async def _follow(self, stack: ExitStack, tail_seconds: float | None) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        listener = stack.enter_context(self._notices.listen(self._keys))
        if first := self._enter_feeds(stack, listener.event) + await self._look_at_all(listener):
            yield first
        told = spoke = refreshed = clock()
        end = None if tail_seconds is None else told + tail_seconds
        caught_up = not self._control
        while not self._notices.stopping:
            listener.event.clear()
            chunk = await self._events()
            now = clock()
            gathered = listener.changed and now - told >= GATHER_SECONDS
            if now - refreshed >= REFRESH_SECONDS or (gathered and listener.everything):
                chunk, told, refreshed = chunk + await self._look_at_all(listener), now, now
            elif gathered:
                chunk, told = chunk + await self._look_at_changed(listener), now
            elif not chunk and not caught_up:
                chunk, caught_up = control_frame("caught_up", {"seq": None, "complete": self._states.complete}), True
            elif not chunk and now - spoke >= self._silence_seconds:
                chunk = HEARTBEAT
            if chunk:
                spoke = now
                yield chunk
                continue
            if end is not None and now >= end:
                return
            due = [refreshed + REFRESH_SECONDS, spoke + self._silence_seconds]
            due += [told + GATHER_SECONDS] if listener.changed else []
            await _wait(listener.event, min([*due, end] if end is not None else due))

    def _enter_feeds(self, stack: ExitStack, event: asyncio.Event) -> bytes:
        """Begin to follow; what to say of those who can't go on from where they were."""
        said = []
        for chosen in self._chosen:
            feed = stack.enter_context(self._hub.follow(str(chosen.worker.worker_no)))
            feed.events.add(event)
            stack.callback(feed.events.discard, event)
            self._hub.hint(feed.key, chosen.worker.latest_seq)
            if chosen.stale:
                said.append(self._leap(chosen))
            self._followers.append(Follower(self._hub, feed, chosen.cursor))
        return b"".join(said)

    async def _look_at_all(self, listener: Listener) -> bytes:
        listener.take()
        return self._told(listener, await self._states.all())

    async def _look_at_changed(self, listener: Listener) -> bytes:
        return self._told(listener, await self._states.changed(listener.take()))

    async def _events(self) -> bytes:
        """The chosen workers' new events, each frame with the cursor that follows it."""
        made = []
        for chosen, follower in zip(self._chosen, self._followers, strict=True):
            try:
                frames = await follower.ready()
            except StaleCursor:
                chosen.worker = await self._find(chosen.worker.worker_id)
                made.append(self._leap(chosen))
                follower.cursor = chosen.cursor
                continue
            for frame in frames.split(b"\n\n")[:-1]:
                identity, rest = frame.split(b"\n", 1)
                chosen.cursor = int(identity.removeprefix(b"id: "))
                made.append(b"id: %s\n%s\n\n" % (self._cursor(), rest))
        return b"".join(made)

    def _leap(self, chosen: Chosen) -> bytes:
        """Go on from the log's end, and say so: a frame with an `id`, for every reader, since it moves the cursor."""
        worker = chosen.worker
        chosen.cursor, chosen.stale = worker.latest_seq, False
        facts = {"workerId": worker.worker_id, "oldest_seq": worker.oldest_seq, "latest_seq": worker.latest_seq}
        return b"id: %s\n" % self._cursor() + control_frame("stale", {**facts})

    def _told(self, listener: Listener, states: Iterable[State]) -> bytes:
        if self._notices.attend(listener, map(machine_key, self._states.machine_ids)):
            listener.hear(NO_WORKER)
        if self._states.lost:
            self._let_go(self._states.lost)
        cursor = self._cursor()
        return b"".join(
            b"id: %s\nevent: codex.state.%s\ndata: %s\n\n" % (cursor, kind.encode(), body) for kind, body in states
        )

    def _let_go(self, lost: Container[int]) -> None:
        """Follow those no longer that may be read no more."""
        kept = [
            pair for pair in zip(self._chosen, self._followers, strict=True) if pair[0].worker.worker_no not in lost
        ]
        self._chosen, self._followers = [chosen for chosen, _ in kept], [follower for _, follower in kept]

    def _cursor(self) -> bytes:
        return "".join(["p1", *(f".{each.worker.worker_no}-{each.cursor}" for each in self._chosen)]).encode()


async def _wait(event: asyncio.Event, until: float) -> None:
    try:
        async with asyncio.timeout_at(until):
            await event.wait()
    except TimeoutError:
        return


def chosen_of(value: str | None) -> list[str]:
    """The ids of the workers whose events are wanted, each once.

    Raises:
        Unprocessable: too many, or one that is none.
    """
    names = list(dict.fromkeys(name for name in (value or "").split(",") if name))
    if len(names) > MAX_CHOSEN or not all(WORKER_ID.fullmatch(name) for name in names):
        raise Unprocessable(
            f"workers must be at most {MAX_CHOSEN} worker ids, separated by commas",
            reason_code="invalid_value",
            field="workers",
        )
    return names


def cursors_of(cursor: str | None, last_event_id: str | None) -> dict[int, int]:
    """worker_no -> last seq, from the opaque cursor.

    Raises:
        InvalidRequest: none of ours, or both given and different.
    """
    given = {text for text in (cursor, last_event_id or None) if text is not None}
    if len(given) > 1:
        raise InvalidRequest("cursor and Last-Event-ID differ", reason_code="cursors_differ")
    if not given:
        return {}
    text = given.pop()
    if not CURSOR.fullmatch(text):
        raise InvalidRequest("the cursor is none of this stream's", reason_code="cursor", field="cursor")
    pairs = [part.split("-") for part in text.split(".")[1:]]
    return {int(number): int(seq) for number, seq in pairs}
