"""A request is found by either of its names, and one that is nowhere costs no more than a bounded look."""

from __future__ import annotations

from typing import Any

import pytest

from autopilot.cli import trail
from autopilot.cli.trail import Trail
from autopilot.client import WorkerPage
from autopilot.contract import Envelope, Receipt, WorkerSummary, decode, encode
from autopilot.contract.errors import NotFound
from autopilot.testing.streaming_server import blank_snapshot


class Ledger:
    """Workers with logs and receipts, which counts what is asked of it."""

    def __init__(self, **logs: list[Envelope]) -> None:
        self.logs = logs
        self.receipts: dict[tuple[str, str], Receipt] = {}
        self.pages: list[str] = []

    async def list_workers(self, *, limit: int) -> WorkerPage:
        found = [decode(WorkerSummary, encode(blank_snapshot(name))) for name in self.logs]
        return WorkerPage(found[:limit], None)

    async def machines(self) -> list[Any]:
        return []

    async def receipt(self, worker_id: str, request_id: str) -> Receipt:
        if (worker_id, request_id) not in self.receipts:
            raise NotFound("no such request")
        return self.receipts[worker_id, request_id]

    async def events(
        self, worker_id: str, *, limit: int, before: int | None = None, after: int | None = None
    ) -> list[Envelope]:
        self.pages.append(worker_id)
        log = self.logs[worker_id]
        if after is not None:
            return [event for event in log if event.seq > after][:limit]
        return [event for event in log if before is None or event.seq < before][-limit:]


def event(seq: int, event_type: str = "worker.event", *, x: str | None = None, **payload: Any) -> Envelope:
    at = f"2026-01-01T00:{seq // 60:02}:{seq % 60:02}Z"
    return Envelope(
        workerId="w", seq=seq, eventType=event_type, payload=payload, occurredAt=at, xRequestId=x, eventId=f"e{seq}"
    )


def a_long_log_with_a_request_at(place: int) -> list[Envelope]:
    log = [event(seq) for seq in range(1, 3001)]
    log[place - 1] = event(place, "worker.request.received", x="x-1", request_id="r-1")
    log[place + 9] = event(place + 10, "worker.response", request_id="r-1")
    return log


@pytest.fixture
def ledger() -> Ledger:
    """Three workers; the request is far back in the second one's log."""
    made = Ledger(a=[event(1)], b=a_long_log_with_a_request_at(100), c=[event(1)])
    made.receipts["b", "r-1"] = Receipt(
        request_id="r-1",
        state="completed",
        target="worker",
        method="turn/start",
        x_request_id="x-1",
        accepted_seq=100,
        created_at="2026-01-01T00:01:40Z",
        ended_at="2026-01-01T00:01:50Z",
    )
    return made


def trail_of(ledger: Ledger, *ids: str) -> Trail:
    client: Any = ledger
    return Trail(client, set(ids))


async def test_by_its_request_id_it_is_found_at_its_place_however_far_back(ledger: Ledger) -> None:
    found = trail_of(ledger, "r-1")
    await found.search(None)

    assert [event.seq for event in found.events] == [100, 110]
    assert found.ids == {"r-1", "x-1"}
    assert ledger.pages == ["b"]


async def test_by_its_x_request_id_it_is_found_among_the_newest_events(ledger: Ledger) -> None:
    ledger.logs["b"] = ledger.logs["b"][:120]
    found = trail_of(ledger, "x-1")
    await found.search(None)

    assert [event.seq for event in found.events] == [100, 110]
    assert [receipt.request_id for receipt in found.receipts] == ["r-1"]


async def test_with_its_worker_named_it_is_found_further_back(ledger: Ledger) -> None:
    found = trail_of(ledger, "x-1")
    await found.search("b")

    assert [event.seq for event in found.events] == [100, 110]


async def test_what_is_nowhere_is_looked_for_once_in_each_worker_and_that_is_said(ledger: Ledger) -> None:
    found = trail_of(ledger, "unknown")
    await found.search(None)

    assert (found.events, found.receipts) == ([], [])
    assert ledger.pages == ["a", "b", "c"]
    assert found.looked_at == [
        "the receipts of 3 workers",
        "the receipts of 0 machines",
        f"the newest {trail.NEWEST} events of each worker",
    ]


async def test_what_is_not_in_a_named_worker_is_looked_for_in_so_many_pages_only(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "PAGES_LOOKED_AT", 2)
    found = trail_of(ledger, "unknown")
    await found.search("b")

    assert ledger.pages == ["b", "b"]
    assert found.looked_at[-1] == "its newest 1000 events"
