"""What needs no process: versions, drift, environments."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from autopilot.companion.codex import drift
from autopilot.companion.codex.connection import cli_version
from autopilot.companion.codex.process import child_environment, start_time


def test_the_version_is_read_from_the_user_agent() -> None:
    assert cli_version("autopilot/0.163.0 (Debian 12.0.0; x86_64) xterm") == "0.163.0"
    assert cli_version("nonsense") == ""


def test_both_recorded_versions_are_there_and_know_what_we_use() -> None:
    known = drift.recorded()

    assert [one.version for one in known] == ["0.163.0", "0.169.0"]
    for one in known:
        assert set(one.methods) >= drift.USED_METHODS
        assert set(one.notifications) >= drift.USED_NOTIFICATIONS


def test_the_measured_difference_between_the_recorded_versions_is_told() -> None:
    old, new = drift.recorded()

    told = drift.compare(old, new)

    assert {kind: len(names) for kind, names in told.added.items()} == {"methods": 12, "notifications": 1}
    assert told.removed == {}
    assert told.missing == []


def test_a_codex_that_lost_what_we_rely_on_is_told_by_name() -> None:
    old = drift.recorded()[0]
    poorer = msgspec.structs.replace(old, version="0.164.0", methods=[m for m in old.methods if m != "turn/start"])

    told = drift.compare(drift.nearest("0.164.0"), poorer)

    assert told.missing == ["turn/start"]
    assert told.sentence().endswith("we rely on turn/start")


@pytest.mark.parametrize(
    ("version", "baseline"), [("0.163.5", "0.163.0"), ("0.200.0", "0.169.0"), ("0.1.0", "0.163.0")]
)
def test_a_version_is_compared_with_the_newest_that_is_not_newer(version: str, baseline: str) -> None:
    assert drift.nearest(version).version == baseline


def test_codex_gets_no_secret_of_ours_and_a_temporary_folder_that_does_not_hold_its_home(tmp_path: Path) -> None:
    environ = {"PATH": "/bin", "OPENAGENTS_RUNTIME_SYNC_TOKEN": "s", "AUTOPILOT_HOME": "h", "TMPDIR": str(tmp_path)}

    below = child_environment(environ, tmp_path / "codex", tmp_path / "scratch")
    beside = child_environment(environ, Path("/somewhere/else"), tmp_path / "scratch")

    assert below == {"PATH": "/bin", "TMPDIR": str(tmp_path / "scratch")}
    assert beside == {"PATH": "/bin", "TMPDIR": str(tmp_path)}


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    assert start_time(os.getpid()) == start_time(os.getpid())
    assert start_time(2**22 + 1) is None
