from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from autopilot.cli.terminal import Terminal
from autopilot.cli.welcome import Welcome

HERE = Welcome(
    url="http://127.0.0.1:8787",
    urls=["http://127.0.0.1:8787"],
    listening=False,
    owner_email="owner@localhost",
    code="1234 5678",
    codex=["Codex 0.163.0"],
    startup_seconds=1.2,
)
ELSEWHERE = replace(HERE, url="http://192.168.1.20:8787", listening=True)
BLOCKS = "█"


def said(welcome: Welcome) -> str:
    terminal = Terminal()
    terminal.out = Console(file=io.StringIO(), highlight=False, soft_wrap=True)
    welcome.print(terminal)
    return terminal.out.file.getvalue()


def test_one_url_and_a_code_are_said() -> None:
    words = said(HERE)

    assert words.count("http") == 1
    assert "owner@localhost with the code 1234 5678" in words


def test_no_qr_code_is_printed_that_only_this_machine_could_open() -> None:
    words = said(HERE)

    assert BLOCKS not in words
    assert "autopilot up --listen" in words


def test_a_url_that_a_phone_can_open_comes_as_a_qr_code() -> None:
    assert BLOCKS in said(ELSEWHERE)


def test_listening_without_a_network_says_why_there_is_no_qr_code() -> None:
    words = said(replace(HERE, listening=True))

    assert BLOCKS not in words
    assert "No network address" in words


def test_which_codex_runs_is_said_as_it_is_known() -> None:
    assert "Codex 0.163.0 [the pinned one]" in said(replace(HERE, codex=["Codex 0.163.0 [the pinned one]"]))


def test_a_program_gets_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    ELSEWHERE.print(Terminal(as_json=True))

    assert json.loads(capsys.readouterr().out)["url"] == "http://192.168.1.20:8787"
