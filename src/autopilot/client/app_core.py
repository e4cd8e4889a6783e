"""What a native app runs behind its screens: a session, everything's overview, the open workers, acts, alerts, a cache.

`AppCore.run` keeps all of it under one task group: streams run while somebody is signed in and the app is in front, end
within a bounded time when it goes away, and go on from their cursors. Owns which of them run; knows no screen. What an
earlier run knew is shown first, with its age. When the session ends, whoever ended it, everything kept is wiped.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from autopilot.client import log
from autopilot.client.acts_book import Acts
from autopilot.client.alerts import Alert, Alerts
from autopilot.client.app_settings import AppSettings
from autopilot.client.approvals import has_approval_ended
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.clock import Clock, within
from autopilot.client.code_prompt import CodePrompt
from autopilot.client.connection import ConnectionState
from autopilot.client.drafts import Drafts
from autopilot.client.follower import FollowPolicy
from autopilot.client.health import UNKNOWN
from autopilot.client.name_book import NameKeeper, actors_in, actors_of
from autopilot.client.new_session_store import NewSessionStore
from autopilot.client.observable import Observable
from autopilot.client.offline_cache import CacheFacts, Kind, Remembered
from autopilot.client.overview import Overview, OverviewLimits
from autopilot.client.overview_store import OverviewStore, OverviewView
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.state_line import Standing
from autopilot.client.presenters.times import parsed
from autopilot.client.session import Session, SessionState
from autopilot.client.store import WorkerStore
from autopilot.client.timeline import Timeline
from autopilot.client.timeline_board import TimelineLimits
from autopilot.contract import Actor
from autopilot.contract.errors import AutopilotError, Forbidden, NotFound

Phase = Literal["starting", "signed_out", "away", "here"]
DETAILS = 4
"""Workers whose screens are kept: the one that is shown, and those that one goes back to."""
KEEP_SECONDS = 10.0
CLOSE_SECONDS = 3.0
"""So long each step of going away takes at most: an app that takes much longer is ended by the system."""
LEAVE_SECONDS = 20.0
"""A server that can't be told of a sign-out by then is not told."""
LOOK_SECONDS = 25.0
"""A look is good for a minute (docs/protocol.md, "Notifications")."""
NOTHING = OverviewView(Overview(), ConnectionState(), None, None, UNKNOWN)
OVERVIEW, ACTS, KEEPING, NAMES = "overview", "acts", "keeping", "names"


class Cache(Protocol):
    """What an app keeps for a start without network (`OfflineCache`)."""

    async def keep(self, kind: Kind, values: tuple[Any, ...]) -> None:
        """Remember a list."""

    async def recall(self, kind: Kind) -> Remembered[tuple[Any, ...]] | None:
        """A list, as it was kept."""

    async def keep_timeline(self, worker_id: str, timeline: Timeline) -> None:
        """Remember a timeline."""

    async def recall_timeline(
        self, worker_id: str, limits: TimelineLimits | None = None
    ) -> Remembered[Timeline] | None:
        """A timeline, as it was kept."""

    async def forget_timeline(self, worker_id: str) -> None:
        """Remember it no more."""

    async def facts(self) -> CacheFacts | None:
        """How large it is, and of when."""

    async def wipe(self) -> None:
        """Forget all."""

    async def aclose(self) -> None:
        """Let go of it."""


OpenCache = Callable[[SessionState], Awaitable[Cache | None]]


@dataclass(frozen=True, slots=True)
class AppView:
    """One moment of the app."""

    phase: Phase
    session: SessionState
    overview: OverviewView
    details: tuple[str, ...] = ()
    """Workers whose stores are open, the last one that was opened last."""
    is_online: bool | None = None
    """What the device says of its network; None: nothing."""
    refused: AutopilotError | None = None
    """Why the overview can't be followed at all; None: it can."""


class Detail:
    """One worker whose screen is open, or was lately."""

    def __init__(self, store: WorkerStore, cached_at: datetime | None) -> None:
        self.store = store
        self.refused: AutopilotError | None = None
        """The server's final answer: it may be read no more, or is not there."""
        self.kept_seq: int | None = None
        self._cached_at = cached_at

    @property
    def as_of(self) -> datetime | None:
        """When what is shown was true last, by this device's clock; None: it is now, or nothing is known."""
        connection = self.store.connection
        return None if connection.kind == "live" else connection.heard_at or self._cached_at


class AppCore(Observable[AppView]):
    """All that an app does besides showing it."""

    def __init__(
        self,
        session: Session,
        client: RuntimeCodexClient,
        *,
        open_cache: OpenCache | None = None,
        settings: AppSettings | None = None,
        device_id: str = "",
        is_here: bool = True,
        source: str = "autopilot-ios",
        details: int = DETAILS,
        limits: OverviewLimits | None = None,
        policy: FollowPolicy | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        """`client` uses `session`; whoever made them closes them. `open_cache`: that of who is signed in.

        `is_here` False: nothing is followed before `foreground`.
        """
        super().__init__()
        self.session = session
        self.client = client
        self.settings = settings
        self.prompt = CodePrompt()
        """Asks whoever is there for a code that was mailed, where the server wants to know who it is."""
        self.recent = log.Recent()
        """What was logged while this ran."""
        session.ask_code = self.prompt.ask
        self.acts = Acts(client, device_id=device_id, source=source)
        self.drafts = Drafts()
        self._names = NameKeeper(client, self._shown)
        self._names.subscribe(lambda _names: self._change())
        self._open_cache = open_cache
        self._most_details = details
        self._limits = limits
        self._policy = policy
        self._rng = rng
        self._clock: Clock = client.clock
        self._cache: Cache | None = None
        self._overview: OverviewStore | None = None
        self._new_session: NewSessionStore | None = None
        self._alerts = Alerts(client.server_now)
        self._alert_listeners: list[Callable[[Alert], None]] = []
        self._details: dict[str, Detail] = {}
        self._on_screen: str | None = None
        self._account: SessionState | None = None
        self._is_here = is_here
        self._is_online: bool | None = None
        self._refused: AutopilotError | None = None
        self._kept: Overview | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Event()
        self._settled = asyncio.Event()
        self._left = asyncio.Event()
        self._left.set()
        self._is_running = self._has_begun = False

    @property
    def overview(self) -> OverviewStore:
        """Everything of whoever is signed in: there is one in the phases `here` and `away`."""
        assert self._overview is not None, "somebody is signed in"
        return self._overview

    @property
    def new_session(self) -> NewSessionStore:
        """The session that is being filled in: there is one in the phases `here` and `away`."""
        assert self._new_session is not None, "somebody is signed in"
        return self._new_session

    @property
    def names(self) -> Names:
        """What people, devices, machines and teams are called."""
        return self._names.view

    @property
    def standing(self) -> Standing:
        """How things stand this moment, for the line that says it; it changes with the time alone."""
        view = self._overview_view()
        connection = view.connection if self._overview is None else self._overview.connection
        return Standing(connection, view.api, view.as_of, self._is_online)

    @property
    def asks_for_owner(self) -> bool:
        """Whether the phone has to recognise its owner before anything is administered."""
        return self.settings is not None and self.settings.asks_for_owner

    @property
    def opened(self) -> Mapping[str, Detail]:
        """Workers whose screens are kept, the last one that was opened last."""
        return self._details

    @property
    def resume_at(self) -> str | None:
        """How far everything was read, in the server's opaque word."""
        return None if self._overview is None else self._overview.resume_at

    async def cache_facts(self) -> CacheFacts | None:
        """What the offline cache comes to; None: there is none."""
        return None if self._cache is None else await self._cache.facts()

    # What happens to an app.

    def foreground(self) -> None:
        """It is in front: follow, from where it was; what runs already looks anew."""
        self._is_here = True
        self._wake()
        self._poke()

    async def background(self) -> None:
        """It goes away: what is on its way gets a moment, then every stream and task ends; within a bounded time."""
        self._is_here = False
        self._wake()
        await self.settled()

    def network_changed(self, *, online: bool) -> None:
        """The device has another network, or none: connections of before are doubted at once."""
        self._is_online = online
        self._poke(reopen=True)
        self._change()

    async def sign_out(self) -> None:
        """Sign out, and wipe all that is kept.

        Raises:
            NetworkError, Unavailable: done here, but the server was not told.
        """
        self._left.clear()
        try:
            await self.session.sign_out()
        finally:
            self._left.set()
            await self.settled()

    async def left(self) -> None:
        """Wait until a sign-out that is under way has told the server, or given up; within a bounded time."""
        with suppress(TimeoutError):
            await within(self._clock, LEAVE_SECONDS, self._left.wait)

    # What screens ask for.

    async def open(self, worker_id: str) -> Detail:
        """A worker's screen opens, or is gone back to: its store, with what was known last."""
        if (detail := self._kept_detail(worker_id)) is None:
            account = self._account
            found = None if self._cache is None else await self._cache.recall_timeline(worker_id)
            if self._account is not account:
                return self._new_detail(worker_id, None)  # somebody else's screen: it is not followed any more
            if (detail := self._kept_detail(worker_id)) is None:  # else it was opened meanwhile
                detail = self._new_detail(worker_id, found)
                self._tasks.pop(_of_worker(worker_id), None)  # that of one that was refused has ended
        self._details.pop(worker_id, None)
        self._details[worker_id] = detail
        self._change()
        self._wake()
        return detail

    def _kept_detail(self, worker_id: str) -> Detail | None:
        detail = self._details.get(worker_id)
        return None if detail is None or detail.refused is not None else detail

    def _new_detail(self, worker_id: str, found: Remembered[Timeline] | None) -> Detail:
        timeline = found.value if found else None
        store = WorkerStore(self.client, worker_id, timeline=timeline, policy=self._policy, rng=self._rng)
        store.subscribe(lambda _view: self._detail_changed())
        return Detail(store, parsed(found.saved_at) if found else None)

    def _detail_changed(self) -> None:
        self._names.look()
        self._change()

    def _shown(self) -> Iterator[Actor | None]:
        """Who is on the screens."""
        yield from actors_in(self._overview_view().overview)
        for detail in self._details.values():
            yield from actors_of(detail.store.view.items)

    def show(self, worker_id: str | None) -> None:
        """This worker is before the person's eyes, or none: of it nothing has to be told, here or on other devices."""
        if worker_id == self._on_screen:
            return
        self._on_screen = worker_id
        self._compare(self._overview_view())
        self._wake()

    def on_alert(self, listener: Callable[[Alert], None]) -> Callable[[], None]:
        """Call `listener` with each thing to tell; returns what cancels that."""
        self._alert_listeners.append(listener)
        return lambda: self._alert_listeners.remove(listener) if listener in self._alert_listeners else None

    # Running.

    async def run(self) -> None:
        """Keep it all going, until cancelled. Once at a time."""
        cancel = self.session.on_state(lambda _state: self._wake())
        cancel_prompt = self.prompt.subscribe(lambda _view: self._wake())
        self._is_running = True
        try:
            with self.recent.listening():
                await self._keep_running()
        finally:
            cancel()
            cancel_prompt()
            self._is_running = False
            self._tasks.clear()
            self.prompt.cancel()
            if self._cache is not None:
                with suppress(TimeoutError):
                    await within(self._clock, CLOSE_SECONDS, self._cache.aclose)

    async def _keep_running(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                self._turn.clear()
                self._settled.clear()
                await self._settle(group)
                self._has_begun = True
                self._change()
                if not self._turn.is_set():
                    self._settled.set()
                await self._turn.wait()

    async def _settle(self, group: asyncio.TaskGroup) -> None:
        """Bring what runs to what should run."""
        state = self.session.state
        if self._account is not None and (state.kind != "signed_in" or state.user_id != self._account.user_id):
            await self._stop(set())
            await self._forget()
        if self._account is None and state.kind == "signed_in":
            await self._begin(state)
        wanted = self._wanted()
        if OVERVIEW in self._tasks and OVERVIEW not in wanted:
            await self._leave()
            wanted = self._wanted()  # what was on its way may wait for a person by now
        await self._stop(set(wanted))
        await self._let_go()
        for name, work in wanted.items():
            if name not in self._tasks:
                self._tasks[name] = group.create_task(work())

    def _wanted(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        if self._account is None:
            return {}
        return self._wanted_here() if self._is_here else self._wanted_away()

    def _wanted_here(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        overview = self._overview
        assert overview is not None
        wanted: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            OVERVIEW: lambda: self._follow(overview),
            ACTS: self.acts.run,
            KEEPING: self._keep_now_and_then,
            NAMES: self._names.run,
        }
        if (worker_id := self._on_screen) is not None:
            wanted[f"looking at {worker_id}"] = lambda: self._look(worker_id)
        for name, detail in list(self._details.items())[-self._most_details :]:
            wanted[_of_worker(name)] = lambda detail=detail: self._follow_one(detail)
        return wanted

    def _wanted_away(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """Who is asked for a code leaves the app to look into their mail: what waits for it must not end over that."""
        return {ACTS: self.acts.run} if self.prompt.view.is_asked else {}

    async def _follow(self, store: OverviewStore) -> None:
        self._refused = None
        try:
            await store.run()
        except AutopilotError as error:
            log.failure("app.overview_refused", error)
            self._refused = error
            self._change()

    async def _follow_one(self, detail: Detail) -> None:
        try:
            await detail.store.run()
        except AutopilotError as error:
            log.failure("app.worker_refused", error, worker_id=detail.store.worker_id)
            detail.refused = error
            self._change()
            if self._cache is not None and isinstance(error, Forbidden | NotFound):
                await self._cache.forget_timeline(detail.store.worker_id)

    async def _look(self, worker_id: str) -> None:
        """Say which worker is looked at, so that no device of this person's is told of it."""
        try:
            while True:
                with suppress(AutopilotError):
                    await self.client.look_at([worker_id])
                await self._clock.sleep(LOOK_SECONDS)
        finally:
            with suppress(AutopilotError, TimeoutError):
                await within(self._clock, 1.0, lambda: self.client.look_at([]))

    # Beginning and ending.

    async def _begin(self, state: SessionState) -> None:
        """Somebody is signed in: what was known of them, and what follows. Until all of it is there, nobody is."""
        known, as_of = await self._recall(state)
        self._alerts = Alerts(self.client.server_now, user_id=state.user_id)
        self._names.of(state.user_id)
        self._overview = OverviewStore(
            self.client, known=known, as_of=as_of, limits=self._limits, policy=self._policy, rng=self._rng
        )
        self._overview.subscribe(self._overview_changed)
        self._new_session = NewSessionStore(self.client, self._overview)
        self._account = state
        self._change()

    async def _recall(self, state: SessionState) -> tuple[Overview | None, datetime | None]:
        opened = self._open_cache
        if opened is None:
            return None, None
        with suppress(TimeoutError):
            self._cache = cache = await within(self._clock, CLOSE_SECONDS, lambda: opened(state))
            if cache is not None:
                return await within(self._clock, CLOSE_SECONDS, lambda: recalled(cache))
        return None, None

    async def _forget(self) -> None:
        """The session is over: nothing of it stays."""
        cache, self._cache = self._cache, None
        self._account = self._overview = self._kept = self._on_screen = self._refused = None
        self._new_session = None
        self._details.clear()
        self.acts.forget()
        self.drafts.forget()
        self.prompt.cancel()
        self._names.of(None)
        self._change()
        if cache is not None:
            await cache.wipe()
        if self.session.state.kind == "signed_out":  # tokens that the server refuses are kept nowhere either
            with suppress(AutopilotError, TimeoutError):
                await within(self._clock, CLOSE_SECONDS, self.session.sign_out)
        self.recent.forget()

    async def _leave(self) -> None:
        """What is on its way may arrive, and what is known is kept, at the same time: the system does not wait long."""
        async with asyncio.TaskGroup() as group:
            if not self.prompt.view.is_asked:
                group.create_task(self._bounded(self.acts.quiet))
            group.create_task(self._bounded(self._keep))

    async def _bounded(self, work: Callable[[], Awaitable[object]]) -> None:
        with suppress(TimeoutError):
            await within(self._clock, CLOSE_SECONDS, work)

    async def _stop(self, wanted: set[str]) -> None:
        """End every task that is not wanted any more, and wait for that, within a bounded time."""
        ending = [self._tasks.pop(name) for name in list(self._tasks) if name not in wanted]
        for task in ending:
            task.cancel()
        if ending:
            with suppress(TimeoutError):
                await within(self._clock, CLOSE_SECONDS, lambda: asyncio.wait(ending))

    async def _let_go(self) -> None:
        """Of more screens than are kept, those that were opened longest ago; their timelines are remembered."""
        while len(self._details) > self._most_details:
            worker_id = next(iter(self._details))
            await self._keep_one(worker_id, self._details.pop(worker_id))

    # The cache.

    async def _keep_now_and_then(self) -> None:
        while True:
            await self._clock.sleep(KEEP_SECONDS)
            await self._keep()

    async def _keep(self) -> None:
        """Remember what is known to be true now; what is older was remembered when it was."""
        view, cache = self._overview_view(), self._cache
        if cache is None:
            return
        if view.overview.is_caught_up and view.as_of is None and view.overview is not self._kept:
            overview = self._kept = view.overview
            await cache.keep(Kind.WORKERS, overview.workers)
            await cache.keep(Kind.MACHINES, overview.machines)
            await cache.keep(Kind.APPROVALS, (*overview.approvals, *overview.ended_approvals))
            await cache.keep(Kind.RECEIPTS, overview.receipts)
            for gone in overview.gone:
                if gone.kind == "worker":
                    await cache.forget_timeline(gone.id)
        for worker_id, detail in list(self._details.items()):
            await self._keep_one(worker_id, detail)

    async def _keep_one(self, worker_id: str, detail: Detail) -> None:
        timeline = detail.store.timeline
        if self._cache is None or timeline is None or detail.refused is not None or timeline.seq == detail.kept_seq:
            return
        detail.kept_seq = timeline.seq
        await self._cache.keep_timeline(worker_id, timeline)

    # Telling.

    def _overview_changed(self, view: OverviewView) -> None:
        self.acts.take(view.overview)
        self._names.look()
        self._compare(view)
        self._change()

    def _compare(self, view: OverviewView) -> None:
        for alert in self._alerts.take(view.overview, on_screen=self._on_screen if self._is_here else None):
            for listener in tuple(self._alert_listeners):
                listener(alert)

    def _overview_view(self) -> OverviewView:
        return NOTHING if self._overview is None else self._overview.view

    def _poke(self, *, reopen: bool = False) -> None:
        if self._overview is not None:
            self._overview.poke(reopen=reopen)
        for detail in self._details.values():
            detail.store.poke(reopen=reopen)
        self.acts.poke()

    async def settled(self) -> None:
        """Wait until what runs, and what is kept, is as it should be; within a bounded time."""
        if self._is_running:
            with suppress(TimeoutError):
                await within(self._clock, 4 * CLOSE_SECONDS, self._settled.wait)

    def _wake(self) -> None:
        self._settled.clear()
        self._turn.set()

    def _seen(self) -> AppView:
        phase: Phase = "here" if self._is_here else "away"
        if self._account is None:
            phase = "signed_out" if self._has_begun else "starting"
        return AppView(
            phase=phase,
            session=self.session.state,
            overview=self._overview_view(),
            details=tuple(self._details),
            is_online=self._is_online,
            refused=self._refused,
        )


def _of_worker(worker_id: str) -> str:
    return f"worker {worker_id}"


async def recalled(cache: Cache) -> tuple[Overview | None, datetime | None]:
    """What an earlier run knew, and when all of it was true last; None where nothing was kept."""
    workers, machines = await cache.recall(Kind.WORKERS), await cache.recall(Kind.MACHINES)
    approvals, receipts = await cache.recall(Kind.APPROVALS), await cache.recall(Kind.RECEIPTS)
    found = [one for one in (workers, machines, approvals, receipts) if one is not None]
    if not found:
        return None, None
    asked = approvals.value if approvals else ()
    overview = Overview(
        workers=workers.value if workers else (),
        machines=machines.value if machines else (),
        approvals=tuple(one for one in asked if not has_approval_ended(one)),
        ended_approvals=tuple(one for one in asked if has_approval_ended(one)),
        receipts=receipts.value if receipts else (),
    )
    return overview, min((when for one in found if (when := parsed(one.saved_at))), default=None)
