"""The database of accounts ends connections while calls run: each call is answered by the contract."""

from __future__ import annotations

import asyncio
import itertools

import asyncpg
import httpx2
from tests.api.served import ServedApi, bearer

WORKERS = "/api/runtime/codex/workers"
KILL = """select count(pg_terminate_backend(pid)) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()
            and backend_type = 'client backend'  -- an autovacuum worker is not ours to end"""


async def test_a_call_whose_connection_is_ended_is_unavailable_and_never_an_unforeseen_error(
    api: ServedApi, database: str
) -> None:
    killer = await asyncpg.connect(database)
    answers: list[httpx2.Response] = []
    enough = asyncio.Event()

    async def ask(caller: int) -> None:
        for number in itertools.count():  # a token that nobody has seen is looked for in the database
            if enough.is_set():
                return
            answers.append(await api.client.get(WORKERS, headers=bearer(f"apat_{caller}_{number}")))
            refresh = {"refresh_token": f"aprt_{caller}_{number}"}
            answers.append(await api.client.post("/api/auth/refresh", json=refresh))

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for caller in range(4):
            tasks.create_task(ask(caller))
        for _ in range(30):
            await killer.execute(KILL)
            await killer.fetchval("select pg_sleep(0.02)")
        enough.set()
    await killer.close()

    away = [answer.json()["error"]["details"][0] for answer in answers if answer.status_code == 503]
    assert {answer.status_code for answer in answers} <= {401, 429, 503}
    assert away, "no call met a connection that had just been ended"
    assert {detail["reason_code"] for detail in away} == {"database_unreachable"}
