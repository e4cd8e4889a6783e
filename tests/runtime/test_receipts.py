"""What becomes of a request (docs/runtime-contract.md, "Receipts")."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from autopilot.runtime.expiry import Sweeper
from autopilot.testing.machines import Companion, ask, leased, receipt
from autopilot.testing.runtime import call, frames


class At:
    """A clock that stands at some time from now."""

    def __init__(self, after: timedelta) -> None:
        self._now = datetime.now(UTC) + after

    def now(self) -> datetime:
        return self._now


async def sweep(runtime, after):
    await Sweeper(
        runtime.ledger, runtime.pool, At(after), runtime.machines.revocations, runtime.machines.lost_roles
    ).sweep()


def steps(log):
    return [frame["eventType"].removeprefix("worker.request.") for frame in log if ".request." in frame["eventType"]]


async def cancel(runtime, request_id, path="/workers/w"):
    return await call(runtime, "POST", f"{path}/requests/{request_id}/cancel")


@pytest.mark.parametrize(
    ("method", "params", "before", "at"),
    [
        ("turn/interrupt", {"turnId": "t"}, timedelta(seconds=55), timedelta(seconds=61)),
        ("turn/steer", {"expectedTurnId": "t"}, timedelta(seconds=55), timedelta(seconds=61)),
        ("thread/read", {}, timedelta(seconds=55), timedelta(seconds=61)),
        ("turn/start", {}, timedelta(hours=23, minutes=59), timedelta(hours=24, seconds=1)),
        ("thread/start", {}, timedelta(hours=23, minutes=59), timedelta(hours=24, seconds=1)),
    ],
)
async def test_what_no_machine_took_in_time_expires(runtime, method, params, before, at):
    path = "/machines/m1" if method.startswith("thread/") else "/workers/w"
    companion = await leased(runtime)
    await ask(runtime, method, "r1", params, path=path)

    await sweep(runtime, before)
    waiting = await receipt(runtime, "r1", path=path)
    await sweep(runtime, at)
    ended = await receipt(runtime, "r1", path=path)

    assert (waiting["state"], ended["state"], ended["ok"]) == ("accepted", "expired", False)
    assert ended["error"]["code"] == "expired"
    assert [entry["body"] for entry in await companion.feed()] == [None]
    assert await runtime.pool.fetchval("select count(*) from delivery") == 0


async def test_a_stop_never_expires(runtime):
    await leased(runtime)
    await call(runtime, "POST", "/workers/w/stop", {})

    await sweep(runtime, timedelta(days=400))

    assert await runtime.pool.fetchval("select state from receipt where method = 'worker/stop'") == "accepted"


async def test_what_was_handed_over_and_not_heard_of_again_is_indeterminate_never_expired(runtime):
    companion = await leased(runtime)
    await ask(runtime, "thread/read", "r1")
    await companion.feed()

    await sweep(runtime, timedelta(seconds=61))
    patient = await receipt(runtime, "r1")
    await sweep(runtime, timedelta(seconds=121))
    silent = await receipt(runtime, "r1")
    await companion.respond("w", "r1", {"thread": {}})
    resolved = await receipt(runtime, "r1")

    assert (patient["state"], silent["state"], silent["ok"]) == ("delivered", "indeterminate", None)
    assert (resolved["state"], resolved["ok"], resolved["error"]) == ("completed", True, None)
    assert steps(await frames(runtime, "w")) == ["received", "delivered", "indeterminate"]


async def test_what_its_executor_has_begun_never_expires(runtime):
    companion = await leased(runtime)
    await ask(runtime, "thread/read", "r1")
    await companion.feed()
    await companion.report("r1", "acknowledged", "w")

    await sweep(runtime, timedelta(days=2))

    assert (await receipt(runtime, "r1"))["state"] == "acknowledged"


async def test_an_expiry_and_an_answer_at_once_end_it_once(runtime):
    companion = await leased(runtime)
    for n in range(6):
        await ask(runtime, "thread/read", f"r{n}")
    await companion.feed()

    await asyncio.gather(
        *(companion.respond("w", f"r{n}", {"n": n}) for n in range(6)),
        *(sweep(runtime, timedelta(seconds=121)) for _ in range(3)),
    )

    log = await frames(runtime, "w")
    for n in range(6):
        assert (await receipt(runtime, f"r{n}"))["state"] == "completed"
        told = [
            f for f in log if f["payload"].get("request_id") == f"r{n}" and f["eventType"].endswith("indeterminate")
        ]
        assert len(told) <= 1


@pytest.mark.parametrize("path", ["/workers/w", "/machines/m1"])
async def test_what_nobody_was_handed_may_be_taken_back_and_again_the_same(runtime, path):
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "r1", path=path)

    first, again = await cancel(runtime, "r1", path), await cancel(runtime, "r1", path)

    assert (first.status, first.data["state"]) == (200, "cancelled")
    assert again.body == first.body
    assert [(entry["request_id"], entry["body"]) for entry in await companion.feed()] == [("r1", None)]


async def test_what_was_handed_over_or_ended_can_not_be_taken_back(runtime):
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "r1")
    await companion.feed()

    delivered = await cancel(runtime, "r1")
    await companion.respond("w", "r1", {})
    ended = await cancel(runtime, "r1")

    assert (delivered.status, delivered.reason) == (409, "already_delivered")
    assert (ended.status, ended.reason) == (409, "already_ended")


async def test_a_cancellation_and_a_delivery_at_once_never_both_win(runtime):
    companion = await leased(runtime)
    names = [f"r{n}" for n in range(10)]
    for name in names:
        await ask(runtime, "turn/start", name)

    entries, *answers = await asyncio.gather(companion.feed(), *(cancel(runtime, name) for name in names))

    handed = {entry["request_id"]: entry["body"] is not None for entry in entries}
    for name, answer in zip(names, answers, strict=True):
        state = (await receipt(runtime, name))["state"]
        assert (answer.status, handed[name], state) in {(200, False, "cancelled"), (409, True, "delivered")}


async def test_a_stop_can_not_be_taken_back(runtime):
    await leased(runtime)
    await call(runtime, "POST", "/workers/w/stop", {})
    name = await runtime.pool.fetchval("select request_id from receipt")

    answer = await cancel(runtime, name)

    assert (answer.status, answer.reason) == (409, "not_cancellable")


async def test_reports_go_forward_only_and_repeating_one_changes_nothing(runtime):
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "r1")
    await companion.feed()

    judged = [
        await companion.report("r1", state, "w")
        for state in ("delivered", "acknowledged", "acknowledged", "delivered", "indeterminate", "indeterminate")
    ]
    late = await companion.report("r1", "acknowledged", "w")

    assert [item["applied"] for item in judged] == [False, True, False, False, True, False]
    assert [item["state"] for item in judged][-3:] == ["acknowledged", "indeterminate", "indeterminate"]
    assert (late["applied"], late["reason_code"]) == (False, "not_after_this_state")
    assert steps(await frames(runtime, "w")) == ["received", "delivered", "acknowledged", "indeterminate"]


async def test_each_report_of_a_call_is_judged_by_itself(runtime):
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "r1")
    await companion.feed()

    answer = await companion.post(
        "/machines/m1/receipts",
        {
            "receipts": [
                {"worker_id": "w", "request_id": "nope", "state": "acknowledged"},
                {"worker_id": "nobody", "request_id": "r1", "state": "acknowledged"},
                {"worker_id": "w", "request_id": "r1", "state": "completed", "response": {}},
                {"worker_id": "w", "request_id": "r1", "state": "acknowledged"},
            ]
        },
    )

    assert answer.status == 200
    assert [(item["state"], item["applied"], item["reason_code"]) for item in answer.data] == [
        (None, False, "no_such_request"),
        (None, False, "no_such_request"),
        ("delivered", False, "ends_through_events"),
        ("acknowledged", True, None),
    ]


async def test_another_machine_reports_nothing_of_it(runtime):
    first = await leased(runtime)
    await ask(runtime, "turn/start", "r1")
    await first.feed()
    second = Companion(runtime, "m2")
    await second.register()

    judged = await second.report("r1", "rejected", "w")
    forged = await second.post("/machines/m1/receipts", {"receipts": []})

    assert (judged["state"], judged["applied"], judged["reason_code"]) == (None, False, "no_such_request")
    assert forged.status == 403


@pytest.mark.parametrize("state", ["accepted", "cancelled", "expired", "nonsense"])
async def test_a_state_that_is_no_executors_to_report_is_unprocessable(runtime, state):
    companion = await leased(runtime)

    answer = await companion.post("/machines/m1/receipts", {"receipts": [{"request_id": "r1", "state": state}]})

    assert answer.status == 422


async def test_before_a_worker_stops_its_receipts_end_and_its_lease_is_released(runtime):
    companion = await leased(runtime)
    for name in ("handed", "waiting"):
        await ask(runtime, "turn/start", name)
        if name == "handed":
            await companion.feed()

    await companion.append("w", "worker.stopped", "end", reason="done")

    log = await frames(runtime, "w")
    assert [frame["eventType"] for frame in log][-4:] == [
        "worker.request.indeterminate",
        "worker.request.rejected",
        "worker.lease.released",
        "worker.stopped",
    ]
    assert (await receipt(runtime, "handed"))["state"] == "indeterminate"
    assert (await receipt(runtime, "waiting"))["state"] == "rejected"


async def test_a_result_that_names_no_request_of_ours_is_only_an_event(runtime):
    companion = await leased(runtime)

    answer = await companion.respond("w", "never-asked", {})

    assert answer.status == 202
    assert await runtime.pool.fetchval("select count(*) from receipt") == 0


async def test_a_refused_append_ends_no_receipt(runtime):
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "r1")
    await companion.feed()
    companion.generations["w"] = 7

    refused = await companion.respond("w", "r1", {})

    assert refused.status == 409
    assert (await receipt(runtime, "r1"))["state"] == "delivered"
