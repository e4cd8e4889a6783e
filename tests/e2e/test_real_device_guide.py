"""The desktop's half of docs/guide/real-device-handshake.md, run as it stands; the client core plays the phone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from tests.e2e.installation import Answer, Up, environment, running_up
from tests.waiting import until

from autopilot.client import MemoryTokenStore, RuntimeCodexClient, Session, SignInAgain
from autopilot.client.handshake import Connected, HandshakeClient
from autopilot.companion import identity
from autopilot.testing.model import ScriptedModel

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "real-device-handshake.md"
HALF = GUIDE.read_text("utf-8").partition("\n## The desktop's half\n")[2].partition("\n## ")[0]
STEPS = dict(re.findall(r"^### (\d)\. .*?^```sh\n(.*?)^```", HALF, re.MULTILINE | re.DOTALL))
PATIENCE_SECONDS = 60


class Desk:
    """The terminals of the guide."""

    def __init__(self, up: Up, model: ScriptedModel) -> None:
        self.up = up
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environ = environment(up.home, PATH=programs, SERVER=up.url, AUTOPILOT_DEMO_MODEL_URL=model.base_url)

    async def run(self, step: str, **names: str) -> Answer:
        """A step's block, to its end."""
        process = await self._started(step, asyncio.subprocess.PIPE, **names)
        async with asyncio.timeout(PATIENCE_SECONDS):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Answer(process.returncode, out.decode(), err.decode())

    @asynccontextmanager
    async def running(self, step: str) -> AsyncIterator[None]:
        """A step's block in a terminal of its own, ended by Ctrl-C."""
        process = await self._started(step, asyncio.subprocess.DEVNULL)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await process.wait()

    async def _started(self, step: str, output: int, **names: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *("bash", "-eu", "-o", "pipefail", "-c", STEPS[step]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=self.environ | names,
            start_new_session=True,
        )


@asynccontextmanager
async def desk(home: Path) -> AsyncIterator[Desk]:
    """Step 1, and a model for Codex; a Codex that outlives its companion is ended at the end."""
    command, *arguments = shlex.split(STEPS["1"])
    assert (command, arguments[0]) == ("autopilot", "up")
    async with ScriptedModel() as model:
        try:
            async with running_up(home, *arguments[1:]) as up:
                yield Desk(up, model)
        finally:
            for process in psutil.process_iter(["cmdline"]):
                words = process.info["cmdline"] or []
                if "app-server" in words and any(str(home) in word for word in words):
                    process.kill()


@asynccontextmanager
async def phone(server: str, said: str) -> AsyncIterator[RuntimeCodexClient]:
    """Signed in as the guide says, with the code of step 5, as the app does it."""
    found = re.search(r"as (\S+) with the code (\d{4} ?\d{4})", said)
    assert found is not None, said
    async with (
        Session(server, MemoryTokenStore(), surface="ios") as session,
        RuntimeCodexClient(server, session, surface="ios") as client,
    ):
        await session.verify(
            found[2].replace(" ", ""), email=found[1], device_name="pocket", device_platform="ios", with_key=True
        )
        yield client


async def running_worker(client: RuntimeCodexClient) -> str | None:
    """The demo's, when it is there."""
    workers = (await client.list_workers(status="running")).workers
    return workers[0].worker_id if workers else None


def connecting(client: RuntimeCodexClient) -> HandshakeClient:
    return HandshakeClient(client, device_id="ios-pocket", source="autopilot-ios")


async def asked_while_away(client: RuntimeCodexClient, worker: str, terminal: Desk) -> Connected:
    """Step 8: the question is in the ledger before the companion is there."""
    asked = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(connecting(client).run(worker, on_asked=lambda _seq: asked.set()))
        await asked.wait()
        async with terminal.running("2"):
            connected = await waiting
            again = await terminal.run("8", WORKER=worker)  # the last of the step
    assert "connected" in again.out, again.err
    return connected


def test_the_guide_has_nine_steps_each_with_its_commands() -> None:
    assert sorted(STEPS) == [str(number) for number in range(1, 10)]
    assert HALF.count("```sh") == len(STEPS)


async def test_the_desktop_s_half_of_the_runbook_goes_as_it_says(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with desk(home) as terminal, phone(terminal.up.url, (await terminal.run("5")).out) as client:
        machine = identity.load_or_create(home).machine_id  # what the first start of a companion leaves
        async with terminal.running("2"):
            worker = await until(lambda: running_worker(client), within_seconds=PATIENCE_SECONDS)
            there = await terminal.run("3")
            first = await terminal.run("4", WORKER=worker)
            connected = await connecting(client).run(worker)
            read = await terminal.run("6", WORKER=worker, HANDSHAKE_ID=connected.handshake_id)
        alone = await terminal.run("7", WORKER=worker)
        late = await asked_while_away(client, worker, terminal)
        read_late = await terminal.run("6", WORKER=worker, HANDSHAKE_ID=late.handshake_id)
        revoked = await terminal.run("9", PHONE="pocket")
        with pytest.raises(SignInAgain):
            await client.me()

    assert machine in there.out
    assert worker in there.out
    assert "connected" in first.out, first.err
    assert connected.machine_id == machine
    assert_the_two_events(read, connected)
    assert (alone.code, "No answer" in alone.err) == (10, True)
    assert_the_two_events(read_late, late)
    assert late.desktop_session_id != connected.desktop_session_id
    assert revoked.code == 0, revoked.err
    assert "pocket" in revoked.out


def assert_the_two_events(read: Answer, connected: Connected) -> None:
    """As the table of step 6 says."""
    question, answer = [json.loads(line) for line in read.out.splitlines()]
    asked, said = question["payload"], answer["payload"]
    assert question["eventType"] == answer["eventType"] == "worker.event"
    assert (asked["method"], asked["source"], asked["device_id"]) == ("ios/handshake", "autopilot-ios", "ios-pocket")
    assert (said["method"], said["source"]) == ("desktop/handshake_ack", "autopilot-desktop")
    assert said["desktop_session_id"] == connected.desktop_session_id
    assert asked["handshake_id"] == said["handshake_id"] == connected.handshake_id
    assert question["actor"]["surface"] == "ios"
    assert question["actor"]["device_id"]
    assert answer["actor"]["machine_id"] == connected.machine_id
    assert question["seq"] < answer["seq"]
