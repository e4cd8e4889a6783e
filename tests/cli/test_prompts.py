"""At a question of the terminal Ctrl-C and Ctrl-D end it, and it shows nothing that steers the terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.cli.test_approvals_commands import ANSWERING, Desk, desk

from autopilot.cli import approvals
from autopilot.cli.exits import Exit

__all__ = ["desk"]
AS_OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "autopilot.cli", *sys.argv[1:]])
"""
NOBODY = "http://127.0.0.1:9"
AT_THE_TERMINAL = [
    (["login", NOBODY], b"E-mail: "),
    (["account", "delete", "--url", NOBODY], b"to go on: "),
    (["pair", "--claim", "-", "--url", NOBODY], b"Link or code: "),
]


def ended_by(key: bytes, arguments: list[str], question: bytes, home: Path) -> tuple[int, bytes]:
    """Types a key at the question; the exit code, and all that was shown."""
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-c", AS_OWN_TERMINAL, *arguments],
        env={**os.environ, "AUTOPILOT_HOME": str(home), "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = b""
    try:
        while question not in said:
            said += os.read(ours, 4096)
        while psutil.Process(program.pid).status() != psutil.STATUS_SLEEPING:
            pass  # a signal just before it waits for the line would be noticed after the line
        os.write(ours, key)
        return program.wait(timeout=20), said + rest_of(ours)
    finally:
        program.kill()
        program.wait()
        os.close(ours)


def rest_of(descriptor: int) -> bytes:
    said = b""
    try:
        while piece := os.read(descriptor, 4096):
            said += piece
    except OSError:  # the other side is closed
        pass
    return said


@pytest.mark.slow
@pytest.mark.parametrize(("key", "code"), [(b"\x03", Exit.INTERRUPTED), (b"\x04", Exit.USAGE)])
@pytest.mark.parametrize(("arguments", "question"), AT_THE_TERMINAL)
def test_one_key_ends_a_question(arguments: list[str], question: bytes, key: bytes, code: Exit, tmp_path: Path) -> None:
    ended, said = ended_by(key, arguments, question, tmp_path)

    assert (ended, b"Traceback" in said) == (code, False), said


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("arguments", "code"), [("version", Exit.OK), (f"workers --url {NOBODY}", Exit.UNREACHABLE)])
def test_a_stream_that_is_closed_makes_no_command_fail(arguments: str, code: Exit, closed: str, tmp_path: Path) -> None:
    session = {"AUTOPILOT_HOME": str(tmp_path), "AUTOPILOT_TOKEN": "" if closed.startswith("<") else "token"}
    command = f'"{sys.executable}" -m autopilot.cli {arguments} {closed}; echo $?'
    ended = subprocess.run(
        ["sh", "-c", command], env={**os.environ, **session}, capture_output=True, timeout=60, check=False
    )

    wanted = Exit.SIGN_IN if code and not session["AUTOPILOT_TOKEN"] else code
    assert (ended.stdout.splitlines()[-1], b"Traceback" in ended.stderr) == (b"%d" % wanted, False), ended


async def test_a_question_steers_no_terminal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = [{"question_id": "db", "text": "\x1b[2JWhich\x9b2J database?"}]
    approval_id = await desk.ask(kind="user_input", options=ANSWERING, evidence={"questions": questions})
    shown: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda words: shown.append(words) or "Postgres")

    async with asyncio.timeout(30):
        await approvals.answer(approval_id, options=desk.options)

    assert shown == ["Which2J database? "]
