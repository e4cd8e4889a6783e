"""Requests to machines that are away: they wait on the server, and say so."""

from __future__ import annotations

import pytest

from autopilot.testing.machines import Companion, ask, leased, receipt
from autopilot.testing.runtime import call, insert_worker

LATER = {
    "/workers/w": "update lease set expires_at = clock_timestamp() - interval '1 second'",
    "/machines/m1": "update machine_beat set last_heard_at = clock_timestamp() - interval '2 minutes'",
}


@pytest.mark.parametrize("path", LATER)
async def test_a_request_to_a_machine_that_is_away_says_that_it_waits(runtime, path):
    await leased(runtime)
    here = await ask(runtime, "turn/start", "r1", path=path)
    await runtime.pool.execute(LATER[path])
    away = await ask(runtime, "turn/start", "r2", path=path)

    assert (here.status, here.data["machine_unreachable"]) == (202, False)
    assert (away.status, away.data["state"], away.data["machine_unreachable"]) == (202, "accepted", True)
    assert (await receipt(runtime, "r2", path=path))["machine_unreachable"] is True


async def test_of_a_worker_that_no_machine_ever_had_nobody_says_whether_one_is_away(runtime):
    await insert_worker(runtime, "w")

    assert (await ask(runtime, "turn/start", "r1")).data["machine_unreachable"] is None


async def test_what_waits_is_done_when_the_machine_returns_or_taken_back_before(runtime):
    companion: Companion = await leased(runtime)
    await runtime.pool.execute(LATER["/workers/w"])
    await ask(runtime, "turn/start", "kept")
    await ask(runtime, "turn/start", "unwanted")
    taken_back = await call(runtime, "POST", "/workers/w/requests/unwanted/cancel")
    await companion.claim("w")

    entries = await companion.feed()

    assert taken_back.data["state"] == "cancelled"
    assert [entry["request_id"] for entry in entries if entry["body"] is not None] == ["kept"]
