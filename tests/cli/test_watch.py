from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from autopilot.cli.exits import Exit
from autopilot.cli.paint import Painter
from autopilot.cli.terminal import Terminal
from autopilot.cli.watch import View
from autopilot.client import RuntimeCodexClient
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy
from autopilot.testing.scaled_clock import ScaledClock
from autopilot.testing.streaming_server import StreamingServer

RECORDINGS = Path(__file__).parents[1] / "client/recordings"


def recorded(name: str) -> list[dict[str, Any]]:
    """What Codex said in a recorded session."""
    lines = (RECORDINGS / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [{"method": (said := json.loads(line))["method"], "params": said["params"]} for line in lines]


class Watching:
    """A watch, and what a person sees of it."""

    def __init__(self, client: RuntimeCodexClient, *, as_json: bool = False) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        terminal = Terminal(as_json=as_json)
        terminal.out = Console(file=self.out, highlight=False, soft_wrap=True)
        terminal.err = Console(file=self.err, highlight=False, soft_wrap=True)
        self.view = View(client, "w", terminal, Painter(terminal.out), until_idle=True)


@asynccontextmanager
async def served(*faults: Fault) -> AsyncIterator[tuple[StreamingServer, RuntimeCodexClient]]:
    """A server of one worker, and a client whose first connections break."""
    async with (
        StreamingServer() as server,
        FaultProxy(*server.address, plan=lambda n: faults[n] if n < len(faults) else HEALTHY) as proxy,
        RuntimeCodexClient(proxy.url, "token", clock=ScaledClock(50)) as client,
        asyncio.timeout(30),
    ):
        server.append("w", {"reason": "create"}, event_type="worker.started")
        yield server, client


async def seen(session: str, *faults: Fault) -> tuple[Watching, int]:
    """A recorded session, watched from its start while it goes on."""
    async with served(*faults) as (server, client):
        watching = Watching(client)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(watching.view.run("start"))
            while not server.openings:
                await server.changed()
            for payload in recorded(session):
                server.append("w", payload)
                await asyncio.sleep(0)
        return watching, running.result()


async def test_a_recorded_turn_is_seen_with_its_message_command_output_and_end() -> None:
    watching, code = await seen("s02_shell_approved")

    words = watching.out.getvalue()
    assert code == Exit.OK
    assert "\n$ " in words
    assert "(exit code 0" in words
    assert "turn completed" in words


@pytest.mark.parametrize("session", ["s01_basic_turn", "s06_patch_auto"])
async def test_over_cut_connections_the_same_is_shown_and_the_cuts_are_remarked(session: str) -> None:
    whole, _ = await seen(session)
    cut, code = await seen(session, *(Fault("cut", after) for after in (8_000, 2_000, 5_000, 3_000)))

    assert code == Exit.OK
    assert "connection lost" in cut.err.getvalue()
    assert cut.out.getvalue().split("\n", 3)[3] == whole.out.getvalue().split("\n", 3)[3]


async def test_a_lost_connection_says_what_is_shown_and_a_found_one_where_it_is() -> None:
    watching, _ = await seen("s06_patch_auto", Fault("cut", 8_000))

    lost = r"^-- \d\d:\d\d:\d\d UTC: connection lost \(the connection broke off\); everything up to event \d+ is shown"
    assert re.search(lost, watching.err.getvalue(), re.MULTILINE)
    assert "is shown; trying again" in watching.err.getvalue()


async def test_a_turn_that_failed_is_an_exit_code() -> None:
    async with served() as (server, client):
        server.append("w", {"method": "turn/started", "params": {"turn": {"id": "t"}}})
        failed = {"id": "t", "status": "failed", "error": {"message": "no credit"}}
        server.append("w", {"method": "turn/completed", "params": {"turn": failed}})
        watching = Watching(client)

        assert await watching.view.run("recent") == Exit.FAILED
        assert "no credit" in watching.out.getvalue()


async def test_recent_begins_with_the_last_turn() -> None:
    async with served() as (server, client):
        for turn in ("one", "two"):
            server.append("w", {"method": "turn/started", "params": {"turn": {"id": turn}}})
            item = {"type": "agentMessage", "id": f"m-{turn}", "text": f"this is {turn}"}
            server.append("w", {"method": "item/completed", "params": {"turnId": turn, "item": item}})
            server.append("w", {"method": "turn/completed", "params": {"turn": {"id": turn, "status": "completed"}}})
        watching = Watching(client)
        await watching.view.run("recent")

    assert "this is two" in watching.out.getvalue()
    assert "this is one" not in watching.out.getvalue()


async def test_for_programs_every_event_is_one_line_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    async with served() as (server, client):
        for payload in recorded("s01_basic_turn"):
            server.append("w", payload)
        watching = Watching(client, as_json=True)
        await watching.view.run("start")

    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert watching.out.getvalue() == ""
