"""All that a screen shows of one worker, kept true by one task.

`WorkerStore.run` follows the worker's stream and asks for a snapshot now and then; `view` is the merged result, and
the only thing a screen reads. Owns no connection but its follower's. An older snapshot never overwrites newer state;
a stream that stands still while the log moves is opened anew; a log that doesn't go on from the cursor, or has gone too
far beyond it, is read again from near its end, and what was known is shown until that is done; when the session ends it
says so and waits for `poke`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from autopilot.client import log
from autopilot.client.backoff import Backoff, is_final
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.connection import ConnectionState
from autopilot.client.follower import Follower, FollowPolicy
from autopilot.client.following import Following
from autopilot.client.groups import end_if_cancelled, first_error
from autopilot.client.health import AGAIN_SECONDS, LOOK_SECONDS, ApiFact, known
from autopilot.client.reconcile import Reconciler
from autopilot.client.timeline import Timeline, running_turn
from autopilot.client.timeline_board import TimelineLimits
from autopilot.client.timeline_items import Item
from autopilot.client.tokens import SignInAgain
from autopilot.contract import Envelope, Health, WorkerSnapshot
from autopilot.contract.errors import AutopilotError, StaleCursor

APPROVAL = "worker.approval."
RECONCILE_SECONDS = 10.0
"""With the 45 s after which a machine counts as away: whatever stands still is shown within a minute."""
HISTORY_EVENTS = 1000
"""How far before its end a worker's log is read when its screen opens."""
GLANCE_SECONDS = 3.0
"""So long a snapshot is waited for before a stream is gone on with."""
FAR_BEHIND = 1.5
"""Who is behind by more than so much of that doesn't read all of it, but begins anew as a screen that opens does. More
than once of it, so that what comes between a snapshot and its stream never makes who has just begun begin again."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One moment of a worker, as far as it is known."""

    worker: WorkerSnapshot | None
    """Its state, true at `worker.latest_seq`; None: not known yet."""
    items: tuple[Item, ...]
    """Its timeline, true at `seq`."""
    seq: int
    active_turn_id: str | None
    is_whole: bool
    """Whether `items` go back to the beginning of the log."""
    connection: ConnectionState
    error: AutopilotError | None
    """Why the last snapshot could not be had; None: it could."""
    health: Health
    """Four facts, never merged. `api` is what this client found itself; the others are the server's last words."""


class _FarBehind(AutopilotError):
    """The log has gone on by more than anybody wants to read."""

    code = "far_behind"


class WorkerStore(Following[WorkerView, Follower[Envelope]]):
    """One worker, observable."""

    def __init__(
        self,
        client: RuntimeCodexClient,
        worker_id: str,
        *,
        timeline: Timeline | None = None,
        limits: TimelineLimits | None = None,
        history_events: int = HISTORY_EVENTS,
        reconcile_seconds: float = RECONCILE_SECONDS,
        policy: FollowPolicy | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        """`timeline`: what an earlier run saved; it is gone on from, or shown until the log's end is there."""
        super().__init__(client.clock)
        self.worker_id = worker_id
        self._client = client
        self._limits = limits
        self._history_events = history_events
        self._reconcile_seconds = reconcile_seconds
        self._policy = policy
        self._rng = rng
        self._backoff = Backoff(rng=rng)
        self._restarts = Backoff(rng=rng)
        self._oldest_seq = 1
        self._timeline = timeline
        self._shown = timeline
        self._shown_from = 0
        """Where the log ended when `_timeline` was begun: when it goes as far, it is what is shown."""
        self._reconciler = Reconciler()
        self._error: AutopilotError | None = None
        self._api = ApiFact()
        self._tickets = 0

    def _seen(self) -> WorkerView:
        timeline = self._shown or Timeline()
        return WorkerView(
            worker=self._reconciler.snapshot,
            items=timeline.items,
            seq=timeline.seq,
            active_turn_id=running_turn(timeline, self._reconciler.snapshot),
            is_whole=self._shown is not None and timeline.is_whole,
            connection=self._connection,
            error=self._error,
            health=known(self._reconciler.snapshot, self._api.fact),
        )

    @property
    def timeline(self) -> Timeline | None:
        """The timeline that is shown, to be saved (`Timeline.save`); don't fold into it."""
        return self._shown

    # Starting.

    async def _go_on(self) -> None:
        try:
            await self._begin()
            await self._keep()
        except (StaleCursor, _FarBehind) as error:
            end_if_cancelled()
            log.failure("store.restart", error, worker_id=self.worker_id)
            if isinstance(error, StaleCursor):
                self._forget(error)
            await self._clock.sleep(self._restarts.next_delay())

    async def _begin(self) -> None:
        """A fresh snapshot, and the place in the log to read from."""
        if self._reconciler.snapshot is not None:
            await self._glance()
        while self._reconciler.snapshot is None:
            self._became(ConnectionState(kind="connecting", since=self._clock.now()))
            try:
                await self._snapshot()
            except AutopilotError as error:
                self._api.failed(error, self._clock.now())
                if is_final(error):
                    raise
                await self._wait(error)
        latest_seq = self._reconciler.snapshot.latest_seq
        if self._timeline is None or self._is_far(latest_seq, self._timeline.seq):
            after = max(self._oldest_seq - 1, latest_seq - self._history_events)
            self._timeline, self._shown_from = Timeline(self._limits, after=after), latest_seq
            if self._shown is None or after >= latest_seq:
                self._shown = self._timeline

    async def _glance(self) -> None:
        """A snapshot, so that what is far behind is not even begun; where none comes soon, the stream says it too."""
        self._became(ConnectionState(kind="connecting", since=self._clock.now()))
        self._woken.clear()
        try:
            await self._snapshot(GLANCE_SECONDS)
        except AutopilotError as error:
            log.failure("store.no_glance", error, worker_id=self.worker_id)  # the stream is refused as well, or is not

    def _is_far(self, latest_seq: int, seq: int) -> bool:
        return latest_seq - seq > FAR_BEHIND * self._history_events

    async def _wait(self, error: AutopilotError) -> None:
        delay = self._backoff.next_delay(error.retry_after_seconds)
        self._became(
            ConnectionState(kind="waiting", since=self._clock.now(), attempt=self._backoff.attempt, error=error)
        )
        told_seconds = min(delay, error.retry_after_seconds or 0.0)
        await self._clock.sleep(told_seconds)
        await self._woken_or(delay - told_seconds)

    def _forget(self, error: StaleCursor) -> None:
        """The log doesn't go on from the cursor: begin again, with what is still there."""
        oldest_seq = error.fact("oldest_seq")
        self._oldest_seq = oldest_seq if isinstance(oldest_seq, int) else 1
        self._reconciler.reset()
        self._timeline = None
        self._change()

    # Keeping.

    async def _keep(self) -> None:
        assert self._timeline is not None
        follower = self._client.follow(self.worker_id, cursor=self._timeline.seq, policy=self._policy)
        cancel = follower.on_state(self._connected)
        self._follower = follower
        try:
            async with follower, asyncio.TaskGroup() as group:
                group.create_task(self._reconcile(follower, self._timeline))
                await self._follow(follower, self._timeline)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
        finally:
            cancel()
            self._follower = None

    async def _follow(self, follower: Follower[Envelope], timeline: Timeline) -> None:
        async for event in follower:
            if self._is_far(follower.state.latest_seq or 0, event.seq - 1):  # of a connection that was away for long
                raise _FarBehind("the log has gone on too far", latest_seq=follower.state.latest_seq, seq=event.seq)
            timeline.apply(event)
            if timeline.seq >= self._shown_from:
                self._shown = timeline
            self._restarts.reset()
            if event.eventType.startswith(APPROVAL) and self._is_news(event):
                self._woken.set()  # how many are pending, only a snapshot tells
            self._reconciler.event(event)
            self._change()

    # pyrefly: ignore[missing-override-decorator] - Python 3.11 has none, and this room is the standard library only
    def _became(self, state: ConnectionState) -> None:
        if state.kind == "live" and self._timeline is not None:
            self._shown = self._timeline  # there is no more of it, whatever there was when it was begun
        super()._became(state)

    def _is_news(self, event: Envelope) -> bool:
        snapshot = self._reconciler.snapshot
        return snapshot is None or event.seq > snapshot.latest_seq

    async def _reconcile(self, follower: Follower[Envelope], timeline: Timeline) -> None:
        """A snapshot now and then: what the log doesn't hold, and whether the stream still brings what it should."""
        lagging: object = None
        while True:
            pause = self._reconcile_seconds if self._api.is_well else min(AGAIN_SECONDS, self._reconcile_seconds)
            await self._woken_or(pause * (0.9 + 0.2 * self._rng()))
            await self._try_snapshot()
            snapshot, connection = self._reconciler.snapshot, self._connection
            connected = connection.kind in ("live", "catching_up") and self._error is None
            behind = connected and snapshot is not None and snapshot.latest_seq > timeline.seq
            standing = (timeline.seq, connection.since) if behind else None
            if standing is not None and standing == lagging:  # of the same connection, at the same place
                log.record("store.stream_stands_still", worker_id=self.worker_id, seq=timeline.seq)
                follower.poke(reopen=True)
            lagging = standing

    async def _try_snapshot(self) -> None:
        try:
            await self._snapshot()
        except AutopilotError as error:
            if is_final(error) and not isinstance(error, SignInAgain):
                raise
            self._error = error
            self._api.failed(error, self._clock.now())
            self._change()

    async def _snapshot(self, within_seconds: float = LOOK_SECONDS) -> None:
        self._tickets += 1
        ticket = self._tickets
        snapshot = await self._client.worker(self.worker_id, within_seconds=within_seconds)
        self._reconciler.merge(snapshot, ticket)
        self._api.answered(self._clock.now())
        self._error = None
        self._backoff.reset()
        self._change()
