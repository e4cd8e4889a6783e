"""What the companion holds and may not begin any more: it is not done late, and that is said."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from tests.companion.older_files import bring_back

from autopilot.companion import inbox
from autopilot.companion.database import SCHEMA_VERSION, Database, open_file
from autopilot.companion.desk import PAUSE_SECONDS, TOO_LATE, Desk
from autopilot.companion.execution import Execution, Outcome
from autopilot.companion.facts import MachineFacts
from autopilot.companion.feed import Feed
from autopilot.companion.identity import Machine
from autopilot.companion.inbox import Request
from autopilot.companion.leases import Leases
from autopilot.companion.presence import Presence
from autopilot.companion.threads import Naming, Threads
from autopilot.contract import FeedEntry, FeedRequest, ReceiptReport
from autopilot.contract import Machine as Registered
from autopilot.contract.errors import Unavailable
from autopilot.testing.clock import FakeClock

MACHINE = Machine("m1", "desk")


@dataclass
class Told:
    """The runtime's ear: what was reported; `away` for so many reports."""

    clock: FakeClock
    reports: list[ReceiptReport] = field(default_factory=list)
    away: int = 0
    ahead: timedelta = timedelta(0)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def report_receipts(self, _machine_id: str, reports: list[ReceiptReport]) -> list[ReceiptReport]:
        if self.away:
            self.away -= 1
            raise Unavailable("away", reason_code="network")
        self.reports += reports
        self.came.set()
        return reports

    async def register_machine(self, _about: object) -> Registered:
        told = (self.clock.now() + self.ahead).isoformat().replace("+00:00", "Z")
        return Registered(machine_id="m1", name="desk", last_heard_at=told)


@dataclass
class Codex:
    """Does nothing but count."""

    done: list[str] = field(default_factory=list)

    async def do(self, request: Request) -> Outcome:
        self.done.append(request.request_id)
        return Outcome("completed", {})


@dataclass
class Bench:
    """A desk and a feed on one file."""

    clock: FakeClock
    told: Told
    codex: Codex
    database: Database
    leases: Leases
    desk: Desk
    feed: Feed

    async def receive(self, request_id: str, *, expires_in: float | None, feed_seq: int = 1) -> None:
        """An entry of the feed; `expires_in` seconds of the server's clock."""
        until = None if expires_in is None else self.clock.now() + self.told.ahead + timedelta(seconds=expires_in)
        asked = FeedRequest(
            request_id=request_id,
            target="machine",
            method="thread/list",
            params={},
            expires_at=None if until is None else until.isoformat().replace("+00:00", "Z"),
        )
        body = {name: getattr(asked, name) for name in ("request_id", "target", "method", "params", "expires_at")}
        await self.feed.take(FeedEntry(feed_seq=feed_seq, kind="request", request_id=request_id, body=body))

    async def over(self, request_id: str) -> None:
        """The same entry again, whose receipt has ended."""
        await self.feed.take(FeedEntry(feed_seq=1, kind="request", request_id=request_id, body=None))

    async def states(self) -> dict[str, str]:
        def read(db: sqlite3.Connection) -> dict[str, str]:
            return {row["request_id"]: row["state"] for row in db.execute("select * from inbox")}

        return await self.database.run(read)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.desk.run())
            yield
            running.cancel()

    async def ended(self, request_id: str) -> None:
        """Until nothing is left to do for it."""
        while (await self.states())[request_id] != "ended":  # noqa: ASYNC110 - the file has no event
            await asyncio.sleep(0)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = FakeClock()
    told, codex = Told(clock), Codex()
    database = Database(tmp_path / "companion.sqlite")
    await database.open()
    threads = Threads(Naming())
    nothing = cast("Any", None)  # neither a stop nor a worker's answer is asked for here
    client = cast("Any", told)
    presence = Presence(client, MACHINE, facts=MachineFacts(), heads=nothing, clock=clock, session_id="s")
    leases = Leases(
        client,
        MACHINE,
        presence,
        threads=threads,
        database=database,
        outbox=nothing,
        clock=clock,
        heartbeat_seconds=30.0,
    )
    desk = Desk(
        cast("Any", told),
        MACHINE,
        database=database,
        threads=threads,
        recorder=nothing,
        execution=cast("Execution", codex),
        leases=leases,
        stops=nothing,
        clock=clock,
    )
    feed = Feed(
        cast("Any", told),
        MACHINE,
        database=database,
        threads=threads,
        recorder=nothing,
        leases=leases,
        desk=desk,
        answers=nothing,
        clock=clock,
        session_id="s",
    )
    yield Bench(clock, told, codex, database, leases, desk, feed)
    await database.close()


async def test_a_request_in_time_is_done(bench):
    await bench.receive("r", expires_in=60)
    await bench.clock.advance(59)

    async with bench.working():
        await bench.ended("r")

    assert bench.codex.done == ["r"]
    assert [report.state for report in bench.told.reports] == ["acknowledged", "completed"]


@pytest.mark.parametrize("late_seconds", [60, 3600])
async def test_a_request_whose_time_is_over_is_rejected_and_not_done(bench, late_seconds):
    await bench.receive("r", expires_in=60)
    await bench.clock.advance(late_seconds)

    async with bench.working():
        await bench.ended("r")

    assert bench.codex.done == []
    assert [(report.state, report.error) for report in bench.told.reports] == [("rejected", TOO_LATE)]


async def test_a_request_that_never_expires_is_done_however_late(bench):
    await bench.receive("r", expires_in=None)
    await bench.clock.advance(10 * 86400)

    async with bench.working():
        await bench.ended("r")

    assert bench.codex.done == ["r"]


async def test_time_that_ran_out_while_the_runtime_was_away_counts(bench):
    bench.told.away = 1
    await bench.receive("r", expires_in=PAUSE_SECONDS / 2)

    async with bench.working():
        await bench.clock.until_sleeping()
        await bench.clock.advance(PAUSE_SECONDS)
        await bench.ended("r")

    assert bench.codex.done == []
    assert [report.state for report in bench.told.reports] == ["acknowledged", "rejected"]


async def test_a_refusal_that_could_not_be_told_is_told_by_the_next_companion(bench):
    bench.told.away = 1
    await bench.receive("r", expires_in=1)
    await bench.clock.advance(2)
    async with bench.working():
        await bench.clock.until_sleeping()
    assert (await bench.states())["r"] == "answered"

    async with bench.working():
        await bench.ended("r")

    assert bench.codex.done == []
    assert [report.state for report in bench.told.reports] == ["rejected"]


@pytest.mark.parametrize(("ahead_seconds", "done"), [(-3600, ["r"]), (3600, ["r"])])
async def test_a_clock_that_goes_wrong_by_an_hour_refuses_nothing_once_the_server_was_heard(bench, ahead_seconds, done):
    bench.told.ahead = timedelta(seconds=ahead_seconds)
    await bench.leases.register()
    await bench.receive("r", expires_in=60)

    async with bench.working():
        await bench.ended("r")

    assert bench.codex.done == done


async def test_an_hour_behind_the_server_what_is_over_there_is_over_here(bench):
    bench.told.ahead = timedelta(hours=1)
    await bench.leases.register()
    await bench.receive("r", expires_in=60)
    await bench.clock.advance(61)

    async with bench.working():
        await bench.ended("r")

    assert bench.codex.done == []


async def test_a_request_that_ended_meanwhile_is_forgotten_before_it_is_begun(bench):
    await bench.receive("r", expires_in=60)
    await bench.over("r")

    async with bench.working():
        await bench.clock.advance(1)

    assert await bench.states() == {"r": "ended"}
    assert (bench.codex.done, bench.told.reports) == ([], [])


async def test_a_request_that_ended_while_it_was_being_acknowledged_is_not_begun(bench):
    bench.told.away = 1
    await bench.receive("r", expires_in=60)

    async with bench.working():
        await bench.clock.until_sleeping()
        await bench.over("r")
        await bench.clock.advance(PAUSE_SECONDS)
        await bench.told.came.wait()
        await bench.clock.advance(1)

    assert bench.codex.done == []
    assert await bench.states() == {"r": "ended"}


async def test_what_was_begun_is_not_forgotten(bench):
    await bench.receive("r", expires_in=60)
    (request,) = await bench.database.run(inbox.pending)
    assert await bench.database.run(lambda db: inbox.begin(db, request))

    await bench.over("r")

    assert await bench.states() == {"r": "executing"}


async def test_an_entry_without_a_body_that_was_never_seen_is_nothing(bench):
    await bench.over("unheard-of")

    assert await bench.states() == {}


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path):
    path = tmp_path / "companion.sqlite"
    made = open_file(path)
    bring_back(made, 1)
    made.close()

    again = open_file(path)

    assert "expires_at" in {row["name"] for row in again.execute("pragma table_info(inbox)")}
    assert again.execute("pragma user_version").fetchone()[0] == SCHEMA_VERSION
    again.close()
