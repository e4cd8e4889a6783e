"""What the runtime refuses keeps nobody waiting who has something else to tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.api.served import ServedApi, bearer

from autopilot.api import audit_outbox, untold
from autopilot.api.audit_outbox import AuditOutbox
from autopilot.api.untold import MOST_SECONDS, SET_BACK_SECONDS, Setbacks, setbacks_gauge
from autopilot.contract.errors import Unavailable
from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.ops.metrics import Metrics
from autopilot.testing.clock import FakeClock

REFUSED = RuntimeResponse(422, {}, b"{}")
BUSY = RuntimeResponse(503, {}, b"{}")
TAKEN = RuntimeResponse(200, {}, b"{}")


async def away(_request: RuntimeRequest) -> RuntimeResponse:
    raise Unavailable("away", reason_code="runtime_unreachable", outcome="not_recorded")


class Port:
    """A runtime of the test's own: the API's goes on asking that which is away."""

    def __init__(self, answers: Callable[[RuntimeRequest], RuntimeResponse]) -> None:
        self.answers = answers
        self.calls: list[RuntimeRequest] = []

    async def call(self, request: RuntimeRequest) -> RuntimeResponse:
        self.calls.append(request)
        return self.answers(request)

    async def aclose(self) -> None:
        return None


def setbacks(clock: FakeClock) -> Setbacks:
    return Setbacks("test", clock, setbacks_gauge(Metrics()))


def held_back(kind: Setbacks) -> float:
    return kind.gauge.labels(what=kind.what)._value.get()


async def ended_devices(api: ServedApi, count: int) -> list[str]:
    """Devices whose end the runtime was not told, in the order in which they ended."""
    api.runtime.answer = away
    devices = []
    for _ in range(count):
        signed = await api.sign_in("ada@example.org")
        me = await api.client.get("/api/me", headers=bearer(signed["token"]))
        devices.append(me.json()["device"]["device_id"])
        await api.client.post("/api/auth/signout", headers=bearer(signed["token"]))
    return devices


async def left(api: ServedApi) -> set[str]:
    return {row["device_id"] for row in await api.pool.fetch("select device_id from api.untold_revocation")}


@pytest.mark.parametrize("answer", [REFUSED, BUSY])
async def test_a_row_that_is_always_refused_blocks_none_behind_it(
    api: ServedApi, answer: RuntimeResponse, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(untold, "AT_ONCE", 2)
    poisoned, *others = await ended_devices(api, 5)
    clock = FakeClock()
    port = Port(lambda request: answer if poisoned in request.path else TAKEN)
    revocations = replace(api.app.state.api.revocations, port=port, setbacks=setbacks(clock))
    for _ in others:
        await revocations.tell()
    assert await left(api) == {poisoned}
    assert held_back(revocations.setbacks) == 1

    calls = len(port.calls)
    await revocations.tell()
    assert len(port.calls) == calls  # not yet
    await clock.advance(SET_BACK_SECONDS)
    port.answers = lambda _request: TAKEN
    await revocations.tell()
    assert await left(api) == set()
    assert held_back(revocations.setbacks) == 0


async def test_whole_pages_of_refused_rows_block_none_behind_them(api: ServedApi, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(untold, "AT_ONCE", 2)
    devices = await ended_devices(api, 5)
    port = Port(lambda request: TAKEN if devices[-1] in request.path else REFUSED)
    revocations = replace(api.app.state.api.revocations, port=port, setbacks=setbacks(FakeClock()))
    for _ in range(3):
        await revocations.tell()
    assert await left(api) == set(devices[:-1])


async def test_a_runtime_that_is_away_sets_nothing_back(api: ServedApi):
    await ended_devices(api, 2)
    port = Port(lambda _request: BUSY)
    revocations = replace(api.app.state.api.revocations, port=port, setbacks=setbacks(FakeClock()))
    await revocations.tell()
    assert revocations.setbacks.left_out() == []
    port.answers = lambda _request: TAKEN
    await revocations.tell()
    assert await left(api) == set()


async def test_a_line_of_the_audit_that_is_refused_blocks_none_behind_it(
    api: ServedApi, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(audit_outbox, "AT_ONCE", 4)
    api.runtime.answer = away
    for _ in range(3):
        await api.sign_in("ada@example.org")
    numbers = [row["audit_no"] for row in await api.pool.fetch("select audit_no from api.untold_audit order by 1")]
    poisoned = str(await api.pool.fetchval("select audit_id from api.audit where audit_no = $1", numbers[1]))
    told: list[str] = []

    def answers(request: RuntimeRequest) -> RuntimeResponse:
        ids = [record["audit_id"] for record in json.loads(request.body)["records"]]
        if poisoned in ids:
            return REFUSED
        told.extend(ids)
        return TAKEN

    clock = FakeClock()
    outbox = AuditOutbox(api.pool, Port(answers), clock, setbacks(clock))
    for _ in range(len(numbers)):
        await outbox.tell()
    assert [row["audit_no"] for row in await api.pool.fetch("select audit_no from api.untold_audit")] == [numbers[1]]
    assert poisoned not in told
    assert held_back(outbox.setbacks) == 1


def test_a_refused_row_is_told_again_later_and_later_and_at_least_once_an_hour():
    clock = FakeClock()
    kind = setbacks(clock)
    waits = []
    for _ in range(12):
        kind.refused("row")
        [(_times, until)] = kind._set_back.values()
        waits.append(until - clock.monotonic())
    assert waits[:3] == [SET_BACK_SECONDS, 2 * SET_BACK_SECONDS, 4 * SET_BACK_SECONDS]
    assert max(waits) == waits[-1] == MOST_SECONDS


def test_no_more_is_remembered_than_the_bound(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(untold, "MOST_SET_BACK", 3)
    kind = setbacks(FakeClock())
    for row in range(10):
        kind.refused(row)
    assert kind.left_out() == [7, 8, 9]
