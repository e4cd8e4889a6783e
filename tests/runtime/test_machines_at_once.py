"""Everything that machines and people do, at once: no deadlock, no gap, no receipt that went back."""

from __future__ import annotations

import asyncio
import random

import asyncpg
import pytest

from autopilot.runtime.receipts_states import ENDED, STATES
from autopilot.testing.machines import Companion, ask, leased
from autopilot.testing.runtime import call, frames

WORKERS = [f"w{n}" for n in range(4)]
ROUNDS = 12
REFUSALS = {200, 202, 403, 404, 409, 410}


async def person(runtime, rng, name):
    for n in range(ROUNDS):
        worker, request = rng.choice(WORKERS), f"{name}-{n}"
        path = rng.choice([f"/workers/{worker}", "/machines/m0"])
        method = rng.choice(["turn/start", "thread/read", "thread/shellCommand"])
        answers = [await ask(runtime, method, request, path=path)]
        if rng.random() < 0.3:
            answers.append(await call(runtime, "POST", f"{path}/requests/{request}/cancel"))
        if rng.random() < 0.1:
            answers.append(await call(runtime, "POST", f"/workers/{worker}/stop", {"force": rng.random() < 0.5}))
            answers.append(await call(runtime, "POST", "/workers", {"worker_id": worker}))
        assert {answer.status for answer in answers} <= REFUSALS, answers


async def machine(companion, rng, name):
    answers = []
    for n in range(ROUNDS):
        for entry in await companion.feed():
            if entry["kind"] != "request" or entry["body"] is None:
                continue
            worker, request = entry["worker_id"], entry["request_id"]
            await companion.report(request, "acknowledged", worker)
            if worker is None:
                await companion.report(request, "completed", response={})
            else:
                answers.append(await companion.respond(worker, request, {"n": n}))
        worker = rng.choice(WORKERS)
        answers.append(await companion.append(worker, "worker.heartbeat", f"beat-{name}-{n}"))
        answers.append(await companion.append(worker, "worker.event", f"said-{name}-{n}", source="autopilot-desktop"))
        if rng.random() < 0.4:
            answers.append(await companion.claim(rng.choice(WORKERS), ttl_ms=1000))
        held = [{"worker_id": w, "generation": g} for w, g in rng.sample(sorted(companion.generations.items()), k=2)]
        answers.append(await companion.post(f"/machines/{companion.machine_id}/heartbeat", {"workers": held}))
    assert {answer.status for answer in answers} <= REFUSALS, [a.body for a in answers if a.status not in REFUSALS]


async def sweeps(runtime):
    for _ in range(ROUNDS):
        await runtime.machines.sweeper.sweep()


@pytest.mark.slow
@pytest.mark.seeds(3, 100)
async def test_everything_at_once_neither_deadlocks_nor_breaks_what_always_holds(runtime, database, seed):
    first = await leased(runtime, WORKERS[0], "m0")
    for worker in WORKERS[1:]:
        await leased(runtime, worker, "m0")
        await first.claim(worker)
    second = Companion(runtime, "m1")
    await second.register()
    second.generations = dict.fromkeys(WORKERS, 1)

    async with asyncio.timeout(100), asyncio.TaskGroup() as tasks:
        for n in range(3):
            tasks.create_task(person(runtime, random.Random(f"{seed}-p{n}"), f"p{n}"))
        for n, companion in enumerate((first, first, second)):
            tasks.create_task(machine(companion, random.Random(f"{seed}-m{n}"), f"m{n}"))
        tasks.create_task(sweeps(runtime))

    for worker in WORKERS:
        log = await frames(runtime, worker)
        assert [frame["seq"] for frame in log] == list(range(1, len(log) + 1))
        generations = [f["payload"]["generation"] for f in log if f["eventType"] == "worker.lease.claimed"]
        assert generations == sorted(set(generations))
    for row in await runtime.pool.fetch("select * from receipt"):
        assert row["state"] in STATES
        assert (row["ended_at"] is not None) == (row["state"] in ENDED)
    sealed = "select count(*) from delivery join receipt using (target_kind, target_id, request_id)"
    assert await runtime.pool.fetchval(f"{sealed} where ended_at is not null") == 0
    for row in await runtime.pool.fetch("select machine_id, latest_feed_seq from feed_head"):
        seqs = await runtime.pool.fetch("select feed_seq from feed_entry where machine_id = $1 order by 1", row[0])
        assert [seq[0] for seq in seqs] == list(range(1, row[1] + 1))
    connection = await asyncpg.connect(database)
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    try:
        assert await connection.fetchval(deadlocks) == 0
    finally:
        await connection.close()
