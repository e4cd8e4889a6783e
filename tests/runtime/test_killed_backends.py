"""A database that ends its connections while calls run: each is answered by the contract, and nothing is doubled."""

from __future__ import annotations

import asyncio
import itertools
import json

import asyncpg
import pytest

from autopilot.testing.runtime import Answer, call, insert_worker

KILL = """select count(pg_terminate_backend(pid)) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()
            and backend_type = 'client backend'  -- an autovacuum worker is not ours to end"""


class Callers:
    """They read and write one worker until enough was seen."""

    def __init__(self, runtime) -> None:
        self.runtime = runtime
        self.refused: dict[str, list[Answer]] = {"GET": [], "POST": []}
        self.recorded: set[str] = set()
        self.enough = False

    async def read(self) -> None:
        while not self.enough:
            answer = await call(self.runtime, "GET", "/workers/w/events")
            if answer.status != 200:
                self.refused["GET"].append(answer)

    async def write(self, writer: int) -> None:
        for number in itertools.count():
            recorded = False
            while not recorded:  # repeated with the same id
                recorded = await self._recorded(f"{writer}-{number}")
            if self.enough:
                return

    async def _recorded(self, event_id: str) -> bool:
        event = {"event_type": "worker.event", "event_id": event_id}
        answer = await call(self.runtime, "POST", "/workers/w/events", {"event": event})
        if answer.status == 202:
            self.recorded.add(event_id)
            return True
        self.refused["POST"].append(answer)
        return False


@pytest.mark.timeout(300)
async def test_a_call_whose_connection_is_ended_is_unavailable_and_says_whether_it_was_recorded(runtime, database):
    await insert_worker(runtime, "w")
    killer = await asyncpg.connect(database)
    callers = Callers(runtime)
    async with asyncio.timeout(240), asyncio.TaskGroup() as tasks:
        for number in range(2):
            tasks.create_task(callers.read())
            tasks.create_task(callers.write(number))
        for _ in range(30):
            await killer.execute(KILL)
            await killer.fetchval("select pg_sleep(0.02)")
        callers.enough = True
    # By a connection that lives: the pool may still hold one whose end it has not noticed.
    log = [json.loads(row["frame"]) for row in await killer.fetch("select frame from runtime.event order by seq")]
    await killer.close()

    assert callers.refused["GET"], "no call met a connection that had just been ended"
    for method, outcome in (("GET", "not_recorded"), ("POST", "unknown")):
        for answer in callers.refused[method]:
            assert answer.status == 503
            assert answer.json["error"]["details"] == [{"reason_code": "database", "outcome": outcome}]
    assert [frame["seq"] for frame in log] == list(range(1, len(log) + 1))
    assert sorted(frame["eventId"] for frame in log) == sorted(callers.recorded)
