"""A whole installation for tests: real Postgres, runtime, API, Codex on the scripted model, and a companion."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from tests.api.served import ServedApi, serving

from autopilot.api import tokens
from autopilot.client import RuntimeCodexClient
from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.companion import identity
from autopilot.companion.app import Companion
from autopilot.companion.codex.process import Launch
from autopilot.companion.settings import CompanionSettings
from autopilot.contract import Envelope, Machine, Receipt, RequestOutcome, WorkerSummary
from autopilot.contract.port import RuntimePort
from autopilot.ops.clock import SystemClock
from autopilot.ops.settings import Secret
from autopilot.runtime import policy_reading, policy_store
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.policy_document import INSTALLATION, Subject
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.model import ScriptedModel, script

PATIENCE_SECONDS = 40.0
State = TypeVar("State", Machine, Receipt, WorkerSummary)
FULL_ACCESS = {"approvalPolicy": "never", "sandbox": "danger-full-access"}
POLICY = """
[sandbox]
allow = ["read-only", "workspace-write", "danger-full-access"]
[approval_policy]
allow = ["untrusted", "on-request", "never"]
[methods]
allow = ["*", "config/value/write"]
"""
"""Of the installation: Codex may do here what a test asks it for. What policies refuse is tested where they are."""


@dataclass
class Installation:
    """What a test may use."""

    served: ServedApi
    owner: RuntimeCodexClient
    model: ScriptedModel
    launch: Launch
    home: Path
    project: Path
    person_token: str
    machine_token: str
    machine_id: str
    companions: list[Running] = field(default_factory=list)

    @property
    def settings(self) -> CompanionSettings:
        return CompanionSettings(
            home=self.home, base_url=self.served.url, token=Secret(self.machine_token), heartbeat_ms=1000
        )

    @asynccontextmanager
    async def companion(
        self, transport: httpx2.AsyncBaseTransport | None = None, **changed: Any
    ) -> AsyncIterator[Companion]:
        """A companion in this process, ended cleanly; `transport` replaces its network."""
        settings = CompanionSettings(
            home=self.home, base_url=self.served.url, token=Secret(self.machine_token), heartbeat_ms=1000, **changed
        )
        async with RuntimeCodexClient(
            self.served.url, self.machine_token, surface="companion", transport=transport
        ) as client:
            made = Companion(settings, self.launch, client, SystemClock(), {})
            async with at_work(made):
                yield made

    async def start_process(self, **environment: str) -> Running:
        """A companion as a process of its own, to be killed."""
        environ = {
            **self.launch.environ,
            "AUTOPILOT_HOME": str(self.home),
            "AUTOPILOT_LOG_FORMAT": "json",
            "AUTOPILOT_CODEX": str(self.launch.binary.path),
            "CODEX_HOME": str(self.launch.codex_home),
            "OPENAGENTS_RUNTIME_SYNC_BASE_URL": self.served.url,
            "OPENAGENTS_RUNTIME_SYNC_TOKEN": self.machine_token,
            "OPENAGENTS_RUNTIME_SYNC_HEARTBEAT_MS": "1000",
            **environment,
        }
        log = self.home / "companion.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "autopilot.companion"), env=environ, stdout=output, stderr=output
            )
        running = Running(process, log)
        self.companions.append(running)
        return running

    async def start_thread(self) -> str:
        """A new thread, asked for through the API; its worker."""
        outcome = await self.machine_request("thread/start", {"cwd": str(self.project), **FULL_ACCESS})
        assert outcome.state == "completed", outcome
        return outcome.response["worker_id"]

    async def machine_request(self, method: str, params: dict[str, Any], **more: Any) -> RequestOutcome:
        """Ask the machine; waits until it has registered."""
        await self.state(Machine)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.owner.machine_request(self.machine_id, method, params, wait_ms=30_000, **more)

    async def turn(self, worker_id: str, *steps: dict[str, Any], **more: Any) -> RequestOutcome:
        """Start a turn that plays `steps`."""
        params = {"input": [{"type": "text", "text": script(*steps)}]}
        return await self.owner.request(worker_id, "turn/start", params, **{"wait_ms": 30_000, **more})

    async def log_until(self, worker_id: str, *wanted: Callable[[Envelope], bool]) -> list[Envelope]:
        """The worker's log from its beginning, read until every one of `wanted` was seen."""
        missing = list(wanted)
        seen: list[Envelope] = []
        async with asyncio.timeout(PATIENCE_SECONDS), self.owner.follow(worker_id, cursor=0) as events:
            async for event in events:
                seen.append(event)
                missing = [one for one in missing if not one(event)]
                if not missing:
                    return seen
        raise AssertionError("the log ended")

    async def log_until_there(self, worker_id: str, *wanted: Callable[[Envelope], bool]) -> list[Envelope]:
        """The same of a worker that somebody else makes."""
        await self.state(WorkerSummary, lambda worker: worker.worker_id == worker_id)
        return await self.log_until(worker_id, *wanted)

    async def state(self, kind: type[State], fits: Callable[[State], bool] = lambda _: True) -> State:
        """The first state of this kind that fits: what is there, else what comes."""
        async with asyncio.timeout(PATIENCE_SECONDS), self.owner.follow_everything() as entries:
            async for entry in entries:
                if isinstance(entry, kind) and fits(entry):
                    return entry
        raise AssertionError("the stream ended")

    async def whole_log(self, worker_id: str) -> list[Envelope]:
        """All that is there now."""
        found: list[Envelope] = []
        while page := await self.owner.events(worker_id, after=len(found), limit=500):
            found += page
        return found


@asynccontextmanager
async def at_work(companion: Companion) -> AsyncIterator[None]:
    """With its Codex ready; ended cleanly."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(companion.run(stopping))
        try:
            await companion.codex.ready(PATIENCE_SECONDS)
            yield
        finally:
            stopping.set()
            await running


@dataclass
class Running:
    """A companion process."""

    process: asyncio.subprocess.Process
    log: Path

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


def method(name: str, **params: Any) -> Callable[[Envelope], bool]:
    """An event of this method, whose params have these values."""

    def fits(event: Envelope) -> bool:
        told = event.payload.get("params") or {}
        return event.payload.get("method") == name and all(told.get(key) == value for key, value in params.items())

    return fits


def item(kind: str, phase: str = "completed") -> Callable[[Envelope], bool]:
    """An item of this type."""

    def fits(event: Envelope) -> bool:
        told = event.payload.get("params") or {}
        return event.payload.get("method") == f"item/{phase}" and told.get("item", {}).get("type") == kind

    return fits


def of_type(event_type: str) -> Callable[[Envelope], bool]:
    return lambda event: event.eventType == event_type


def methods(log: list[Envelope]) -> list[str]:
    return [event.payload.get("method") or event.eventType for event in log]


def assert_sound(log: list[Envelope]) -> None:
    """Contiguous, and no event twice."""
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    ids = [event.eventId for event in log]
    assert len(ids) == len(set(ids))


@asynccontextmanager
async def installed(
    dsn: str,
    tmp_path: Path,
    launch: Launch,
    model: ScriptedModel,
    project: Path,
    *,
    between: Callable[[RuntimePort], RuntimePort] = lambda runtime: runtime,
    with_web: bool = False,
    web_clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[Installation]:
    """Everything but the companion; `between` is put between API and runtime; the web app waits by `web_clock`."""
    home = tmp_path / "autopilot"
    machine = identity.load_or_create(home)
    runtime_settings = RuntimeSettings(
        digest_key=b"digest" * 6, delivery_key=b"d" * 32, seal_key=b"s" * 32, notify_interval_ms=1
    )
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(await build(runtime_settings, dsn=dsn))
        served = await stack.enter_async_context(serving(dsn, between(runtime), with_web=with_web, web_clock=web_clock))
        await _open(runtime)
        person = await tokens.mint(served.pool, scopes=("observe", "administer"))
        executor = await tokens.mint(
            served.pool, scopes=("execute",), machine_id=machine.machine_id, surface="companion"
        )
        owner = await stack.enter_async_context(RuntimeCodexClient(served.url, person.token))
        made = Installation(
            served=served,
            owner=owner,
            model=model,
            launch=launch,
            home=home,
            project=project,
            person_token=person.token,
            machine_token=executor.token,
            machine_id=machine.machine_id,
        )
        try:
            yield made
        finally:
            for running in made.companions:
                if running.process.returncode is None:
                    await running.kill()
            _end_codex(home)


async def _open(runtime: Runtime) -> None:
    """Have the installation's policy say POLICY."""
    await policy_store.add(
        runtime.pool,
        Subject(INSTALLATION, ""),
        "toml",
        POLICY,
        policy_reading.read(POLICY, "toml"),
        expected_version=0,
        actor="{}",
        x_request_id=None,
    )


def _end_codex(home: Path) -> None:
    """Whatever Codex a killed companion left behind."""
    import json

    record = home / "run" / "codex.json"
    if record.exists():
        with_pid = json.loads(record.read_text())
        try:
            os.killpg(with_pid["pid"], signal.SIGKILL)
        except ProcessLookupError:
            return
