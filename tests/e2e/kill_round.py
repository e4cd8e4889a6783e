"""One round: a worker of its own, turns asked by clients that never give up, followers, and blows in between.

Relies on `Killable` for the processes and on `Plan` for every choice. What must hold afterwards is in `kill_truth`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psutil
from tests.e2e import kill_follower
from tests.e2e.installation import environment
from tests.e2e.kill_plan import FULL_ACCESS, Plan, Strike, Turn
from tests.e2e.killable import Killable, kill, kind_of

from autopilot.client import RuntimeCodexClient, has_ended
from autopilot.client.backoff import is_transient
from autopilot.companion import demo
from autopilot.companion.codex.scripted_model import script
from autopilot.contract import Envelope, RequestOutcome
from autopilot.contract.errors import AutopilotError
from autopilot.testing.fault_proxy import FaultProxy

PATIENCE_SECONDS = 60.0
"""For anything to come back, on a machine that does other things too."""
RETRY_SECONDS = 0.1
LONG_COMMAND_SECONDS = 417
"""Nobody waits for it; the number finds it in the list of processes."""
STOP = -1
"""In place of a turn's number."""
log = logging.getLogger("tests.kills")
T = TypeVar("T")
Wanted = Callable[[Envelope], bool]


@dataclass
class Round:
    """What is going on."""

    installation: Killable
    plan: Plan
    client: RuntimeCodexClient
    proxy: FaultProxy
    token: str
    began: float = field(default_factory=time.monotonic)
    worker_id: str = ""
    follower: asyncio.subprocess.Process | None = None
    seen: list[Envelope] = field(default_factory=list)
    """By the follower that is never killed."""
    answers: defaultdict[str, list[RequestOutcome]] = field(default_factory=lambda: defaultdict(list))
    """By request id: everything that any client was told."""
    appended: list[str] = field(default_factory=list)
    """The ids of events of a person's that the ledger has."""
    story: list[str] = field(default_factory=list)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)
    _asked: dict[int, int] = field(default_factory=dict)
    """Turn -> how many events had been seen when its message went out."""

    killed: set[str] = field(default_factory=set)
    """The kinds of all that was met so far."""

    @property
    def seen_file(self) -> Path:
        return self.installation.home.parent / f"seen-{self.plan.seed}.jsonl"

    @property
    def thread_was_lost(self) -> bool:
        """Codex ended before the thread's first turn was on disk, and the ledger says so."""
        return any(map(method("desktop/thread_lost"), self.seen))

    def told(self) -> list[dict[str, Any]]:
        """What the follower process wrote down."""
        return [json.loads(line) for line in self.seen_file.read_bytes().split(b"\n")[:-1]]

    def tell(self, what: str) -> None:
        """Keep it for whoever asks how the round went; `--log-cli-level=info` shows it at once."""
        self.story.append(f"{time.monotonic() - self.began:6.2f} s, {len(self.seen):3d} events: {what}")
        log.info("seed %d: %s", self.plan.seed, self.story[-1])

    # Following.

    async def watch(self) -> None:
        """Follow, forever."""
        async with self.client.follow(self.worker_id, cursor=0) as events:
            async for event in events:
                async with self._more:
                    self.seen.append(event)
                    self._more.notify_all()

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait until what was seen makes `there` true."""
        async with self._more:
            await self._more.wait_for(there)

    async def until_event(self, wanted: Wanted) -> Envelope:
        """Wait for an event; it may have been seen already."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.until(lambda: any(map(wanted, self.seen)))
        return next(filter(wanted, self.seen))

    async def start_follower(self) -> None:
        """The follower that is one of the victims: its bytes come through the proxy."""
        settings = kill_follower.Settings(self.proxy.url, self.token, self.worker_id)
        self.seen_file.touch()
        with (self.installation.home.parent / "follower.out").open("ab") as out:
            self.follower = await asyncio.create_subprocess_exec(
                *(sys.executable, kill_follower.__file__, str(self.seen_file)),
                stdin=asyncio.subprocess.PIPE,
                stdout=out,
                stderr=out,
                env=environment(self.installation.home),
            )
        assert self.follower.stdin is not None
        self.follower.stdin.write(json.dumps(vars(settings)).encode())
        await self.follower.stdin.drain()
        self.follower.stdin.close()

    async def end_follower(self) -> None:
        if self.follower is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.follower.kill()
        await self.follower.wait()
        self.follower = None

    # Asking.

    async def ask(self, request_id: str, method: str, params: dict[str, Any], *, machine: str = "") -> RequestOutcome:
        """Ask with this id until there is an end; what fails on the way is asked again, with the same id."""
        ask = partial(self.client.machine_request, machine) if machine else partial(self.client.request, self.worker_id)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                told = await self._again(lambda: ask(method, params, request_id=request_id, wait_ms=2000))
                self.answers[request_id].append(told)
                if has_ended(told):
                    return told

    async def converse(self) -> None:
        """Every turn of the plan, and something else asked beside each."""
        for number, turn in enumerate(self.plan.turns):
            self._asked[number] = len(self.seen)
            async with self._more:
                self._more.notify_all()
            outcome = await self._message(turn)
            self.tell(f"{turn.request_id} is {outcome.state} {outcome.error or ''}")
            turn_id = turn_of(outcome)
            if turn.to_its_end and turn_id:
                await self.until_event(ended(turn_id))

    async def _message(self, turn: Turn) -> RequestOutcome:
        """The turn's message, and what is asked beside it."""
        params = {"input": [{"type": "text", "text": script(*turn.steps)}]}
        async with asyncio.TaskGroup() as tasks:
            if "read" in turn.beside:
                tasks.create_task(self.ask(f"{turn.request_id}-read", "thread/read", {}))
            if "append" in turn.beside:
                tasks.create_task(self.append(f"{turn.request_id}-append", {"method": "note", "turn": turn.request_id}))
            if "handshake" in turn.beside:
                tasks.create_task(self.append(f"{turn.request_id}-handshake", _handshake(turn.request_id)))
            if turn.twice:
                tasks.create_task(self.ask(turn.request_id, "turn/start", params))
            outcome = await self.ask(turn.request_id, "turn/start", params)
            turn_id = turn_of(outcome)
            if "steer" in turn.beside and turn_id:
                steer = {
                    "expectedTurnId": turn_id,
                    "input": [{"type": "text", "text": script({"say": "As you like."})}],
                }
                tasks.create_task(self.ask(f"{turn.request_id}-steer", "turn/steer", steer))
            if "interrupt" in turn.beside and turn_id and not turn.to_its_end:
                tasks.create_task(self.ask(f"{turn.request_id}-interrupt", "turn/interrupt", {"turnId": turn_id}))
        return outcome

    async def append(self, event_id: str, payload: dict[str, Any]) -> None:
        """Append an event of a person's, until the ledger says that it has it."""
        self.appended.append(event_id)
        await self._again(lambda: self.client.append_event(self.worker_id, "worker.event", payload, event_id=event_id))

    async def _again(self, doing: Callable[[], Awaitable[T]]) -> T:
        """Do it until it is answered, as a client does that never gives up."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    return await doing()
                except AutopilotError as error:
                    if not is_transient(error):
                        raise
                await asyncio.sleep(RETRY_SECONDS)

    async def say(self, name: str, text: str) -> None:
        """A small turn, from its message to its end."""
        params = {"input": [{"type": "text", "text": script({"say": text})}]}
        outcome = await self.ask(f"seed{self.plan.seed}-{name}", "turn/start", params)
        self.tell(f"the {name} turn is {outcome.state}")
        assert outcome.state == "completed", outcome
        await self.until_event(ended(outcome.response["turn"]["id"]))
        self.tell(f"the {name} turn's end was seen")

    # Killing.

    async def strike(self) -> None:
        """Every blow of the plan, in order."""
        for blow in self.plan.strikes:
            await self._point(blow)
            await self._hit(blow)

    async def _point(self, blow: Strike) -> None:
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            await self.until(lambda: blow.turn in self._asked)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(blow.at_most_seconds):
                await self.until(lambda: len(self.seen) >= self._asked[blow.turn] + blow.after_events)
        await asyncio.sleep(blow.then_seconds)  # drawn: a point between two events

    async def _hit(self, blow: Strike) -> None:
        whom = {name: self._processes(name) for name in blow.victims}
        if "connection" in blow.victims:
            self.proxy.cut_all()
        self.killed |= {"codex"} if "clean_stop" in blow.victims else set()
        self.killed |= {kind_of(process) for found in whom.values() for process in found}
        met = kill([process for found in whom.values() for process in found])
        self.tell(f"killed {'+'.join(blow.victims)} {blow} (pids {met})")
        if self.follower is not None and self.follower.pid in met:
            await self.end_follower()
            await self.start_follower()
        up = self.installation.process
        if up is not None and (up.pid in met or "clean_stop" in blow.victims):
            code = await (self.installation.ended() if up.pid in met else self.installation.stop())
            assert code == (-9 if up.pid in met else 0), self.installation.last_words()
            for seconds in blow.starting_seconds:
                await self.installation.kill_start_after(seconds)
            await self.installation.start()
            self.tell("autopilot up is ready again")

    async def stop_under_fire(self) -> None:
        """Stop the worker in the middle of a command that nobody waits for, with the plan's last blow at the same time.

        Where the thread was lost there is nothing to run; it is stopped all the same.
        """
        text = script({"say": "A long wait.", "shell": f"sleep {LONG_COMMAND_SECONDS}"})
        params = {"input": [{"type": "text", "text": text}]}
        outcome = await self.ask(f"seed{self.plan.seed}-long", "turn/start", params)
        self._asked[STOP] = len(self.seen)
        if outcome.state == "completed":
            await self.until_event(command_begun(turn_of(outcome)))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again(lambda: self.client.stop_worker(self.worker_id)))
            await self._point(replace(self.plan.at_the_stop, turn=STOP, after_events=0))
            await self._hit(self.plan.at_the_stop)
        stopped = await self.until_event(lambda event: event.eventType == "worker.stopped")
        self.tell(f"the worker is stopped: {stopped.payload}")

    def _processes(self, name: str) -> list[psutil.Process]:
        rng = random.Random(f"{self.plan.seed} {name} {len(self.story)}")
        everyone = self.installation.processes()
        kinds = {"server": {"server", "api", "runtime"}, "codex_group": {"codex"}}.get(name, {name})
        found = [one for one in everyone if kind_of(one) in kinds]
        match name:
            case "everything":
                return everyone
            case "server" if found:
                return rng.choice([found, *([one] for one in found)])
            case "backend" if found:
                return [rng.choice(found)]
            case "codex_group":
                return [process for one in found for process in _with_children(one)]
            case _:
                return found


def _with_children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def turn_of(outcome: RequestOutcome) -> str | None:
    """The id of the turn that a `turn/start` got, where it got one."""
    return ((outcome.response or {}).get("turn") or {}).get("id")


def _handshake(handshake_id: str) -> dict[str, Any]:
    occurred_at = datetime.now(UTC).isoformat()
    return {
        "source": "autopilot-ios",
        "method": "ios/handshake",
        "handshake_id": handshake_id,
        "device_id": "tests",
        "occurred_at": occurred_at,
    }


def command_begun(turn_id: str | None) -> Wanted:
    """A command of this turn runs."""
    return lambda event: (
        event.payload.get("method") == "item/started"
        and event.payload["params"]["turnId"] == turn_id
        and event.payload["params"]["item"]["type"] == "commandExecution"
    )


def method(name: str) -> Wanted:
    return lambda event: event.payload.get("method") == name


def ended(turn_id: str) -> Wanted:
    """The end of this turn."""
    return lambda event: (
        event.payload.get("method") == "turn/completed" and event.payload["params"]["turn"]["id"] == turn_id
    )


@asynccontextmanager
async def played(installation: Killable, plan: Plan) -> AsyncIterator[Round]:
    """Play the plan to its end and to a last turn that shows that everything is back; yields what there is then."""
    token = await installation.token("observe", "administer")
    async with (
        FaultProxy("127.0.0.1", installation.port) as proxy,
        RuntimeCodexClient(installation.url, token) as client,
    ):
        going_on = Round(installation, plan, client, proxy, token)
        try:
            await _begin(going_on)
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(going_on.watch())
                if plan.known:
                    await going_on.say("first", "Here I am.")
                async with asyncio.TaskGroup() as acting:
                    acting.create_task(going_on.strike())
                    acting.create_task(going_on.converse())
                await _last_turn(going_on)
                yield going_on
                watching.cancel()
        except BaseException as error:
            error.add_note(f"{plan}\n" + "\n".join(going_on.story))
            raise
        finally:
            await going_on.end_follower()


async def _begin(going_on: Round) -> None:
    """A worker for this round, and its followers."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (machines := await going_on.client.machines()):  # noqa: ASYNC110  # another process registers
            await asyncio.sleep(RETRY_SECONDS)
    params = {"cwd": str(demo.project(going_on.installation.home)), **FULL_ACCESS}
    request_id = f"seed{going_on.plan.seed}-thread-{going_on.installation.starts}"
    outcome = await going_on.ask(request_id, "thread/start", params, machine=machines[0].machine_id)
    assert outcome.state == "completed", outcome
    going_on.worker_id = outcome.response["worker_id"]
    await going_on.start_follower()
    going_on.tell(f"worker {going_on.worker_id}")


async def _last_turn(going_on: Round) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            await going_on.say("last", "Everything is back.")
        except AssertionError:
            if not going_on.thread_was_lost:
                raise
