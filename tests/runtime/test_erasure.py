"""Users whose accounts were deleted: stopped, emptied, and the chain of seals still proves all the rest."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest
from tests.runtime.test_artifacts import refers
from tests.runtime.test_seal import sealer_of, verify
from tests.runtime.test_sharing import WAITS
from tests.waiting import until

from autopilot.contract.port import Claims
from autopilot.runtime import erasure, erasure_rows
from autopilot.runtime.app import build
from autopilot.runtime.erasure import Erasure
from autopilot.testing.approvals import question
from autopilot.testing.machines import ask, leased, receipt
from autopilot.testing.runtime import OWNER, call, frames

SECRET = "what-only-ada-said"
THE_API = Claims(user_id=OWNER.user_id, surface="runtime")


@pytest.fixture
async def runtime(database: str, settings):
    """One in which nothing sweeps but the test."""
    built = await build(settings, dsn=database)
    built.background = [built.ledger.run, built.wakeups.run, built.tail.hub.run]
    async with built:
        yield built


async def delete(runtime, claims: Claims = THE_API, device_ids: tuple[str, ...] = ("device-1", "device-m1")):
    return await call(
        runtime, "POST", f"/users/{OWNER.user_id}/deleted", {"device_ids": list(device_ids)}, claims=claims
    )


async def settle(runtime) -> None:
    """A quarter of a minute later."""
    await runtime.pool.execute("update deleted_user set deleted_at = deleted_at - interval '1 minute'")
    await runtime.erasure.sweep()


async def lived(runtime):
    """A worker with a life, and what is left of it in every table."""
    companion = await leased(runtime)
    await companion.append("w", "worker.event", "e1", text=SECRET)
    await companion.append("w", "worker.event", "e2", text=SECRET)
    await ask(runtime, "turn/start", "r1", {"input": [{"text": SECRET}]})
    await ask(runtime, "thread/list", "r2", {"cwd": SECRET}, path="/machines/m1")
    asked = question("w", 0, title=SECRET, evidence={"reason": SECRET})
    assert (await companion.ask_approval("w", asked)).status == 202
    await companion.register(name=SECRET)
    return companion


async def holding(runtime, text: str) -> set[str]:
    """The tables that hold a text anywhere."""
    found = set()
    tables = await runtime.pool.fetch("select schemaname || '.' || tablename as name from pg_tables "
        "where schemaname in ('api', 'runtime')")  # fmt: skip
    for table in tables:
        if await runtime.pool.fetchval(
            f"select exists (select from {table['name']} t where t::text like $1)", f"%{text}%"
        ):
            found.add(table["name"])
    return found


async def test_workers_are_stopped_and_nothing_that_was_said_is_left(runtime):
    await lived(runtime)
    wherever = {"event", "receipt", "approval", "machine"}
    assert {table.partition(".")[2] for table in await holding(runtime, SECRET)} >= wherever

    assert (await delete(runtime)).status == 200
    await runtime.erasure.sweep()

    events = await frames(runtime, "w")
    assert events[-1]["eventType"] == "worker.stopped"
    assert events[-1]["payload"]["reason"] == "account_deleted"
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert await holding(runtime, SECRET) == set()
    stored = await receipt(runtime, "r2", path="/machines/m1")
    assert stored["state"] == "rejected"
    assert await runtime.pool.fetchval("select count(*) from delivery") == 0


async def ended_before(runtime, companion, worker_id: str) -> None:
    """A worker with artifacts that ended with the account still there: its log's end is words of its user."""
    body = {"worker_id": worker_id, "adapter": SECRET, "workspace_ref": SECRET, "metadata": {"note": SECRET}}
    assert (await call(runtime, "POST", "/workers", body)).status == 202
    assert (await companion.claim(worker_id)).status == 200
    text = f"{SECRET} " * 5000
    ref = refers(text, path=f"/response/{SECRET}")
    assert (await ask(runtime, "thread/read", "r", {"note": SECRET}, path=f"/workers/{worker_id}")).status == 202
    answered = {"source": "autopilot-desktop", "request_id": "r", "ok": True, "response": SECRET, "artifacts": [ref]}
    assert (await companion.append(worker_id, "worker.response", "a", **answered)).status == 202
    part = {"artifact_id": ref["artifact_id"], "offset": 0, "text": text}
    stored = {"artifacts": [part], "generation": companion.generations[worker_id]}
    assert (await companion.post(f"/workers/{worker_id}/artifacts", stored)).data[0]["state"] == "stored"
    said = {"source": "autopilot-desktop", "reason": SECRET, "note": SECRET}
    assert (await companion.append(worker_id, "worker.stopped", "s", **said)).status == 202


async def test_of_workers_that_had_ended_before_nothing_is_left_either(runtime):
    companion = await leased(runtime)
    await ended_before(runtime, companion, "before")
    held = {table.partition(".")[2] for table in await holding(runtime, SECRET)}
    assert held >= {"event", "receipt", "worker", "worker_state", "artifact"}
    assert await runtime.pool.fetchval("select artifacts from receipt") is not None

    await delete(runtime)
    await runtime.erasure.sweep()

    assert await holding(runtime, SECRET) == set()
    assert await runtime.pool.fetchval("select count(*) from artifact_chunk") == 0
    assert await runtime.pool.fetchval("select count(*) from receipt where artifacts is not null") == 0
    assert [event["payload"] for event in await frames(runtime, "before")][-1] == {"method": None, "pruned": True}
    await sealer_of(runtime).seal_all()
    assert (await verify(runtime)).findings == []


async def test_much_is_emptied_in_bounded_steps_that_go_on_where_they_were(runtime, monkeypatch: pytest.MonkeyPatch):
    companion = await leased(runtime)
    for number in range(5):
        await ended_before(runtime, companion, f"w{number}")
    for number in range(5):
        await ask(runtime, "thread/list", f"m{number}", {"cwd": SECRET}, path="/machines/m1")
    await delete(runtime)
    steps: list[int] = []
    page = erasure_rows._empty_page

    async def counted(*arguments):
        steps.append(await page(*arguments))
        if len(steps) == 3:
            raise KeyboardInterrupt
        return steps[-1]

    monkeypatch.setattr(erasure_rows, "_empty_page", counted)
    monkeypatch.setattr(erasure_rows, "PAGE_ROWS", 2)
    monkeypatch.setattr(erasure, "AT_ONCE", 2)
    with pytest.raises(KeyboardInterrupt):
        await runtime.erasure.sweep()
    await runtime.erasure.sweep()

    assert await holding(runtime, SECRET) == set()
    assert max(steps) == 2
    written = sum(steps)
    await runtime.erasure.sweep()
    assert sum(steps) == written, "what is empty was written again"


async def test_telling_again_and_sweeping_again_changes_nothing_and_says_once_that_it_is_done(runtime):
    await lived(runtime)
    for _ in range(2):
        assert (await delete(runtime)).status == 200
        await runtime.erasure.sweep()
    before = await frames(runtime, "w")

    await settle(runtime)
    await settle(runtime)

    assert await frames(runtime, "w") == before
    rows = await runtime.pool.fetch("select subject, detail from audit_entry where action = 'account_emptied'")
    assert [tuple(row) for row in rows] == [(f"user:{OWNER.user_id}", '{"altered_logs":0}')]


async def test_nothing_is_taken_from_them_any_more_also_what_was_on_its_way(runtime):
    companion = await lived(runtime)
    await delete(runtime)
    late = dataclasses.replace(OWNER, device_id="device-nobody-named")

    answer = await ask(runtime, "turn/start", "late", {"input": []}, claims=late)
    assert (answer.status, answer.reason) == (401, "token_refused")
    late_worker = await call(runtime, "POST", "/workers", {"worker_id": "late", "workspace_ref": SECRET}, claims=OWNER)
    await companion.append("w", "worker.event", "e3", text=SECRET)
    assert late_worker.status == 202
    await settle(runtime)

    assert await holding(runtime, SECRET) == set()
    assert await runtime.pool.fetchval("select count(*) from worker_state where status = 'running'") == 0


async def test_words_that_postgres_reads_no_json_of_are_emptied_as_any_others(runtime):
    companion = await leased(runtime)
    approval = question("w")
    assert (await companion.ask_approval("w", approval)).status == 202
    body = f'{{"option_id":"decline","message":"{SECRET}\\u0000"}}'.encode()
    path = f"/approvals/{approval['approval_id']}/decision"
    assert (await call(runtime, "POST", path, body=body)).status == 200

    await delete(runtime)
    await settle(runtime)

    assert await holding(runtime, SECRET) == set()
    kept = json.loads(await runtime.pool.fetchval("select decision from approval"))
    assert (kept["actor"]["device_id"], kept["option_id"]) == (OWNER.device_id, "decline")
    assert await runtime.pool.fetchval("select count(*) from deleted_user where emptied_at is null") == 0


async def test_a_user_whom_it_fails_for_keeps_no_other_waiting(runtime, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(erasure, "AT_ONCE", 20)
    await lived(runtime)
    await runtime.pool.execute(
        "insert into deleted_user (user_id, deleted_at) select n, '2020-01-01' from generate_series(100, 121) n"
    )
    await delete(runtime)
    stop = Erasure._stop

    async def fails(self, user_id: int) -> None:
        if user_id >= 100:
            raise LookupError(user_id)
        await stop(self, user_id)

    monkeypatch.setattr(Erasure, "_stop", fails)
    await settle(runtime)

    assert await holding(runtime, SECRET) == set()
    left = await runtime.pool.fetch("select user_id from deleted_user where emptied_at is null order by user_id")
    assert [row["user_id"] for row in left] == list(range(100, 122))


async def test_emptying_waits_for_a_move_of_their_machine_without_a_worker_that_the_move_needs(runtime):
    await lived(runtime)
    await delete(runtime)
    async with (
        asyncio.timeout(30),
        asyncio.TaskGroup() as group,
        runtime.pool.acquire() as conn,
        conn.transaction(),
    ):
        await conn.execute("select from machine for no key update")
        group.create_task(runtime.erasure.sweep())
        await until(lambda: runtime.pool.fetchval(WAITS))
        await conn.execute("select from worker for update nowait")
    assert await holding(runtime, SECRET) == set()


@pytest.mark.parametrize("step", ["_stop", "_empty", "_finish"])
async def test_a_runtime_that_dies_in_the_middle_goes_on_where_it_was(
    runtime, step: str, monkeypatch: pytest.MonkeyPatch
):
    await lived(runtime)
    await delete(runtime)
    whole = getattr(Erasure, step)

    async def dies(self, *arguments):
        await whole(self, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Erasure, step, dies)
        with pytest.raises(KeyboardInterrupt):
            await settle(runtime)

    await settle(runtime)

    assert await holding(runtime, SECRET) == set()
    assert await runtime.pool.fetchval("select count(*) from audit_entry where action = 'account_emptied'") == 1


async def test_only_the_api_says_whose_account_was_deleted(runtime):
    for claims in (OWNER, Claims(user_id=9, surface="runtime"), dataclasses.replace(THE_API, device_id="d")):
        answer = await delete(runtime, claims)
        assert (answer.status, answer.reason) == (403, "user")
    assert (await call(runtime, "POST", "/users/1/deleted", {}, claims=THE_API)).status == 400
    assert await runtime.pool.fetchval("select count(*) from deleted_user") == 0


async def test_the_chain_of_seals_proves_all_that_is_left_of_them_and_of_everybody_else(runtime):
    await lived(runtime)
    await sealer_of(runtime).seal_all()
    await delete(runtime)
    await runtime.erasure.sweep()
    assert (await verify(runtime)).findings == []

    await sealer_of(runtime).seal_all()
    await settle(runtime)
    await sealer_of(runtime).seal_all()

    report = await verify(runtime)
    assert report.findings == []
    assert report.pruned > 0
    await runtime.pool.execute("update event set frame = replace(frame, 'pruned', 'prune!') where pruned")
    assert (await verify(runtime)).findings != []
