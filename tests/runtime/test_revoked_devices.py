"""What a revoked device asked for and nobody took yet (docs/runtime-contract.md, "Revoked devices")."""

from __future__ import annotations

import asyncio
import dataclasses

from autopilot.contract.port import Claims
from autopilot.runtime import revocation
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

    assert (answer.status, answer.data) == (200, {"device_id": "device-1", "rejected": 2})
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
