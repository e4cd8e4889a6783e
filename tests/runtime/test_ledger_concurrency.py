"""Many writers, two runtimes over one database, callers that leave, connections that die: the log stays a log."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, suppress

import asyncpg
import pytest

from autopilot.contract.errors import Unavailable
from autopilot.contract.port import RuntimeRequest
from autopilot.db.away import AWAY
from autopilot.runtime.app import build
from autopilot.testing.runtime import OWNER, batch, draft, insert_worker

WORKERS = ("a", "b", "c")


class Follower:
    """Reads one worker's stream to a given end, coming back with its cursor whenever the stream ends."""

    def __init__(self, runtime, worker_id):
        self.runtime, self.worker_id, self.seen = runtime, worker_id, []
        self.grew = asyncio.Event()

    async def reach(self, count):
        while len(self.seen) < count:
            self.grew.clear()
            await self.grew.wait()

    async def run(self, enough: asyncio.Event):
        while not enough.is_set():
            query = f"cursor={self.seen[-1] if self.seen else 0}&tail_ms=200"
            request = RuntimeRequest(OWNER, "GET", f"/workers/{self.worker_id}/stream", query)
            response = await self.runtime.call(request)
            if response.status != 200:
                assert response.status == 503
                continue
            async for chunk in response.body:
                self.seen += [int(line[4:]) for line in chunk.decode().split("\n") if line.startswith("id: ")]
                self.grew.set()


class Writer:
    """Appends batches under names of its own, repeating whatever had an unknown outcome."""

    def __init__(self, runtime, name, seed, after_each):
        self.runtime, self.name, self.random = runtime, name, random.Random(f"{seed}-{name}")
        self.after_each = after_each
        self.recorded: dict[str, dict[str, int]] = {worker: {} for worker in WORKERS}

    async def run(self, rounds):
        for number in range(rounds):
            worker = self.random.choice(WORKERS)
            drafts = [draft(f"{self.name}-{number}-{n}") for n in range(self.random.randint(1, 6))]
            match self.random.randint(0, 9):
                case 0:
                    await self.roll_back(worker)
                case 1:
                    await self.leave(worker, drafts)
            await self.insist(worker, drafts)
            await self.after_each()

    async def insist(self, worker, drafts):
        while True:
            try:
                outcomes = await self.runtime.ledger.append(batch(worker, *drafts))
            except Unavailable:
                continue
            for outcome in outcomes:
                self.recorded[worker][outcome.draft.event_id] = outcome.seq
            return

    async def leave(self, worker, drafts):
        """Cancel the call at some step of its way; what became of it is unknown."""
        async with asyncio.TaskGroup() as tasks:
            call = tasks.create_task(self.quietly(worker, drafts))
            for _ in range(self.random.randint(0, 5)):
                await asyncio.sleep(0)
            call.cancel()

    async def quietly(self, worker, drafts):
        with suppress(Unavailable):
            await self.runtime.ledger.append(batch(worker, *drafts))

    async def roll_back(self, worker):
        try:
            async with self.runtime.ledger.transaction() as tx:
                await tx.append(await tx.lock_worker(worker), [draft(f"lost-{self.name}")])
                raise LookupError
        except (LookupError, *AWAY):
            pass


class Killer:
    """Ends a random server process of the runtimes after every so many recorded batches."""

    def __init__(self, connection, every, seed):
        self.connection, self.every, self.random = connection, every, random.Random(f"kill-{seed}")
        self.recorded = 0
        self.lock = asyncio.Lock()

    async def __call__(self):
        self.recorded += 1
        if not self.every or self.recorded % self.every:
            return
        async with self.lock:
            pids = await self.connection.fetch(
                "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
                " and backend_type = 'client backend'"
            )
            await self.connection.execute("select pg_terminate_backend($1)", self.random.choice(pids)["pid"])


async def log_of(connection, worker):
    """Seq and event_id of every event, over a connection that nobody kills."""
    return await connection.fetch(
        "select seq, event_id from runtime.event e join runtime.worker w using (worker_no) "
        "where w.worker_id = $1 order by e.seq",
        worker,
    )


@pytest.mark.slow
@pytest.mark.seeds(5, 100)
@pytest.mark.parametrize("kill_every", [0, 15])
async def test_seqs_stay_contiguous_and_followers_see_everything_once(database, settings, seed, kill_every):
    async with AsyncExitStack() as stack:
        connection = await asyncpg.connect(database)
        stack.push_async_callback(connection.close)
        killer = Killer(connection, kill_every, seed)
        runtimes = [await stack.enter_async_context(await build(settings, dsn=database)) for _ in range(2)]
        for worker in WORKERS:
            await insert_worker(runtimes[0], worker)
        followers = [Follower(runtime, worker) for runtime in runtimes for worker in WORKERS]
        writers = [Writer(runtimes[n % 2], f"writer-{n}", seed, killer) for n in range(6)]
        enough = asyncio.Event()

        async with asyncio.timeout(60), asyncio.TaskGroup() as following:
            for follower in followers:
                following.create_task(follower.run(enough))
            async with asyncio.TaskGroup() as writing:
                for writer in writers:
                    writing.create_task(writer.run(20))
            rows = {worker: await log_of(connection, worker) for worker in WORKERS}
            logs = {worker: [row["event_id"] for row in rows[worker]] for worker in WORKERS}
            for follower in followers:
                await follower.reach(len(logs[follower.worker_id]))
            enough.set()

        for worker, log in logs.items():
            assert len(set(log)) == len(log)
            assert not any(event_id.startswith("lost") for event_id in log)
            assert [row["seq"] for row in rows[worker]] == list(range(1, len(log) + 1))
            for writer in writers:
                for event_id, seq in writer.recorded[worker].items():
                    assert log[seq - 1] == event_id
        for follower in followers:
            assert follower.seen == list(range(1, len(logs[follower.worker_id]) + 1))
