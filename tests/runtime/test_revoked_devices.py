"""What a revoked device asked for and nobody took yet (docs/runtime-contract.md, "Revoked devices")."""

from __future__ import annotations

import asyncio
import dataclasses

from autopilot.contract.port import Claims
from autopilot.runtime import revocation
from autopilot.testing.approvals import approval_of, decide, open_ids, question
from autopilot.testing.machines import Companion, ask, leased, receipt
from autopilot.testing.runtime import OWNER, call, frames

OTHER = dataclasses.replace(OWNER, device_id="device-9")


async def revoke(runtime, claims: Claims = OWNER):
    return await call(runtime, "POST", f"/devices/{claims.device_id}/revoked", claims=claims)


async def test_undelivered_requests_of_a_revoked_device_are_rejected_and_the_log_says_why(runtime):
    await leased(runtime)
    await ask(runtime, "turn/start", "r1", {"input": []})
    await ask(runtime, "turn/start", "r1", {"input": []}, path="/machines/m1")

    answer = await revoke(runtime)

    assert (answer.status, answer.data) == (200, {"device_id": "device-1", "rejected": 2, "reopened": 0})
    for path in ("/workers/w", "/machines/m1"):
        stored = await receipt(runtime, "r1", path=path)
        assert (stored["state"], stored["error"]["code"]) == ("rejected", "device_revoked")
        assert stored["ended_at"] is not None
    told = (await frames(runtime, "w"))[-1]
    assert told["eventType"] == "worker.request.rejected"
    assert told["payload"]["request_id"] == "r1"
    assert told["payload"]["reason_code"] == "device_revoked"
    assert told["actor"]["surface"] == "runtime"
    assert await runtime.pool.fetchval("select count(*) from delivery") == 0


async def test_a_machine_that_comes_back_is_handed_none_of_it(runtime):
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "mine", {"input": []})
    await ask(runtime, "turn/start", "others", {"input": []}, claims=OTHER)
    await revoke(runtime)

    entries = await companion.feed()

    assert [(entry["request_id"], entry["body"] is None) for entry in entries] == [("mine", True), ("others", False)]


async def test_what_a_machine_was_handed_goes_on(runtime):
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "r1", {"input": []})
    await companion.feed()

    answer = await revoke(runtime)

    assert answer.data["rejected"] == 0
    assert (await receipt(runtime, "r1"))["state"] == "delivered"


async def test_a_stop_is_not_taken_back(runtime):
    await leased(runtime)
    stopping = await call(runtime, "POST", "/workers/w/stop", {})

    await revoke(runtime)
    await runtime.machines.sweeper.sweep()

    assert stopping.data["status"] == "stopping"
    state = await runtime.pool.fetchval("select state from receipt where method = 'worker/stop'")
    assert state == "accepted"


async def test_telling_again_changes_nothing(runtime):
    await leased(runtime)
    await ask(runtime, "turn/start", "r1", {"input": []})
    await revoke(runtime)
    before = await frames(runtime, "w")

    answer = await revoke(runtime)

    assert (answer.status, answer.data["rejected"]) == (200, 0)
    assert await frames(runtime, "w") == before


async def test_only_the_device_of_the_claims_can_be_named(runtime):
    answer = await call(runtime, "POST", "/devices/device-9/revoked", claims=OWNER)

    assert (answer.status, answer.reason) == (403, "device")


async def test_a_call_that_was_on_its_way_asks_for_nothing(runtime):
    await leased(runtime)
    await revoke(runtime)

    for path in ("/workers/w", "/machines/m1"):
        answer = await ask(runtime, "turn/start", "late", path=path)
        assert (answer.status, answer.reason) == (401, "token_refused")
        assert (await ask(runtime, "turn/start", "fine", path=path, claims=OTHER)).status == 202


async def test_a_request_that_was_accepted_in_the_same_moment_is_swept_up(runtime):
    await leased(runtime)
    await ask(runtime, "turn/start", "r1", {"input": []})
    # The revocation's own look came before the request was committed.
    await runtime.pool.execute(revocation._SQL.revoke, "device-1", runtime.clock.now())

    await runtime.machines.sweeper.sweep()

    assert (await receipt(runtime, "r1"))["error"]["code"] == "device_revoked"


async def test_whoever_waits_for_the_receipt_is_told(runtime):
    await leased(runtime)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask(runtime, "turn/start", "r1", {"input": []}, wait_ms=30_000))
        while not await runtime.pool.fetchval("select count(*) from receipt"):  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0)
        await revoke(runtime)

    assert (asking.result().status, asking.result().data["state"]) == (200, "rejected")


async def test_a_revocation_of_long_ago_is_forgotten(runtime):
    await revoke(runtime)

    await runtime.machines.revocations.forget(runtime.clock.now() + 2 * revocation.REMEMBERED)

    assert await runtime.pool.fetchval("select count(*) from revoked_device") == 0


async def test_requests_of_a_worker_that_no_machine_holds_are_rejected_too(runtime):
    companion = Companion(runtime)
    await companion.register()
    await call(runtime, "POST", "/workers", {"worker_id": "w"})
    await ask(runtime, "turn/start", "r1", {"input": []})

    answer = await revoke(runtime)

    assert answer.data["rejected"] == 1


async def asked(runtime) -> tuple[Companion, str]:
    companion = await leased(runtime)
    approval = question("w")
    assert (await companion.ask_approval("w", approval)).status == 202
    return companion, approval["approval_id"]


async def decisions(companion):
    return [entry["body"] for entry in await companion.feed() if entry["kind"] == "decision"]


async def test_what_a_revoked_device_decided_and_no_machine_had_is_asked_again_and_the_log_says_why(runtime):
    companion, approval_id = await asked(runtime)
    await decide(runtime, approval_id, "accept")

    answer = await revoke(runtime)
    again = await revoke(runtime)

    assert (answer.status, answer.data["reopened"], again.data["reopened"]) == (200, 1, 0)
    found = await approval_of(runtime, approval_id, claims=OTHER)
    assert (found["state"], found["decision"]) == ("pending", None)
    assert await open_ids(runtime) == [approval_id]
    assert await decisions(companion) == [None]
    told = [frame for frame in await frames(runtime, "w") if frame["eventType"] == "worker.approval.reopened"]
    said = {"source": "autopilot-runtime", "approval_id": approval_id, "state": "pending", "reason": "device_revoked"}
    assert [one["payload"] for one in told] == [said]
    assert told[0]["actor"]["surface"] == "runtime"
    assert await runtime.pool.fetchval("select count(*) from approval_answer") == 0


async def test_a_decision_that_was_taken_back_is_in_the_audit_of_who_made_it(runtime):
    _, approval_id = await asked(runtime)
    await decide(runtime, approval_id, "accept")
    await revoke(runtime)

    [line] = (await call(runtime, "GET", "/audit", query="action=decision_taken_back", claims=OTHER)).json["data"]
    assert (line["subject"], line["actor"]["device_id"]) == (f"approval:{approval_id}", OWNER.device_id)
    assert (line["detail"]["option_id"], line["detail"]["reason"]) == ("accept", "device_revoked")


async def test_a_question_that_was_reopened_is_decided_by_another_device_once(runtime):
    companion, approval_id = await asked(runtime)
    await decide(runtime, approval_id, "accept")
    await revoke(runtime)

    late = await decide(runtime, approval_id, "accept")
    taken = await decide(runtime, approval_id, "decline", claims=OTHER)

    assert (late.status, late.reason) == (401, "token_refused")
    assert (taken.status, taken.data["state"]) == (200, "decided")
    assert [body and body["option_id"] for body in await decisions(companion)] == [None, "decline"]
    assert (await approval_of(runtime, approval_id, claims=OTHER))["state"] == "delivered"


async def test_a_decision_that_a_machine_was_handed_goes_on(runtime):
    companion, approval_id = await asked(runtime)
    await decide(runtime, approval_id, "accept")
    assert [body["option_id"] for body in await decisions(companion)] == ["accept"]

    answer = await revoke(runtime)

    assert answer.data["reopened"] == 0
    assert (await approval_of(runtime, approval_id))["state"] == "delivered"


async def test_a_decision_that_came_in_at_the_moment_of_a_revocation_is_taken_back_by_the_sweep(runtime):
    _, approval_id = await asked(runtime)
    await decide(runtime, approval_id, "accept", claims=OTHER)
    await runtime.pool.execute("insert into revoked_device values ($1, now())", OTHER.device_id)

    await runtime.machines.sweeper.sweep()

    assert (await approval_of(runtime, approval_id))["state"] == "pending"


async def test_a_decision_and_its_taking_back_at_once_leave_one_truth(runtime):
    """Handed over or taken back, never both: whoever comes first."""
    companion, approval_id = await asked(runtime)
    await decide(runtime, approval_id, "accept")

    bodies, answer = await asyncio.gather(decisions(companion), revoke(runtime))

    state = (await approval_of(runtime, approval_id, claims=OTHER))["state"]
    assert (state, [body is not None for body in bodies], answer.data["reopened"]) in [
        ("delivered", [True], 0),
        ("pending", [False], 1),
    ]


async def test_words_that_postgres_reads_no_json_of_keep_no_decision_from_being_found_or_taken_back(runtime):
    _, approval_id = await asked(runtime)
    body = b'{"option_id":"decline","message":"no\\u0000, \\"actor\\":{}"}'
    assert (await call(runtime, "POST", f"/approvals/{approval_id}/decision", body=body)).status == 200

    [line] = (await call(runtime, "GET", "/audit", query="action=approval_decided", claims=OTHER)).json["data"]
    answer = await revoke(runtime)

    assert (line["actor"]["device_id"], line["detail"]["option_id"]) == (OWNER.device_id, "decline")
    assert answer.data["reopened"] == 1
