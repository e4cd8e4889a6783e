"""Whatever is wrong with DATABASE_URL, every command that needs the database says so in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autopilot.cli.exits import Exit
from autopilot.cli.main import run

MALFORMED = ["nonsense", "mysql://u:p@127.0.0.1/x", "postgresql://u:hunter2/x@127.0.0.1/x", "postgresql://u@[::1/x"]
NOBODY_THERE = "postgresql://u:hunter2@127.0.0.1:1/x"
COMMANDS = {"token": [], "backup": ["kept.zip"], "audit verify": []}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def error_in(text: str) -> dict[str, Any]:
    assert text.count("\n") == 1, text
    assert "hunter2" not in text
    return json.loads(text)["error"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("address", [*MALFORMED, NOBODY_THERE])
def test_a_command_that_needs_the_database_says_what_is_wrong_with_its_address(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, address: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)

    code = run([*command.split(), *COMMANDS[command], "--json"])

    error = error_in(capsys.readouterr().err)
    away = address == NOBODY_THERE
    assert (code, error["code"]) == ((Exit.UNREACHABLE, "unavailable") if away else (Exit.CANNOT_START, "cannot_start"))
    assert ("not available" if away else "postgresql://user:password@host") in error["message"]
    assert not (here / "kept.zip").exists()


@pytest.mark.parametrize("address", [*MALFORMED, NOBODY_THERE])
def test_the_doctor_goes_on_with_the_rest(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    monkeypatch.setenv("AUTOPILOT_CODEX", str(here / "none"))

    code = run(["doctor", "--json", "--port", "0"])

    printed = capsys.readouterr()
    findings = {finding["about"]: finding for finding in json.loads(printed.out)}
    assert code == Exit.FAILED
    assert findings["database"]["verdict"] == "problem"
    assert "hunter2" not in printed.out
    assert "server" in findings


@pytest.mark.slow
@pytest.mark.parametrize("command", [["up", "--port", "0"], ["serve", "--port", "0"]])
@pytest.mark.parametrize("address", ["nonsense", NOBODY_THERE])
def test_what_starts_on_a_database_of_ones_own_says_why_it_does_not(
    here: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], address: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)

    ended = subprocess.run(
        [sys.executable, "-m", "autopilot.cli", *command], capture_output=True, text=True, check=False
    )

    away = address == NOBODY_THERE
    assert ended.returncode == (Exit.UNREACHABLE if away else Exit.CANNOT_START), ended.stderr
    assert "Traceback" not in ended.stderr
    assert ("not available" if away else "postgresql://user:password@host") in ended.stderr
