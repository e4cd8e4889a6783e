"""What the runtime will never take is not told to it for ever; what it may take later is told less and less often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.companion.test_approvals_file import Bench, bench
from tests.waiting import until

from autopilot.companion import inbox
from autopilot.companion.desk import Desk
from autopilot.companion.outcomes import Outcome
from autopilot.contract import FeedRequest, ReceiptReport
from autopilot.contract.errors import (
    AutopilotError,
    Forbidden,
    InvalidRequest,
    NetworkError,
    PayloadTooLarge,
    RateLimited,
    Unprocessable,
)

NEVER = [InvalidRequest("nested too deep"), PayloadTooLarge("too large"), Unprocessable("out of its charset")]


class Runtime:
    """Takes reports, or refuses those that `refuses` names."""

    def __init__(self) -> None:
        self.told: list[ReceiptReport] = []
        self.refused = 0
        self.refuses: dict[str, AutopilotError] = {}

    async def report_receipts(self, _machine: str, reports: list[ReceiptReport]) -> list[Any]:
        (report,) = reports
        refusal = self.refuses.get(f"{report.state} {report.response is not None}") or self.refuses.get(report.state)
        if refusal is not None:
            self.refused += 1
            raise refusal
        self.told.append(report)
        return [SimpleNamespace(state=report.state)]


class Executing:
    """Does whatever is asked."""

    def __init__(self) -> None:
        self.done = 0

    async def do(self, _request: inbox.Request) -> Outcome:
        self.done += 1
        return Outcome("completed", {"data": [1]})


@asynccontextmanager
async def at_work(made: Bench, runtime: Runtime) -> AsyncIterator[Executing]:
    execution: Any = Executing()
    presence = SimpleNamespace(server_now=made.clock.now)
    leases: Any = SimpleNamespace(presence=presence)
    machine, stops, client = SimpleNamespace(machine_id="m1"), None, runtime
    parts: dict[str, Any] = {"database": made.database, "threads": made.threads, "recorder": made.recorder}
    desk = Desk(
        _any(client), _any(machine), **parts, execution=execution, leases=leases, stops=_any(stops), clock=made.clock
    )
    asked = FeedRequest(request_id="r", target="machine", method="thread/list", params={})
    await made.database.run(lambda db: inbox.receive(db, asked))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(desk.run())
        yield execution
        running.cancel()


def _any(one: Any) -> Any:
    return one


async def nothing_left(made: Bench) -> None:
    async def look() -> bool:
        return not await made.database.run(inbox.pending)

    await until(look)


@pytest.mark.parametrize("refusal", NEVER)
async def test_an_answer_that_the_runtime_will_never_take_is_told_without_what_it_refused(
    tmp_path: Path, refusal: AutopilotError
) -> None:
    runtime = Runtime()
    runtime.refuses = {"completed True": refusal}
    async with bench(tmp_path) as made, at_work(made, runtime), asyncio.timeout(20):
        await nothing_left(made)

    assert runtime.refused == 1
    (_, end) = runtime.told
    assert (end.state, end.response, (end.error or {})["code"]) == ("failed", None, "response_refused")
    assert refusal.message in (end.error or {})["message"]


@pytest.mark.parametrize("refusal", NEVER)
async def test_a_request_of_which_the_runtime_will_never_take_note_is_not_done_and_asked_about_no_more(
    tmp_path: Path, refusal: AutopilotError
) -> None:
    runtime = Runtime()
    runtime.refuses = {"acknowledged": refusal}
    async with bench(tmp_path) as made, at_work(made, runtime) as execution, asyncio.timeout(20):
        await nothing_left(made)

    assert (runtime.refused, execution.done) == (1, 0)


async def test_an_end_that_the_runtime_takes_in_no_form_is_let_go_of(tmp_path: Path) -> None:
    runtime = Runtime()
    runtime.refuses = dict.fromkeys(("completed", "failed"), NEVER[0])
    async with bench(tmp_path) as made, at_work(made, runtime), asyncio.timeout(20):
        await nothing_left(made)

    assert runtime.refused == 2


@pytest.mark.parametrize(
    ("refusal", "at_most"),
    [
        (Forbidden("no"), 30.0),
        (NetworkError("nobody there"), 5.0),
        (RateLimited("slowly", retry_after_seconds=60.0), 60.0),
    ],
)
async def test_what_may_be_taken_later_is_told_again_after_longer_and_longer_pauses(
    tmp_path: Path, refusal: AutopilotError, at_most: float
) -> None:
    runtime, pauses = Runtime(), []
    runtime.refuses = {"completed": refusal}
    async with bench(tmp_path) as made, at_work(made, runtime), asyncio.timeout(20):
        for _round in range(10):
            await made.clock.until_sleeping()
            pauses.append(made.clock.next_wake_seconds or 0.0)
            await made.clock.advance(pauses[-1])
        runtime.refuses = {}
        await made.clock.until_sleeping()
        await made.clock.advance(60)
        await nothing_left(made)

    assert at_most / 2 <= pauses[-1] <= at_most
    assert pauses[0] <= max(1.0, refusal.retry_after_seconds or 0.0)
    assert runtime.told[-1].state == "completed"
