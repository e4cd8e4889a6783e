"""A ledger that says the same no again and again is not asked without a pause."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.companion.test_approvals_file import Bench, bench
from tests.waiting import until

from autopilot.companion.codex.translate import Event
from autopilot.companion.leases import Leases
from autopilot.companion.mirror import Mirror
from autopilot.companion.outbox import Outbox
from autopilot.contract import Appended
from autopilot.contract.errors import Conflict

WORKER = "desktopw:t"


class Ledger:
    """Refuses every append the same way, until it is told not to."""

    def __init__(self, refusal: Conflict) -> None:
        self.refusal: Conflict | None = refusal
        self.appends = self.claims = 0

    async def append_encoded(self, *_: Any) -> list[Appended]:
        self.appends += 1
        if self.refusal is not None:
            raise self.refusal
        return []

    async def claim_lease(self, *_: Any, **__: Any) -> Any:
        self.claims += 1
        return SimpleNamespace(generation=self.claims, expires_at="2026-01-01T00:01:00Z")


@asynccontextmanager
async def mirrored(made: Bench, ledger: Ledger) -> AsyncIterator[tuple[Mirror, Leases]]:
    """A mirror at work, with one event to send."""
    outbox, client, presence = Outbox(), ledger, SimpleNamespace(heard_at=lambda _moment: None, codex_version=None)
    parts: dict[str, Any] = {"threads": made.threads, "database": made.database, "outbox": outbox, "clock": made.clock}
    machine: Any = SimpleNamespace(machine_id="m1")
    leases = Leases(_any(client), machine, _any(presence), **parts, heartbeat_seconds=30)
    mirror = Mirror(_any(client), **parts, leases=leases)
    leases.gained = mirror.wake
    thread = made.threads.of_worker(WORKER)
    assert thread is not None
    thread.registered = thread.subscribed = True
    await made.database.run(lambda db: outbox.put(db, WORKER, [Event("t", "worker.event", "m", "e", b"{}")]))
    assert await leases._claim_all()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(mirror.run())
        yield mirror, leases
        running.cancel()


def _any(one: Any) -> Any:
    return one


async def test_a_gap_that_renumbering_does_not_close_is_asked_about_again_only_after_a_pause(tmp_path: Path) -> None:
    ledger = Ledger(Conflict("a gap", reason_code="gap", expected=1))
    async with bench(tmp_path, "t") as made, mirrored(made, ledger) as (mirror, _), asyncio.timeout(20):
        await made.clock.until_sleeping()
        before = ledger.appends
        trouble, ledger.refusal = mirror.trouble, None
        await made.clock.advance(60)
        await until(lambda: ledger.appends == 3)

    assert before == 2
    assert trouble is not None


async def test_a_lease_that_is_lost_as_soon_as_it_is_claimed_is_claimed_again_only_after_a_pause(
    tmp_path: Path,
) -> None:
    """As where a copy of this machine, with its identity, claims it back each time."""
    ledger = Ledger(Conflict("another generation", reason_code="fenced"))
    async with bench(tmp_path, "t") as made, mirrored(made, ledger) as (_, leases), asyncio.timeout(20):
        for _round in range(6):
            await until(lambda: leases.generation(WORKER) is None, between_seconds=0)
            await leases._claim_all()
        at_once = ledger.claims
        await made.clock.advance(60)
        await leases._claim_all()

    assert at_once <= 3
    assert ledger.claims == at_once + 1
