from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
from pathlib import Path

import psutil
import pytest

from autopilot.cli import child
from autopilot.cli.child import Child, open_log

PROGRAM = """
import sys, os, signal
from autopilot.cli.child import settings_of_supervisor
settings = settings_of_supervisor()
print(os.getpid(), settings["NAME"], "NAME" in os.environ, flush=True)
signal.pause()
"""
SUPERVISOR = f"""
import subprocess, sys, os, signal
child = subprocess.Popen([sys.executable, "-c", {PROGRAM!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(b'{{"NAME": "value"}}\\n')
child.stdin.flush()
print(child.stdout.readline().decode().strip(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


WORDS = """
import os
from autopilot.cli.child import tell_supervisor
tell = tell_supervisor(os.environ)
tell("signed_out")
tell("again")
"""


async def no_settings() -> dict[str, str]:
    return {}


@pytest.mark.slow
async def test_a_child_ends_when_its_supervisor_is_killed() -> None:
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", SUPERVISOR, stdout=asyncio.subprocess.PIPE)
    said, _ = await supervisor.communicate()
    pid = int(said.split()[0])

    if psutil.pid_exists(pid):
        await asyncio.to_thread(psutil.Process(pid).wait, 10)

    assert supervisor.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(pid)
    assert said.split()[1:] == [b"value", b"False"], "settings come over the pipe, not in the environment"


async def test_a_child_leaves_its_words_in_its_log_and_tells_its_exit_code(tmp_path: Path) -> None:
    log = tmp_path / "version.log"
    one = Child(name="version", arguments=["no-such-command"], environ=os.environ, settings=no_settings, log_file=log)

    async with asyncio.timeout(30):
        await one.start()
        code = await one.wait()

    assert code == 2
    assert "no-such-command" in log.read_text()


@pytest.mark.parametrize("fails", [False, True])
async def test_a_child_whose_start_does_not_end_is_left_to_nobody(tmp_path: Path, *, fails: bool) -> None:
    started, asked = asyncio.Event(), asyncio.Event()

    async def never() -> dict[str, str]:
        started.set()
        await asked.wait()
        raise OSError("no settings")

    log = tmp_path / "server.log"
    one = Child(name="server", arguments=["serve"], environ=os.environ, settings=never, log_file=log)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(quietly(one))
        await started.wait()
        asked.set() if fails else starting.cancel()

    assert one.process is not None
    assert one.process.returncode == -signal.SIGKILL


async def quietly(child: Child) -> None:
    with contextlib.suppress(OSError):
        await child.start()


async def test_the_words_of_a_child_reach_its_supervisor_after_a_restart_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\n{WORDS}")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    words: asyncio.Queue[str] = asyncio.Queue()
    log, heard = tmp_path / "child.log", words.put_nowait
    one = Child(name="one", arguments=[], environ=os.environ, settings=no_settings, log_file=log, heard=heard)

    async with asyncio.timeout(30):
        for _ in range(2):
            await one.start()
            assert [await words.get() for _ in range(2)] == ["signed_out", "again"], log.read_text()
            assert await one.wait() == 0


def test_whoever_has_no_supervisor_tells_nobody() -> None:
    child.tell_supervisor({})("signed_out")


def test_a_log_is_private_and_one_that_grew_too_long_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "LARGEST_LOG_BYTES", 3)
    path = tmp_path / "server.log"
    path.write_bytes(b"long")

    open_log(path).close()

    assert (tmp_path / "server.log.1").read_bytes() == b"long"
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"", 0o600)
