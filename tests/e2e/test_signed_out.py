"""A companion that is signed out, as real processes: it goes on by itself, with its threads and its Codex."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.e2e.installation import Up, running_up

from autopilot.client import FileTokenStore, Session
from autopilot.client.clock import SYSTEM_CLOCK
from autopilot.client.tokens import Credentials

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ACCESS_SECONDS = "2"


async def spend_its_refresh_token(up: Up) -> Credentials:
    """Rotate behind the companion's back, twice: what it holds has been used, and so has what came of it.

    The same as an answer that was lost for longer than the server forgives.
    """
    store = FileTokenStore(up.home / "companion" / "credentials.json")
    async with store.exclusive():
        held = store.load()
        assert held is not None
        elsewhere = FileTokenStore(up.home / "elsewhere.json")
        elsewhere.save(held)
        async with Session(up.url, elsewhere) as session:
            await session.renew(await session.renew(held.access_token))
    return held


async def test_a_companion_whose_session_was_lost_goes_on_by_itself(tmp_path: Path) -> None:
    settings = {"AUTOPILOT_ACCESS_SECONDS": ACCESS_SECONDS, "OPENAGENTS_RUNTIME_SYNC_HEARTBEAT_MS": "1000"}
    async with running_up(tmp_path / "home", **settings) as up:
        store = FileTokenStore(up.home / "companion" / "credentials.json")
        async with asyncio.timeout(60):
            while not (await up.cli("workers", "--json")).json:
                pass
        lost = await spend_its_refresh_token(up)
        async with asyncio.timeout(60):
            while "companion.signed_in_anew" not in {line["event"] for line in up.log("up")}:
                await SYSTEM_CLOCK.sleep(0.05)
        sent = await up.cli("send", "echo: still there", "--json")
        held = store.load()

    assert held is not None
    assert held.refresh_token != lost.refresh_token
    assert held.lives_seconds == float(ACCESS_SECONDS)
    assert sent.json["state"] == "completed"
    assert "service.died" not in {line["event"] for line in up.log("up")}, "no process was started anew"
    said = [line["event"] for line in up.log("companion")]
    assert said.count("companion.signed_out") == said.count("companion.signed_in") == 1
