"""docs/cli.md says what there is, and nothing else."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from autopilot.cli.main import COMMANDS, make_app

PAGE = (Path(__file__).parents[2] / "docs/cli.md").read_text()
ROWS = [row for row in PAGE.splitlines() if row.startswith("| `autopilot")]
NAMES = sorted(name for commands in COMMANDS.values() for name in commands)


def named_in(row: str) -> list[str]:
    """The commands of a row: `autopilot a`, `b`, `c d`; what they are given is not in small letters."""
    first = row.split("|")[1]
    return re.findall(r"`(?:autopilot )?([a-z-]+(?: [a-z-]+)*)[^`]*`", first)


def help_of(command: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        make_app()([*command.split(), "--help"])
    return out.getvalue()


def test_every_command_is_documented_and_no_other() -> None:
    assert sorted(name for row in ROWS for name in named_in(row)) == NAMES


@pytest.mark.parametrize("row", ROWS, ids=lambda row: named_in(row)[0])
def test_every_option_that_is_documented_is_one(row: str) -> None:
    text = help_of(named_in(row)[0])

    assert [option for option in re.findall(r"`(--[a-z-]+)", row) if option not in text] == []


@pytest.mark.parametrize("command", NAMES)
def test_every_command_takes_the_common_options(command: str) -> None:
    processes = {"serve", "api", "runtime", "companion", "demo-model"}

    assert ("--json" in help_of(command)) == (command not in processes)
