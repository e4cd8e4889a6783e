"""Artifacts whose machine can't bring the rest any more: said as lost, with what has arrived, and taken if it comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.runtime.test_artifacts import refers, text_of

from autopilot.contract.port import Claims
from autopilot.ops.clock import SystemClock
from autopilot.runtime import artifacts_store
from autopilot.runtime.app import Runtime
from autopilot.runtime.artifacts_store import collect
from autopilot.runtime.retention import Retention
from autopilot.testing.machines import Companion
from autopilot.testing.runtime import OWNER, Answer, call, insert_worker

TEXT = text_of(300_000)
REF = refers(TEXT)
PIECE = 100_000


class Machine(Companion):
    """Announces the artifact, and brings it piece by piece."""

    async def announce(self) -> None:
        payload = {"source": "autopilot-desktop", "method": "item/completed", "params": {}, "artifacts": [REF]}
        assert (await self.append("w", "worker.event", f"e-{self.machine_id}", **payload)).status == 202

    async def bring(self, offset: int, text: str) -> Answer:
        part = {"artifact_id": REF["artifact_id"], "offset": offset, "text": text}
        body = {"artifacts": [part], "generation": self.generations["w"]}
        return await self.post("/workers/w/artifacts", body)

    async def bring_all(self) -> str:
        """From where the runtime says: what became of it."""
        (told,) = (await self.bring(0, "")).data
        while told["state"] == "pending":
            text = TEXT.encode()[told["next_offset"] :].decode()
            (told,) = (await self.bring(told["next_offset"], text)).data
        return str(told["state"])


@pytest.fixture
async def first(runtime: Runtime) -> Machine:
    """Has announced it, and brought a part."""
    await insert_worker(runtime, "w")
    machine = Machine(runtime)
    await machine.register()
    await machine.claim("w")
    await machine.announce()
    assert (await machine.bring(0, TEXT[:PIECE])).data[0]["state"] == "pending"
    return machine


async def read(runtime: Runtime, query: str = "", claims: Claims = OWNER) -> Answer:
    return await call(runtime, "GET", f"/workers/w/artifacts/{REF['artifact_id']}", query=query, claims=claims)


async def listed(runtime: Runtime) -> dict[str, Any]:
    (found,) = (await call(runtime, "GET", "/workers/w/artifacts")).data
    return dict(found)


async def grow_older(runtime: Runtime, days: int) -> None:
    """So many days go by for the artifact, and for the events that announce it."""
    ago = timedelta(days=days)
    await runtime.pool.execute("update artifact set announced_at = announced_at - $1::interval", ago)
    await runtime.pool.execute("update event set occurred_at = occurred_at - $1::interval", ago)


async def sweep(runtime: Runtime) -> None:
    await Retention(runtime.ledger, runtime.pool, runtime.settings, SystemClock()).sweep()


async def other(runtime: Runtime) -> Machine:
    machine = Machine(runtime, "m2")
    await machine.register()
    return machine


async def test_what_the_former_machine_did_not_bring_is_lost_and_what_arrived_of_it_can_be_read(
    runtime: Runtime, first: Machine
) -> None:
    await first.release("w")
    assert (await read(runtime)).reason == "artifact_pending"

    await (await other(runtime)).claim("w")

    missing = await read(runtime)
    assert (missing.status, missing.reason) == (404, "artifact_lost")
    facts = missing.json["error"]["details"][0]
    assert (facts["bytes"], facts["lost_reason"], facts["sha256"]) == (REF["bytes"], "machine_replaced", REF["sha256"])
    arrived = await read(runtime, "incomplete=true")
    assert (arrived.status, arrived.headers["x-autopilot-incomplete"]) == (200, "true")
    assert 0 < facts["received_bytes"] <= len(TEXT[:PIECE].encode())
    assert arrived.body == TEXT.encode()[: facts["received_bytes"]]
    known = await listed(runtime)
    assert (known["state"], known["lost_reason"]) == ("lost", "machine_replaced")
    assert known["stored_bytes"] == len(arrived.body)
    assert (await first.bring(facts["received_bytes"], "")).reason == "fenced"


async def test_another_machine_that_has_it_after_all_goes_on_where_the_first_one_was_cut_off(
    runtime: Runtime, first: Machine
) -> None:
    await first.release("w")
    second = await other(runtime)
    await second.claim("w")

    assert await second.bring_all() == "stored"

    whole = await read(runtime)
    assert (whole.status, whole.body) == (200, TEXT.encode())
    assert whole.headers["x-autopilot-incomplete"] == "false"
    assert (await listed(runtime))["lost_reason"] is None


async def test_what_is_announced_anew_is_expected_again(runtime: Runtime, first: Machine) -> None:
    await first.release("w")
    second = await other(runtime)
    await second.claim("w")

    await second.announce()

    assert (await read(runtime)).reason == "artifact_pending"
    assert await second.bring_all() == "stored"


async def test_the_same_machine_that_claims_again_loses_nothing(runtime: Runtime, first: Machine) -> None:
    await first.claim("w")

    assert (await read(runtime)).reason == "artifact_pending"
    assert await first.bring_all() == "stored"


async def test_what_a_machine_that_is_signed_out_did_not_bring_is_lost_until_it_is_let_in_again(
    runtime: Runtime, first: Machine
) -> None:
    signed_out = replace(first.claims, scopes=frozenset())
    told = await call(runtime, "POST", f"/devices/{first.claims.device_id}/revoked", claims=signed_out)
    assert told.status == 200

    missing = await read(runtime)
    assert missing.reason == "artifact_lost"
    assert missing.json["error"]["details"][0]["lost_reason"] == "machine_revoked"

    assert await first.bring_all() == "stored"


@pytest.mark.parametrize(("days", "reason"), [(29, "artifact_pending"), (31, "artifact_lost")])
async def test_what_does_not_come_within_thirty_days_is_lost(
    runtime: Runtime, first: Machine, days: int, reason: str
) -> None:
    await grow_older(runtime, days)

    await sweep(runtime)

    assert (await read(runtime)).reason == reason
    assert await first.bring_all() == "stored"


async def test_what_is_announced_anew_has_thirty_days_again(runtime: Runtime, first: Machine) -> None:
    await grow_older(runtime, 31)
    await sweep(runtime)
    assert (await read(runtime)).reason == "artifact_lost"
    await first.release("w")
    second = await other(runtime)
    await second.claim("w")

    await second.announce()
    await sweep(runtime)

    assert (await read(runtime)).reason == "artifact_pending"
    await grow_older(runtime, 31)
    await sweep(runtime)
    assert (await read(runtime)).reason == "artifact_lost"


async def test_what_is_stored_is_never_lost(runtime: Runtime, first: Machine) -> None:
    assert await first.bring_all() == "stored"
    await first.release("w")

    await (await other(runtime)).claim("w")

    assert (await read(runtime)).status == 200


async def test_incomplete_is_a_choice_of_two(runtime: Runtime, first: Machine) -> None:
    assert (await read(runtime, "incomplete=perhaps")).reason == "invalid_value"
    assert (await read(runtime, "incomplete=false")).reason == "artifact_pending"
    assert await first.bring_all() == "stored"
    assert (await read(runtime, "incomplete=true")).headers["x-autopilot-incomplete"] == "false"


async def test_with_a_worker_goes_all_of_its_artifacts(runtime: Runtime, first: Machine) -> None:
    assert await first.bring_all() == "stored"

    await runtime.pool.execute("delete from worker where worker_id = 'w'")
    await collect(runtime.pool)

    for table in ("artifact", "artifact_chunk", "artifact_use", "artifact_total", "artifact_remains"):
        assert await runtime.pool.fetchval(f"select count(*) from {table}") == 0  # a table's name


async def test_what_has_all_arrived_is_never_lost_and_is_finished_where_its_caller_was_cut_off(
    runtime: Runtime, first: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut_off(*_: object) -> None:
        raise ConnectionError("the process ended here")

    with monkeypatch.context() as patch:
        patch.setattr(artifacts_store, "finish", cut_off)
        (told,) = (await first.bring(0, "")).data
        rest = TEXT.encode()[told["next_offset"] :].decode()
        assert (await first.bring(told["next_offset"], rest)).status == 503
    await first.release("w")
    second = await other(runtime)
    assert (await second.claim("w")).status == 200
    await grow_older(runtime, 31)
    assert (await listed(runtime))["state"] == "pending"

    await sweep(runtime)

    assert (await listed(runtime))["state"] == "stored"
    assert (await read(runtime)).body == TEXT.encode()
