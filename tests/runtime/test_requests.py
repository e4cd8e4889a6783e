"""Asking workers and machines for something (docs/runtime-contract.md, "Requests")."""

from __future__ import annotations

import asyncio

import pytest

from autopilot.testing.machines import Companion, ask, leased, machine_claims, receipt
from autopilot.testing.runtime import OBSERVER, OWNER, STRANGER, call, frames, insert_worker

SECRET = {"input": [{"type": "text", "text": "use sk-abcdefghijklmnopqrstuv"}], "api_key": "hunter2", "big": 2**70}


def types(log):
    return [frame["eventType"] for frame in log]


async def test_a_request_is_stored_told_and_handed_over_before_it_is_answered(runtime):
    companion = await leased(runtime)

    answer = await ask(runtime, "turn/start", "r1", {"input": []}, headers={"x-request-id": "x-1"})

    assert answer.status == 202
    stored = answer.data
    assert (stored["state"], stored["ok"], stored["machine_id"]) == ("accepted", None, "m1")
    assert stored["x_request_id"] == "x-1"
    log = await frames(runtime, "w")
    assert log[-1]["eventType"] == "worker.request.received"
    assert log[-1]["seq"] == stored["accepted_seq"]
    assert log[-1]["actor"]["user_id"] == 1
    (entry,) = await companion.feed()
    assert entry["body"]["params"] == {"input": []}


async def test_the_result_that_its_executor_appends_ends_it_and_wakes_who_waits(runtime):
    companion = await leased(runtime)

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask(runtime, "turn/start", "r1", wait_ms=20_000))
        async with companion.following() as feed:
            entry = await anext(feed)
        await companion.respond("w", entry["request_id"], {"turn": {"id": "t1"}})
        answer = await asking

    assert answer.status == 200
    assert answer.data == {
        "worker_id": "w",
        "request_id": "r1",
        "ok": True,
        "response": {"turn": {"id": "t1"}},
        "state": "completed",
        "error": None,
        "machine_id": "m1",
        "artifacts": [],
    }
    assert types(await frames(runtime, "w"))[1:] == [
        "worker.request.received",
        "worker.request.delivered",
        "worker.response",
    ]
    assert await runtime.pool.fetchval("select count(*) from delivery") == 0


async def test_an_error_of_codex_ends_it_as_not_ok(runtime):
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "r1")
    await companion.feed()

    await companion.respond("w", "r1", {"code": -32600, "message": "no"}, ok=False)
    answer = await ask(runtime, "turn/start", "r1")

    assert (answer.status, answer.data["ok"], answer.data["state"]) == (200, False, "failed")
    assert answer.data["error"]["message"] == "no"


async def test_secrets_reach_the_feed_exactly_and_nothing_else(runtime):
    companion = await leased(runtime)

    await ask(runtime, "turn/start", "r1", SECRET)
    dumped = str(await runtime.pool.fetch("select * from receipt")) + str(
        await runtime.pool.fetch("select * from event")
    )
    sealed = await runtime.pool.fetchval("select ciphertext from delivery")
    shown = await receipt(runtime, "r1")
    (entry,) = await companion.feed()

    assert entry["body"]["params"] == SECRET
    for secret in ("hunter2", "sk-abcdefghijklmnopqrstuv"):
        assert secret not in dumped
        assert secret.encode() not in sealed
    assert shown["params"]["api_key"] == "[redacted]"
    assert shown["params"]["big"] == 2**70


async def test_the_same_request_again_is_the_same_receipt_and_other_content_a_conflict(runtime):
    companion = await leased(runtime)

    first = await ask(runtime, "turn/start", "r1", {"a": 1, "b": 2})
    again = await ask(runtime, "turn/start", "r1", {"b": 2, "a": 1})
    other = await ask(runtime, "turn/start", "r1", {"a": 1, "b": 3})
    method = await ask(runtime, "thread/read", "r1", {"a": 1, "b": 2})

    assert again.data == first.data
    assert [(answer.status, answer.reason) for answer in (other, method)] == [(409, "different_content")] * 2
    assert len(await companion.feed()) == 1


async def test_the_content_is_compared_before_redaction(runtime):
    await leased(runtime)

    await ask(runtime, "turn/start", "r1", {"password": "one"})
    other = await ask(runtime, "turn/start", "r1", {"password": "two"})

    assert (other.status, other.reason) == (409, "different_content")


async def test_of_identical_requests_at_once_one_is_accepted_and_all_get_its_receipt(runtime):
    companion = await leased(runtime)

    answers = await asyncio.gather(*(ask(runtime, "turn/start", "r1", {"n": 1}) for _ in range(8)))

    assert {answer.status for answer in answers} == {202}
    assert len({answer.body for answer in answers}) == 1
    assert types(await frames(runtime, "w")).count("worker.request.received") == 1
    assert len(await companion.feed()) == 1


async def test_identical_machine_requests_at_once_are_one_too(runtime):
    companion = Companion(runtime)
    await companion.register()

    answers = await asyncio.gather(
        *(ask(runtime, "thread/list", "r1", path="/machines/m1") for _ in range(8)),
    )

    assert len({answer.body for answer in answers}) == 1
    assert len(await companion.feed()) == 1


async def test_an_acceptance_that_fails_leaves_nothing_and_may_be_repeated(runtime, monkeypatch):
    companion = await leased(runtime)

    async def fail(*_):
        raise ConnectionResetError

    with monkeypatch.context() as broken:
        broken.setattr("autopilot.runtime.requests.feed_entries.add", fail)
        lost = await ask(runtime, "turn/start", "r1")
    for table in ("receipt", "delivery", "feed_entry"):
        assert await runtime.pool.fetchval(f"select count(*) from {table}") == 0
    assert types(await frames(runtime, "w")) == ["worker.lease.claimed"]
    repeated = await ask(runtime, "turn/start", "r1")

    assert (lost.status, lost.json["error"]["details"][0]["outcome"]) == (503, "unknown")
    assert repeated.status == 202
    assert len(await companion.feed()) == 1


async def test_a_request_without_an_id_gets_one(runtime):
    await leased(runtime)

    answer = await call(
        runtime, "POST", "/workers/w/requests", {"request": {"method": "thread/read"}}, query="wait_ms=0"
    )

    assert (await receipt(runtime, answer.data["request_id"]))["method"] == "thread/read"


@pytest.mark.parametrize(("method", "field"), [("turn/interrupt", "turnId"), ("turn/steer", "expectedTurnId")])
async def test_interrupt_and_steer_without_their_turn_are_refused_without_a_receipt(runtime, method, field):
    await leased(runtime)

    answer = await ask(runtime, method, "r1", {})

    assert (answer.status, answer.reason) == (422, "turn_id_required")
    assert answer.json["error"]["details"][0]["field"] == f"request.params.{field}"
    assert await runtime.pool.fetchval("select count(*) from receipt") == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"request": {}}, 400),
        ({"request": {"method": None}}, 400),
        ({"request": {"method": 7}}, 422),
        ({"request": {"method": "a b"}}, 422),
        ({"request": {"method": "turn/start", "params": []}}, 422),
        ({"request": {"method": "turn/start", "request_id": "a b"}}, 422),
        ({"request": {"method": "worker/stop"}}, 422),
    ],
)
async def test_a_body_that_asks_for_nothing_sound_is_refused(runtime, body, status):
    await leased(runtime)

    assert (await call(runtime, "POST", "/workers/w/requests", body)).status == status


@pytest.mark.parametrize("wait_ms", ["-1", "60001", "x"])
async def test_a_wait_is_within_its_range(runtime, wait_ms):
    await leased(runtime)
    body = {"request": {"method": "turn/start"}}

    assert (await call(runtime, "POST", "/workers/w/requests", body, query=f"wait_ms={wait_ms}")).status == 422


async def test_a_wait_that_is_over_answers_with_the_receipt_so_far(runtime):
    await leased(runtime)

    answer = await ask(runtime, "turn/start", "r1", wait_ms=1)

    assert (answer.status, answer.data["state"]) == (202, "accepted")


@pytest.mark.parametrize("path", ["/workers/w", "/machines/m1"])
async def test_a_denied_method_is_refused_with_a_receipt_and_again_the_same(runtime, path):
    companion = await leased(runtime)

    first = await ask(runtime, "thread/shellCommand", "r1", {"command": "id"}, path=path)
    again = await ask(runtime, "thread/shellCommand", "r1", {"command": "id"}, path=path)

    assert (first.status, first.reason) == (403, "policy_denied.method")
    assert (again.status, again.body) == (first.status, first.body)
    stored = await receipt(runtime, "r1", path=path)
    assert (stored["state"], stored["error"]["code"]) == ("rejected", "policy_denied.method")
    assert await companion.feed() == []
    assert await runtime.pool.fetchval("select count(*) from delivery") == 0
    denials = [frame for frame in await frames(runtime, "w") if frame["eventType"] == "worker.policy.denied"]
    assert [denial["payload"]["reason_code"] for denial in denials] == (
        ["policy_denied.method"] if path == "/workers/w" else []
    )


async def test_an_unknown_method_is_accepted_for_its_executor_to_refuse(runtime):
    companion = await leased(runtime)

    await ask(runtime, "thread/somethingNew", "r1")
    await companion.feed()
    judged = await companion.report("r1", "rejected", "w", error={"code": "unsupported", "message": "not here"})
    answer = await ask(runtime, "thread/somethingNew", "r1")

    assert judged["applied"]
    assert (answer.status, answer.data["ok"], answer.data["state"]) == (200, False, "rejected")
    assert answer.data["error"]["code"] == "unsupported"
    assert types(await frames(runtime, "w"))[-1] == "worker.request.rejected"


async def test_a_machine_request_is_rows_only_and_ends_by_report(runtime):
    companion = await leased(runtime)
    before = len(await frames(runtime, "w"))

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(
            ask(runtime, "thread/start", "r1", {"cwd": "/"}, path="/machines/m1", wait_ms=20_000)
        )
        async with companion.following() as feed:
            entry = await anext(feed)
        await companion.report("r1", "acknowledged")
        await companion.report("r1", "completed", response={"worker_id": "w2", "access_token": "t0p"})
        answer = await asking

    assert entry["body"]["target"] == "machine"
    assert entry["worker_id"] is None
    assert answer.status == 200
    assert answer.data["response"] == {"worker_id": "w2", "access_token": "[redacted]"}
    assert answer.data["machine_id"] == "m1"
    assert len(await frames(runtime, "w")) == before


async def test_a_machines_method_sent_to_a_worker_runs_on_that_workers_machine(runtime):
    companion = await leased(runtime)

    await ask(runtime, "model/list", "r1")
    (entry,) = await companion.feed()
    await companion.respond("w", "r1", {"data": []})

    assert (entry["body"]["target"], entry["worker_id"]) == ("worker", "w")
    assert (await receipt(runtime, "r1"))["state"] == "completed"


async def test_a_request_to_a_worker_never_leased_waits_for_the_first_machine(runtime):
    await insert_worker(runtime, "w")
    await ask(runtime, "turn/start", "r1", {"n": 1})
    companion = Companion(runtime)
    await companion.register()

    assert await companion.feed() == []
    await companion.claim("w")
    (entry,) = await companion.feed()

    assert entry["body"]["params"] == {"n": 1}


async def test_a_machine_that_takes_over_gets_what_nobody_was_handed_and_the_rest_is_indeterminate(runtime):
    first = await leased(runtime)
    await ask(runtime, "turn/start", "handed")
    await first.feed()
    await ask(runtime, "turn/start", "waiting")
    await first.release("w")
    second = Companion(runtime, "m2")
    await second.register()

    await second.claim("w")

    assert [entry["request_id"] for entry in await second.feed()] == ["waiting"]
    assert (await receipt(runtime, "handed"))["state"] == "indeterminate"
    assert [(e["request_id"], e["body"]) for e in await first.feed(0)] == [("handed", None), ("waiting", None)]


async def test_a_stopped_worker_takes_no_requests_but_still_shows_old_receipts(runtime):
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "old")
    await companion.append("w", "worker.stopped", "end")

    new = await ask(runtime, "turn/start", "new")
    old = await ask(runtime, "turn/start", "old")

    assert (new.status, new.reason) == (409, "worker_stopped")
    assert (old.status, old.data["state"]) == (200, "rejected")


@pytest.mark.parametrize("path", ["/workers/w", "/machines/m1"])
async def test_nobody_else_asks_reads_or_cancels(runtime, path):
    await leased(runtime)
    await ask(runtime, "turn/start", "r1", path=path)

    for claims in (STRANGER, machine_claims("m2", user_id=2)):
        assert (await ask(runtime, "turn/start", "r2", path=path, claims=claims)).status == 403
        assert (await call(runtime, "GET", f"{path}/requests/r1", claims=claims)).status == 403
        assert (await call(runtime, "POST", f"{path}/requests/r1/cancel", claims=claims)).status == 403
    assert (await ask(runtime, "turn/start", "r2", path=path, claims=OBSERVER)).status == 403
    assert (await call(runtime, "GET", f"{path}/requests/r1", claims=OBSERVER)).status == 200
    assert (await call(runtime, "GET", f"{path}/requests/nope", claims=OWNER)).status == 404
    assert (await ask(runtime, "turn/start", "r1", path="/workers/none")).status == 404
    assert (await ask(runtime, "turn/start", "r1", path="/machines/none")).status == 404
