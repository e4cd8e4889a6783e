"""What needs no process: versions, environments."""

from __future__ import annotations

import os
from pathlib import Path

from autopilot.companion.codex.connection import cli_version
from autopilot.companion.codex.process import child_environment, start_time


def test_the_version_is_read_from_the_user_agent() -> None:
    assert cli_version("autopilot/0.163.0 (Debian 12.0.0; x86_64) xterm") == "0.163.0"
    assert cli_version("nonsense") == ""


def test_codex_gets_no_secret_of_ours_and_a_temporary_folder_that_does_not_hold_its_home(tmp_path: Path) -> None:
    environ = {"PATH": "/bin", "OPENAGENTS_RUNTIME_SYNC_TOKEN": "s", "AUTOPILOT_HOME": "h", "TMPDIR": str(tmp_path)}

    below = child_environment(environ, tmp_path / "codex", tmp_path / "scratch")
    beside = child_environment(environ, Path("/somewhere/else"), tmp_path / "scratch")

    assert below == {"PATH": "/bin", "TMPDIR": str(tmp_path / "scratch")}
    assert beside == {"PATH": "/bin", "TMPDIR": str(tmp_path)}


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    assert start_time(os.getpid()) == start_time(os.getpid())
    assert start_time(2**22 + 1) is None
