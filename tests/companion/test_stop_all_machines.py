"""Stop-all over three machines with real companions: one well, one whose Codex hangs, one that is away.

Six workers here, thirty with --endurance. Times are those of the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from tests.companion.asking import of_approvals
from tests.companion.installation import FULL_ACCESS, PATIENCE_SECONDS, Installation, assert_sound, of_type
from tests.companion.second_machine import Network, machine_of, network_of
from tests.waiting import until

from autopilot.companion import processes
from autopilot.companion.app import Companion
from autopilot.contract import Envelope, Receipt, WorkerSummary
from autopilot.testing.model import script

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.endurance]
PROMISE_SECONDS = 5.0
"""For thirty workers; those of a machine that is well usually take less than a fifth of it."""
ASKS = {"approvalPolicy": "untrusted", "sandbox": "workspace-write"}


@dataclass
class Place:
    """One machine, its companion, and what works there."""

    companion: Companion
    workers: list[str]

    @property
    def machine_id(self) -> str:
        return self.companion.machine.machine_id


@pytest.fixture
def each(request: pytest.FixtureRequest) -> int:
    """Workers of each machine."""
    return 10 if request.config.getoption("--endurance") else 2


@pytest.fixture
async def places(installation: Installation, tmp_path: Path, each: int) -> AsyncIterator[tuple[list[Place], Network]]:
    """Three machines, each with a CODEX_HOME of its own; the last one's network can be cut."""
    async with AsyncExitStack() as stack:
        network = await stack.enter_async_context(network_of(installation))
        made = []
        for number, url in enumerate((None, None, network.url)):
            home = tmp_path / f"machine{number}"
            codex_home = await asyncio.to_thread(shutil.copytree, installation.launch.codex_home, home / "codex")
            there = dataclasses.replace(
                installation, launch=dataclasses.replace(installation.launch, codex_home=codex_home)
            )
            companion = await stack.enter_async_context(machine_of(there, home, url=url))
            await until(lambda companion=companion: companion.leases.presence.registered)
            made.append(Place(companion, await working(installation, companion.machine.machine_id, each)))
        yield made, network
        for place in made:
            with contextlib.suppress(ProcessLookupError):
                if (record := place.companion.codex.server.record) is not None:
                    os.killpg(record.pid, signal.SIGCONT)


async def working(installation: Installation, machine_id: str, each: int) -> list[str]:
    """Workers that run a command each; the last one waits for a person instead."""
    workers: list[str] = []
    for number in range(each):
        settings = ASKS if number == each - 1 else FULL_ACCESS
        params = {"cwd": str(installation.project), **settings}
        made = await installation.owner.machine_request(machine_id, "thread/start", params, wait_ms=30_000)
        worker = made.response["worker_id"]
        command = f"touch asked{number}" if settings is ASKS else "echo works; sleep 300"
        said = [{"type": "text", "text": script({"shell": command})}]
        await installation.owner.request(worker, "turn/start", {"input": said}, wait_ms=30_000)
        workers.append(worker)
    for worker in workers[:-1]:
        await until(lambda worker=worker: bool(left_of(worker)))
    await installation.log_until(workers[-1], of_type("worker.approval.requested"))
    return workers


def left_of(worker: str) -> list[processes.Process]:
    return processes.of_thread(worker.partition(":")[2])


async def stopped(installation: Installation, places: list[Place]) -> dict[str, list[Envelope]]:
    """The logs of all workers of these machines, once each is stopped."""
    workers = [worker for place in places for worker in place.workers]
    async with asyncio.timeout(PATIENCE_SECONDS):
        logs = await asyncio.gather(*(installation.log_until(worker, of_type("worker.stopped")) for worker in workers))
    return dict(zip(workers, logs, strict=True))


def seconds_of(log: list[Envelope]) -> float:
    """From the asking for the stop to its end, by the ledger's clock."""
    asked = next(event for event in log if event.payload.get("method") == "worker/stop")
    took = datetime.fromisoformat(log[-1].occurredAt) - datetime.fromisoformat(asked.occurredAt)
    return took.total_seconds()


async def test_everything_is_stopped_though_a_codex_hangs_and_a_machine_is_away(
    installation: Installation,
    places: tuple[list[Place], Network],
    each: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (well, hung, away), network = places
    owner = installation.owner
    record = hung.companion.codex.server.record
    assert record is not None
    os.killpg(record.pid, signal.SIGSTOP)
    await until(lambda: hung.companion.codex.liveness.unresponsive_since is not None)
    network.cut()
    for worker in away.workers:
        await installation.state(
            WorkerSummary, lambda one, worker=worker: (one.worker_id, one.lease.state) == (worker, "expired")
        )
    asked = await owner.request(away.workers[0], "turn/start", {"input": []}, request_id="earlier", wait_ms=0)

    told = await owner.stop_all(reason="enough")
    logs = await stopped(installation, [well, hung])
    waiting = [await owner.worker(worker) for worker in away.workers]
    alive = [left_of(worker) for worker in away.workers[:-1]]
    network.mend()
    logs |= await stopped(installation, [away])
    late = await installation.state(Receipt, lambda one: (one.request_id, one.state) == ("earlier", "rejected"))

    said = {one.worker_id: (one.status, one.machine_unreachable) for one in told.workers}
    assert said == {worker: ("stopping", place is away) for place in (well, hung, away) for worker in place.workers}
    assert (told.stopping, len(said)) == (3 * each, 3 * each)
    assert asked.state == "accepted"
    assert [one.status for one in waiting] == ["stopping"] * each, "shown as not done yet"
    assert all(alive)
    assert (late.error or {})["code"] == "worker_stopped"
    for worker, log in logs.items():
        assert_sound(log)
        assert log[-1].payload["verified"] is True, log[-1].payload
        assert left_of(worker) == []
    for place in (well, hung, away):
        log = logs[place.workers[-1]]
        assert of_approvals(log) == ["requested", "closed"]
    assert any("codex_ended" in logs[worker][-1].payload for worker in hung.workers)
    took = {
        name: max(seconds_of(logs[worker]) for worker in place.workers)
        for name, place in (("well", well), ("hung", hung))
    }
    with capsys.disabled():
        sys.stderr.write(f"\nseconds from the asking for {3 * each} stops to the last end: {took}\n")
    assert took["well"] < PROMISE_SECONDS
