"""A crash leaves no image of the memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "import autopilot.cli.main as m, os, signal; m.run = lambda _: {then}; m.main()"
ASKED = "print(__import__('ctypes').CDLL(None).prctl(3, 0, 0, 0, 0), flush=True) or 0"
CRASH = "os.kill(os.getpid(), signal.SIGSEGV)"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux about a process")


def test_our_programs_may_not_be_dumped_and_what_they_execute_may() -> None:
    ours = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(then=ASKED)], capture_output=True, text=True, check=True
    )
    executed = f"os.execv({sys.executable!r}, ['python', '-c', {ASKED!r}])"
    theirs = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(then=executed)], capture_output=True, text=True, check=True
    )

    assert ours.stdout == "0\n"
    assert theirs.stdout == "1\n"


def test_one_that_crashes_leaves_nothing_behind(tmp_path: Path) -> None:
    unlimited = 'ulimit -c "$(ulimit -H -c)"; exec "$0" -c "$1"'
    program = PROGRAM.format(then=CRASH)
    process = subprocess.Popen(["/bin/sh", "-c", unlimited, sys.executable, program], cwd=tmp_path)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = 0

    assert os.WTERMSIG(status) == signal.SIGSEGV
    assert not os.WCOREDUMP(status)
    assert list(tmp_path.iterdir()) == []
