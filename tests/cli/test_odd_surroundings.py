"""A reader that leaves, letters that the terminal does not have, numbers that are none: each ends as it should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autopilot.cli.exits import Exit
from autopilot.cli.main import run

NOBODY = "http://127.0.0.1:9"


def autopilot(*arguments: str | bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "autopilot.cli", *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["workers", "--help"], ["version"], ["version", "--json"]])
def test_a_reader_that_has_left_makes_nothing_fail(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "autopilot.cli", *arguments]
    with os.fdopen(writing, "wb") as out:
        ended = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, timeout=60, check=False)

    assert (ended.returncode, ended.stderr) == (Exit.OK, b"")


def test_letters_that_the_terminal_does_not_have_are_shown_as_others(tmp_path: Path) -> None:
    there = str(tmp_path / "nö „such“ file")
    ended = autopilot("restore", there, AUTOPILOT_HOME=str(tmp_path / "home"), PYTHONIOENCODING="ascii")

    assert b"Traceback" not in ended.stderr
    assert ended.returncode not in {0, 2}


def test_what_a_locale_without_letters_made_of_an_argument_is_read_as_the_text_it_is(tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = autopilot("show", "--json", "--url", "täxt".encode(), **ascii_only, AUTOPILOT_HOME=str(tmp_path))

    assert ended.returncode == Exit.USAGE
    assert "täxt" in json.loads(ended.stderr)["error"]["message"]


def test_an_argument_that_is_no_text_makes_no_sense(tmp_path: Path) -> None:
    ended = autopilot("send", b"caf\xe9", "--json", AUTOPILOT_HOME=str(tmp_path))

    assert ended.returncode == Exit.USAGE
    assert "UTF-8" in json.loads(ended.stderr)["error"]["message"]


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
@pytest.mark.parametrize(
    "command",
    [["send", "hi", "--wait"], ["request", "model/list", "--wait"], ["handshake", "--timeout"], ["stop-all", "--wait"]],
)
def test_a_time_that_nobody_can_wait_makes_no_sense(command: list[str], seconds: str, tmp_path: Path) -> None:
    assert run([*command, seconds, "--url", NOBODY]) == Exit.USAGE


@pytest.mark.parametrize("token", ["schlüssel", "two\nlines", "bell\a"])
def test_what_is_no_token_is_never_sent_nor_shown(
    token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTOPILOT_TOKEN", token)
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))

    assert run(["workers", "--url", NOBODY]) == Exit.SIGN_IN
    assert token[:3] not in capsys.readouterr().err


def test_nothing_but_the_sentence_is_said_where_nobody_answers(tmp_path: Path) -> None:
    ended = autopilot("login", NOBODY, "--email", "ada@example.org", "--json", AUTOPILOT_HOME=str(tmp_path))

    assert ended.returncode == Exit.UNREACHABLE
    assert json.loads(ended.stderr)["error"]["code"] == "unavailable"


@pytest.mark.parametrize(
    "command",
    [["pair", "--claim"], ["policy", "set"], ["prices", "set"], ["policy", "test", "turn/start", "--file"]],
)
@pytest.mark.parametrize(("name", "code"), [("-", Exit.UNREACHABLE), ("--no-such", Exit.USAGE)])
def test_a_dash_is_standard_input_and_nothing_else_that_begins_so(
    command: list[str], name: str, code: Exit, tmp_path: Path
) -> None:
    ended = autopilot(*command, name, "--url", NOBODY, AUTOPILOT_HOME=str(tmp_path), AUTOPILOT_TOKEN="token")

    assert ended.returncode == code, ended.stderr


@pytest.mark.parametrize("link", ["http://[x/guest#secret", "http://", "guest#secret"])
def test_what_is_no_guest_s_link_is_refused(link: str, tmp_path: Path) -> None:
    ended = autopilot("guests", "enter", link, AUTOPILOT_HOME=str(tmp_path))

    assert (ended.returncode, b"no guest's link" in ended.stderr) == (Exit.USAGE, True)


@pytest.mark.parametrize("hours", ["0", "-1", "169"])
def test_a_guest_comes_for_hours_that_there_are(hours: str) -> None:
    assert run(["guests", "invite", "bea", "--hours", hours, "--url", NOBODY]) == Exit.USAGE


@pytest.mark.parametrize(
    "command",
    [["request", "turn/start"], ["policy", "test", "turn/start", "--params"], ["answer", "ap_1", "--json-content"]],
)
def test_what_is_nested_too_deep_is_no_json(command: list[str], tmp_path: Path) -> None:
    ended = autopilot(*command, "[" * 100_000, "--url", NOBODY, AUTOPILOT_HOME=str(tmp_path), AUTOPILOT_TOKEN="token")

    assert (ended.returncode in {Exit.USAGE, Exit.UNREACHABLE}, b"Traceback" in ended.stderr) == (True, False)
