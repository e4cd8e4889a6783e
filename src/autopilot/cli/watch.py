"""`autopilot watch`: follow one worker live, over any number of broken connections, and say what is known.

Relies on `autopilot.client`: the follower keeps the cursor and reconnects, the timeline folds events, and `Painter`
prints. Owns where to begin, and the remarks about the connection and the machine.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.markup import escape

from autopilot.cli.connect import connected
from autopilot.cli.exits import Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.paint import Painter
from autopilot.cli.pick import pick_worker
from autopilot.cli.recoveries import Recoveries
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import health_words, value
from autopilot.client import ConnectionState, RuntimeCodexClient
from autopilot.client.health import LOOK_SECONDS, UNKNOWN, ApiFact, known
from autopilot.client.presenters.times import ago
from autopilot.client.timeline import Timeline
from autopilot.client.timeline_items import TurnEnded
from autopilot.contract import Envelope, WorkerSnapshot
from autopilot.contract.errors import AutopilotError, StaleCursor

Beginning = Literal["recent", "start", "now"]

PAGE = 200
LOOK_EVERY_SECONDS = 10.0
"""How often health is looked at, beside the stream."""
STILL_SECONDS = 60.0
"""How often it is said again that there is no connection."""
FIRST_WORKER_SECONDS = 0.5
FACTS = {"api": "the API", "machine": "the companion", "codex": "Codex"}
"""Facts of health whose changes are told, and what they are called; the age of the log is no news in a stream of it."""


async def watch(
    worker: Annotated[str | None, Parameter(help="Its id or a part of it; else the most recent.")] = None,
    *,
    start: Annotated[
        Beginning, Parameter(name="--from", help="What to tell first: the recent turn, all from the start, or nothing.")
    ] = "recent",
    until_idle: Annotated[bool, Parameter(negative=(), help="End when the turn has ended.")] = False,
    full: Annotated[bool, Parameter(negative=(), help="Show long outputs and diffs whole.")] = False,
    options: Options = DEFAULT,
) -> int:
    """Follow one worker live."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        worker_id = await _worker(client, worker, terminal)
        view = View(client, worker_id, terminal, Painter(terminal.out, full=full, worker_id=worker_id), until_idle)
        return await view.run(start)


async def _worker(client: RuntimeCodexClient, named: str | None, terminal: Terminal) -> str:
    """The worker to watch; where there is none at all yet, the first that appears."""
    with terminal.busy("waiting for the first worker"):
        while named is None and not (await client.list_workers(limit=1)).workers:
            await client.clock.sleep(FIRST_WORKER_SECONDS)
    return await pick_worker(client, named)


@dataclass(slots=True)
class View:
    """What one `watch` shows."""

    client: RuntimeCodexClient
    worker_id: str
    terminal: Terminal
    painter: Painter
    until_idle: bool
    timeline: Timeline = field(default_factory=Timeline)
    _lost_at: float | None = None
    """When that the connection is lost was last said, by the monotonic clock; None: it is there."""
    _api: ApiFact = field(default_factory=ApiFact)
    _told: dict[str, str] = field(default_factory=dict)
    """The state of each fact of health, as it was told last."""
    _recoveries: Recoveries = field(default_factory=Recoveries)

    async def run(self, start: Beginning) -> int:
        """Tell the past that was asked for, then follow until Ctrl-C, or the turn's end."""
        snapshot = await self.client.worker(self.worker_id)
        self._introduce(snapshot)
        ended = await self._past(snapshot, start)
        if ended and self.until_idle and self.timeline.active_turn_id is None:
            return _exit_of(ended)
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(self._look_after_health(), name="health")
            try:
                return await self._follow()
            finally:
                looking.cancel()
                self.painter.end_line()

    def _introduce(self, snapshot: WorkerSnapshot) -> None:
        machine = snapshot.machine
        self._told = {name: getattr(snapshot.health, name).state for name in FACTS}
        where = f" on {escape(machine.name)}" if machine else ""
        title = escape(value(snapshot.title) or value(snapshot.preview) or "")
        self.terminal.say(
            f"[bold]{escape(snapshot.worker_id)}[/bold]{where}  [dim]{title.splitlines()[0] if title else ''}[/dim]"
        )
        self.terminal.say(
            f"[dim]{snapshot.status}, {snapshot.latest_seq} events, "
            f"companion {snapshot.health.machine.state} ({_heard(snapshot)})[/dim]"
        )

    async def _past(self, snapshot: WorkerSnapshot, start: Beginning) -> TurnEnded | None:
        if start == "now":
            self.timeline = Timeline(after=snapshot.latest_seq)
            return None
        after = 0 if start == "start" else await self._recent_turn(snapshot.latest_seq)
        self.timeline = Timeline(after=after)
        ended: TurnEnded | None = None
        while self.timeline.seq < snapshot.latest_seq:
            page = await self.client.events(self.worker_id, after=self.timeline.seq, limit=PAGE)
            if not page:
                break
            ended = self._take(page) or ended
        return ended

    async def _recent_turn(self, latest_seq: int) -> int:
        """The seq before the last turn's start, as far as a page reaches back."""
        page = await self.client.events(self.worker_id, before=latest_seq + 1, limit=PAGE)
        starts = [event.seq for event in page if event.payload.get("method") == "turn/started"]
        return (starts[-1] if starts else page[0].seq if page else 1) - 1

    async def _follow(self) -> int:
        async with self.client.follow(self.worker_id, cursor=self.timeline.seq) as follower:
            follower.on_state(self._tell_connection)
            while True:
                try:
                    async for envelope in follower:
                        ended = self._take([envelope])
                        if ended and self.until_idle:
                            return _exit_of(ended)
                except StaleCursor:
                    latest = (await self.client.worker(self.worker_id)).latest_seq
                    self._remark(f"the log does not go on from event {self.timeline.seq}; going on from {latest}")
                    self.timeline = Timeline(after=latest)
                    await follower.restart(latest)

    def _take(self, events: list[Envelope]) -> TurnEnded | None:
        """Fold and show events; the turn's end, if one is among them."""
        ended: TurnEnded | None = None
        changed = {}
        for event in events:
            if self.terminal.as_json:
                self.terminal.result(event)
            for item in self.timeline.apply(event):
                changed[item.key] = item
                ended = item if isinstance(item, TurnEnded) else ended
        if not self.terminal.as_json:
            self.painter.paint(changed.values())
        return ended

    def _tell_connection(self, state: ConnectionState) -> None:
        now = self.client.clock.monotonic()
        if state.kind == "waiting" and (self._lost_at is None or now - self._lost_at > STILL_SECONDS):
            what = "connection lost" if self._lost_at is None else "still no connection"
            self._lost_at = now
            why = f" ({state.error.message})" if state.error else ""
            self._remark(f"{what}{why}; everything up to event {self.timeline.seq} is shown; trying again")
        elif state.kind == "live" and self._lost_at is not None:
            self._lost_at = None
            self._remark(f"connected again, caught up at event {self.timeline.seq}")

    async def _look_after_health(self) -> None:
        """Say when API, companion or Codex fall silent or come back: a stream alone can't tell."""
        snapshot: WorkerSnapshot | None = None
        while True:
            await self.client.clock.sleep(LOOK_EVERY_SECONDS)
            try:
                snapshot = await self.client.worker(self.worker_id, within_seconds=LOOK_SECONDS)
                self._api.answered(self.client.clock.now())
            except AutopilotError as error:
                self._api.failed(error, self.client.clock.now())
            health = known(snapshot, self._api.fact)
            for name, called in FACTS.items():
                fact = getattr(health, name)
                if fact.state not in {self._told.get(name), UNKNOWN.state}:
                    self._told[name] = fact.state
                    self._remark(f"{called} is {health_words(fact)}")
            for words in await self._recoveries.news(self.client):
                self._remark(words)

    def _remark(self, text: str) -> None:
        self.painter.end_line()
        self.terminal.remark(f"[yellow]-- {self.client.clock.now():%H:%M:%S} UTC: {escape(text)}[/yellow]")


def _exit_of(ended: TurnEnded) -> Exit:
    return Exit.OK if ended.status == "completed" else Exit.FAILED


def _heard(snapshot: WorkerSnapshot) -> str:
    heard = ago(snapshot.health.machine.as_of)
    return f"heard {heard}" if heard else "never heard"
