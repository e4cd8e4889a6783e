"""kill -9 of the API, or of the runtime, at drawn moments while an account is deleted: it ends deleted, and emptied.

`.venv/bin/pytest tests/e2e/test_deletion_killed.py -k "seed17]" --endurance` plays the round of one seed again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest
from tests.e2e.installation import command
from tests.e2e.nodes import Node, Nodes, running_nodes
from tests.waiting import until

from autopilot.api import opaque, tokens
from autopilot.client import RuntimeCodexClient
from autopilot.contract import AppendEvent, RegisterMachine, SignedIn
from autopilot.testing.postgres import TestCluster

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WORKERS, EVENTS = 4, 300
IN_THE_CALL_SECONDS, IN_THE_SWEEPS_SECONDS = 0.08, 2.5
"""How long the call takes, and how long until what it started has been seen to by the runtime."""


@pytest.fixture(scope="module")
async def nodes(
    anyio_backend: str, cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Nodes]:
    async with (
        cluster.database() as dsn,
        running_nodes(dsn, tmp_path_factory.mktemp("nodes"), apis=1) as running,
    ):
        yield running
        verified = await command(running.runtime.log.parent, "audit", "verify", DATABASE_URL=dsn)
        assert verified.code == 0, verified.out + verified.err


@dataclass
class Life:
    """A user with something to lose, in words that nobody else says."""

    word: str
    person: SignedIn


async def lived(nodes: Nodes, word: str) -> Life:
    """Workers that run and one that ended, requests that wait, and a machine."""
    (api,) = nodes.apis
    email = f"{word}@example.org"
    person = await tokens.mint(nodes.api_pool, email=email, scopes=["administer"], surface="cli")
    machine_id = f"machine-{opaque.identifier('')}"
    machine = await tokens.mint(
        nodes.api_pool, email=email, scopes=["execute"], machine_id=machine_id, surface="companion"
    )
    async with (
        RuntimeCodexClient(api.url, person.token) as client,
        RuntimeCodexClient(api.url, machine.token, surface="companion") as companion,
    ):
        for name in ("", word):  # the audit keeps the first
            await companion.register_machine(RegisterMachine(machine_id=machine_id, name=name))
        for number in range(WORKERS):
            worker_id = (await client.create_worker(workspace_ref=word)).workerId
            said = [AppendEvent(event_type="worker.event", payload={"text": word}) for _ in range(EVENTS)]
            await client.append_events(worker_id, said)
            await companion.claim_lease(worker_id, machine_id)
            await client.request(worker_id, "turn/start", {"input": [{"text": word}]}, wait_ms=0)
            if number == 0:
                await client.stop_worker(worker_id, reason=word, force=True)
        await client.machine_request(machine_id, "thread/list", {"cwd": word}, wait_ms=0)
    return Life(word, person)


async def delete(api: Node, life: Life) -> int | None:
    """The status of one try; None: the connection was cut, whatever was done."""
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
            answer = await http.delete(f"{api.url}/api/me", headers={"authorization": f"Bearer {life.person.token}"})
    except httpx2.TransportError:
        return None
    return answer.status_code


async def held(nodes: Nodes, life: Life) -> set[str]:
    """The tables in which anything of theirs can be read."""
    tables = await nodes.pool.fetch(
        "select schemaname || '.' || tablename as name from pg_tables where schemaname in ('api', 'runtime')"
    )
    look = " union all ".join(
        f"select '{table['name']}' where exists (select from {table['name']} t where t::text like $1)"
        for table in tables
    )
    return {row[0] for row in await nodes.pool.fetch(look, f"%{life.word}%")}


@pytest.mark.seeds(4, 100)
@pytest.mark.timeout(240)
async def test_an_account_that_is_being_deleted_ends_deleted_and_emptied_whoever_is_killed(
    nodes: Nodes, seed: int
) -> None:
    drawn = random.Random(seed)
    (api,) = nodes.apis
    life = await lived(nodes, f"person{seed}")
    user_id = life.person.userId
    assert {"runtime.event", "runtime.receipt", "runtime.worker", "runtime.machine"} <= await held(nodes, life)

    status: int | None = None
    for _ in range(drawn.randint(1, 3)):
        victim, within = drawn.choice(
            [(api, IN_THE_CALL_SECONDS), (api, IN_THE_SWEEPS_SECONDS), (nodes.runtime, IN_THE_SWEEPS_SECONDS)]
        )
        seconds = drawn.uniform(0, within)
        async with asyncio.TaskGroup() as tasks:
            deleting = tasks.create_task(delete(api, life))
            await asyncio.sleep(seconds)  # drawn
            await victim.kill()
            await victim.start()
        status = deleting.result() or status
        await nothing_is_half_done(nodes, life)

    if await nodes.api_pool.fetchval("select count(*) from api.user_account where user_id = $1", user_id):
        status = await delete(api, life)
        assert status == 200
    assert await delete(api, life) == 401
    await until(lambda: nodes.api_pool.fetchval("select told_at from api.deleted_account where user_id = $1", user_id))
    await nodes.pool.execute("update deleted_user set deleted_at = deleted_at - interval '1 minute'")  # it has settled
    await until(lambda: nodes.pool.fetchval("select emptied_at from deleted_user where user_id = $1", user_id))

    assert await held(nodes, life) == set()
    states = "select status from worker join worker_state using (worker_no) where owner_user_id = $1"
    assert {row["status"] for row in await nodes.pool.fetch(states, user_id)} == {"stopped"}
    for action, pool, table in (
        ("account_deleted", nodes.api_pool, "api.audit"),
        ("account_emptied", nodes.pool, "audit_entry"),
    ):
        lines = f"select count(*) from {table} where action = $1 and subject = $2"
        assert await pool.fetchval(lines, action, f"user:{user_id}") == 1, action


async def nothing_is_half_done(nodes: Nodes, life: Life) -> None:
    """The account is there with all that it signs in with, or gone with all of it and the runtime's to hear of."""
    user_id = life.person.userId
    account, sessions, deleted = await nodes.api_pool.fetchrow(
        "select (select count(*) from api.user_account where user_id = $1),"
        " (select count(*) from api.session where user_id = $1 and ended_at is null),"
        " (select count(*) from api.deleted_account where user_id = $1)",
        user_id,
    )
    assert (account, sessions, deleted) in {(1, 2, 0), (0, 0, 1)}
