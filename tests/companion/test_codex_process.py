"""The app-server as a process and a connection: real Codex throughout."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import pickle
import signal
import sys
from pathlib import Path
from typing import Self

import msgspec
import psutil
import pytest
from tests.waiting import until

from autopilot.companion import processes, whole_file
from autopilot.companion.codex import binary, history, schema
from autopilot.companion.codex import process as processes_of_codex
from autopilot.companion.codex.binary import CodexBinary
from autopilot.companion.codex.messages import CodexAstray, CodexGone, CodexRefused, CodexUnavailable, Message
from autopilot.companion.codex.process import AppServer, Launch
from autopilot.companion.codex.process import start_time as process_start_time
from autopilot.companion.codex.supervisor import Codex, Session
from autopilot.ops.clock import SystemClock
from autopilot.testing.model import ScriptedModel, script

pytestmark = pytest.mark.e2e
FULL_ACCESS = {"approvalPolicy": "never", "sandbox": "danger-full-access"}


class Watcher:
    """Listener and sink: remembers sessions and messages, and wakes whoever waits for one."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.said: list[Message] = []
        self._changed = asyncio.Condition()

    async def take(self, message: Message) -> None:
        async with self._changed:
            self.said.append(message)
            self._changed.notify_all()

    async def session_began(self, session: Session) -> None:
        async with self._changed:
            self.sessions.append(session)
            self._changed.notify_all()

    async def session_ended(self, session: Session) -> None:
        assert session in self.sessions

    async def session(self, number: int) -> Session:
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: len(self.sessions) >= number)
            return self.sessions[number - 1]

    async def heard(self, method: str, times: int = 1) -> Message:
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: [one.method for one in self.said].count(method) >= times)
        return next(one for one in self.said if one.method == method)


class Running:
    """A supervised Codex for the length of a block."""

    def __init__(self, launch: Launch) -> None:
        self.watcher = Watcher()
        self.server = AppServer(launch, SystemClock())
        self.codex = Codex(
            self.server, sink=self.watcher.take, listener=self.watcher, clock=SystemClock(), client_version="0"
        )
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._run = self._tasks.create_task(self.codex.run())
        await self.watcher.session(1)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._run.cancel()
        await self._tasks.__aexit__(None, None, None)
        await self.codex.stop()


async def start_thread(codex: Codex, project: Path) -> str:
    told = await codex.call("thread/start", {"cwd": str(project), **FULL_ACCESS})
    return msgspec.json.decode(told)["thread"]["id"]


def turn(thread_id: str, *steps: dict, client_id: str = "r1") -> dict:
    text = {"type": "text", "text": script(*steps)}
    return {"threadId": thread_id, "input": [text], "clientUserMessageId": client_id}


async def test_a_turn_is_heard_and_its_history_holds_the_same_items(
    launch: Launch, project: Path, model: ScriptedModel
) -> None:
    async with Running(launch) as running:
        thread_id = await start_thread(running.codex, project)
        await running.codex.call("turn/start", turn(thread_id, {"shell": "echo hi"}, {"say": "done"}))
        await running.watcher.heard("turn/completed")
        entries = [entry async for entry in history.items(running.codex.call, thread_id)]
        turns = [one async for one in history.turns(running.codex.call, thread_id, newest_first=True)]
        found = await history.turn_of_message(running.codex.call, thread_id, "r1")
        lost = await history.turn_of_message(running.codex.call, thread_id, "never sent")

    live = [one for one in running.watcher.said if one.method == "item/completed"]
    told = [json.loads(bytes(one.params))["item"] for one in live]
    kept = [json.loads(bytes(entry.item)) for entry in entries]
    assert [(item["type"], item["id"]) for item in kept] == [(item["type"], item["id"]) for item in told]
    assert [item["type"] for item in kept] == ["userMessage", "commandExecution", "agentMessage"]
    assert [one.status for one in turns] == ["completed"]
    assert found == turns[0].turn_id
    assert lost is None


@pytest.mark.parametrize("listing", ["items", "turns"])
async def test_a_history_whose_pages_go_round_is_not_read_for_ever(
    launch: Launch, project: Path, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch, listing: str
) -> None:
    monkeypatch.setattr(history, "PAGE", 1)
    first: list[str] = []
    async with Running(launch) as running:
        thread_id = await start_thread(running.codex, project)
        for number in (1, 2):
            await running.codex.call("turn/start", turn(thread_id, {"say": f"{number}"}))
            await running.watcher.heard("turn/completed", times=number)

        async def leads_back(method: str, params: dict[str, object]) -> msgspec.Raw:
            """Each page says that the one after the first comes next."""
            page = json.loads(bytes(await running.codex.call(method, params)))
            first.append(first[0] if first else page["nextCursor"])
            return msgspec.Raw(json.dumps(page | {"nextCursor": first[0]}).encode())

        pages = {
            "items": history.items(leads_back, thread_id),
            "turns": history.turns(leads_back, thread_id, newest_first=True),
        }
        async with asyncio.timeout(30):
            with pytest.raises(CodexAstray, match="go round"):
                assert [one async for one in pages[listing]] == []
    assert len(first) == 2


async def test_a_companion_that_comes_back_finds_the_same_living_codex(launch: Launch) -> None:
    first = AppServer(launch, SystemClock())
    assert await first.ensure()
    second = AppServer(launch, SystemClock())

    assert not await second.ensure()
    assert second.record == first.record
    await second.stop()
    assert not first.alive
    assert not launch.pid_file.exists()


DIES_AT_ITS_START = """
import asyncio, os, pickle, signal, sys
from autopilot.companion.codex.process import AppServer
from autopilot.ops.clock import SystemClock

class Dying(AppServer):
    async def _keep(self, record):
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(Dying(pickle.loads(sys.stdin.buffer.read()), SystemClock()).ensure())
"""


async def test_a_companion_that_is_killed_before_it_noted_whom_it_started_leaves_no_codex_in_the_next_ones_way(
    launch: Launch,
) -> None:
    dying = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DIES_AT_ITS_START, stdin=asyncio.subprocess.PIPE, env={**os.environ}
    )
    await dying.communicate(pickle.dumps(dataclasses.replace(launch, environ=dict(launch.environ))))
    assert dying.returncode == -signal.SIGKILL

    left = [one for one in psutil.process_iter() if any(str(launch.socket) in word for word in _words(one))]
    _, alive = await asyncio.to_thread(psutil.wait_procs, left, timeout=5)
    for one in alive:
        one.kill()
    assert alive == []
    async with Running(launch) as running:
        assert running.server.record is not None


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


async def test_a_folder_that_cannot_be_written_to_is_said_and_starts_nothing(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_file, "replace", full)
    server = AppServer(launch, SystemClock())
    with pytest.raises(CodexUnavailable, match="No space left"):
        await server.ensure()
    assert (server.record, server.alive) == (None, False)


class HeldUp(SystemClock):
    """The first who waits by it is held up until somebody else is done, or has had the time for it."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()
        self.others: set[asyncio.Task[bool]] = set()
        self.begin = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if self.waits.is_set():
            await super().sleep(seconds)
            return
        self.waits.set()
        await self.begin.wait()
        await asyncio.wait(self.others, timeout=2)


async def test_who_ends_a_codex_does_not_forget_the_one_that_was_started_in_its_place_meanwhile(launch: Launch) -> None:
    clock = HeldUp()
    server = AppServer(launch, clock)
    clock.waits.set()  # nobody is held up yet
    await server.ensure()
    clock.waits.clear()
    child = server._child
    assert child is not None
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        ending = tasks.create_task(server.stop())
        await clock.waits.wait()
        await child.wait()  # it is gone, and who ended it has not looked yet
        starting = tasks.create_task(server.ensure())
        clock.others.add(starting)
        clock.begin.set()
        await asyncio.gather(ending, starting)

    assert starting.result()
    assert server.alive
    assert server.record is not None
    assert json.loads(launch.pid_file.read_text())["pid"] == server.record.pid
    await server.stop()


async def test_a_codex_that_can_not_be_ended_keeps_its_record(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    server = AppServer(launch, SystemClock())
    await server.ensure()
    otherwise = AppServer(dataclasses.replace(launch, mark="otherwise"), SystemClock())
    with monkeypatch.context() as patched:
        patched.setattr(processes_of_codex, "TERM_SECONDS", 0.0)
        patched.setattr(processes_of_codex, "KILL_SECONDS", 0.0)
        patched.setattr(os, "killpg", lambda _group, _number: None)
        await server.stop()
        with pytest.raises(CodexUnavailable, match="can't be ended"):
            await otherwise.ensure()

    assert server.alive
    assert json.loads(launch.pid_file.read_text())["pid"] == server.record.pid
    await server.stop()
    assert not launch.pid_file.exists()


async def test_a_codex_that_was_started_otherwise_is_replaced(launch: Launch) -> None:
    first = AppServer(launch, SystemClock())
    await first.ensure()
    changed = dataclasses.replace(launch, arguments=("-c", "hide_agent_reasoning=true"))
    other = AppServer(changed, SystemClock())

    assert await other.ensure()
    assert not first.alive
    await other.stop()


async def test_a_codex_that_is_killed_is_started_again_and_open_calls_say_that_nobody_knows(
    launch: Launch, project: Path, model: ScriptedModel
) -> None:
    async with Running(launch) as running, asyncio.TaskGroup() as tasks:
        thread_id = await start_thread(running.codex, project)
        waiting = tasks.create_task(ends_in_the_dark(running.codex))
        await running.codex.call("turn/start", turn(thread_id, {"say": "half of it", "gate": "half"}))
        await model.reached("half")

        assert running.server.record is not None
        os.killpg(running.server.record.pid, signal.SIGKILL)
        again = await running.watcher.session(2)

        assert await waiting
        assert again.incarnation != running.watcher.sessions[0].incarnation


async def ends_in_the_dark(codex: Codex) -> bool:
    """Ask what Codex answers only after a minute."""
    try:
        await codex.call("command/exec", {"command": ["sleep", "60"], "timeoutMs": 60_000})
    except CodexGone:
        return True
    return False


async def test_errors_of_codex_come_as_refusals_with_its_words(launch: Launch) -> None:
    async with Running(launch) as running:
        with pytest.raises(CodexRefused, match="thread not found") as refused:
            await running.codex.call("turn/start", turn("01a20487-2384-7d23-abff-2633f5afdc9d"))

    assert refused.value.code == -32600


async def test_a_path_too_long_for_a_socket_works(launch: Launch, tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 20) / ("er" * 20)
    long = dataclasses.replace(launch, run_dir=deep)
    assert len(str(long.socket)) > 107

    async with Running(long) as running:
        assert running.watcher.sessions[0].connection.version == launch.binary.version


async def test_a_codex_that_cannot_start_says_where_its_words_are(launch: Launch) -> None:
    server = AppServer(dataclasses.replace(launch, arguments=("--no-such-flag",)), SystemClock())

    with pytest.raises(CodexUnavailable, match=r"codex\.log"):
        await server.ensure()


async def test_a_codex_of_the_users_own_is_preferred_unless_it_is_too_old(tmp_path: Path) -> None:
    async def found(version: str) -> tuple[str, str]:
        program = tmp_path / "codex"
        program.write_text(f"#!/bin/sh\necho codex-cli {version}\n")
        program.chmod(0o755)
        chosen = await binary.find({"PATH": f"{tmp_path}:/usr/bin:/bin"})
        return chosen.source, chosen.version

    assert await found("0.170.1") == ("path", "0.170.1")
    assert (await found("0.101.0"))[0] == "bundled"
    assert (await binary.find({"PATH": "/nonexistent"})).source == "bundled"


async def test_a_named_codex_that_does_not_run_is_an_error_that_names_it() -> None:
    with pytest.raises(CodexUnavailable, match="/nonexistent/codex"):
        await binary.find({"AUTOPILOT_CODEX": "/nonexistent/codex"})


async def test_a_codex_behind_a_script_is_found_and_ended_when_the_script_is_gone(
    launch: Launch, codex_binary: CodexBinary, tmp_path: Path
) -> None:
    script_ = tmp_path / "codex"
    script_.write_text(f'#!/bin/sh\n"{codex_binary.path}" "$@" &\nwait\n')
    script_.chmod(0o755)
    behind = dataclasses.replace(launch, binary=CodexBinary(script_, codex_binary.version, "path"))
    first = AppServer(behind, SystemClock())
    await first.ensure()
    assert first.record is not None
    os.kill(first.record.pid, signal.SIGKILL)

    second = AppServer(behind, SystemClock())
    assert not await second.ensure()
    await second.stop()

    assert not first.alive


def test_what_is_dead_and_not_yet_asked_about_is_not_waited_for() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {}, setpgroup=0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    os.killpg(pid, 0)  # it is there, for the operating system
    assert not processes.group_lives(pid)
    os.waitpid(pid, 0)


def test_a_request_outlasts_the_longest_pause_between_two_starts_of_codex() -> None:
    from autopilot.companion.codex.supervisor import BACKOFF_SECONDS
    from autopilot.companion.execution import READY_SECONDS

    assert max(BACKOFF_SECONDS) * 2 < READY_SECONDS


HANGS = """#!/bin/sh
sleep 1000 &
echo $! > {told}.part && mv {told}.part {told}
wait
"""


@pytest.mark.parametrize("asks", ["version", "schema"])
async def test_a_codex_that_is_only_asked_about_itself_does_not_outlive_whoever_asked(
    tmp_path: Path, asks: str
) -> None:
    told, program = tmp_path / "told", tmp_path / "codex"
    program.write_text(HANGS.format(told=told))
    program.chmod(0o700)
    asking = binary.version_of(program) if asks == "version" else schema.ask(CodexBinary(program, "1.0.0", "setting"))
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(asking)
        await until(told.exists)
        task.cancel()

    await until(lambda: process_start_time(int(told.read_text())) is None)
