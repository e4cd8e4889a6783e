"""Paragraphs fit the terminal of whoever reads them, and are left as they are for everybody else."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from autopilot.cli.exits import CommandFailed
from autopilot.cli.terminal import Terminal

LEAD = "[green]ok      [/green] database     "
TEXT = "Postgres 18.4, [bold]schema up to date[/bold], and a sentence that goes on for a while"


def printed(width: int, *, terminal: bool) -> list[str]:
    screen = Terminal()
    out = io.StringIO()
    screen.out = Console(
        file=out, width=width, highlight=False, soft_wrap=True, force_terminal=terminal, color_system=None
    )
    screen.prose(TEXT, lead=LEAD)
    return out.getvalue().splitlines()


def test_a_paragraph_is_wrapped_at_its_words_and_hangs_below_its_lead() -> None:
    first, *rest = printed(60, terminal=True)

    assert first.startswith("ok       database     Postgres 18.4, ")
    assert rest
    assert all(line.startswith(" " * 22) and line[22] != " " for line in rest)


def test_on_a_narrow_terminal_it_stands_below_its_lead() -> None:
    lead, *rest = printed(40, terminal=True)

    assert lead.split() == ["ok", "database"]
    assert all(line.startswith("    ") and len(line.rstrip()) <= 40 for line in rest)
    assert " ".join(" ".join(rest).split()).startswith("Postgres 18.4, schema up to date, and a sentence")


@pytest.mark.parametrize("width", [20, 80])
def test_where_nobody_looks_it_is_one_line(width: int) -> None:
    (line,) = printed(width, terminal=False)

    assert line.endswith("and a sentence that goes on for a while")


def test_what_others_wrote_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    said = "\x1b[2J\x9b2J\x1b]0;title\x07Allow [bold]\x08all"
    screen = Terminal()
    out = io.StringIO()
    screen.out = Console(file=out, width=80, highlight=False, soft_wrap=True, force_terminal=True, color_system=None)

    screen.say(said, markup=False)
    screen.prose(said)
    screen.remark(said)
    screen.problem(CommandFailed(said), "failed")
    screen.problem(CommandFailed("\x1b[/red] and \x1b[bold]"), "failed")

    assert [letter for letter in out.getvalue() + capsys.readouterr().err if not letter.isprintable()] == ["\n"] * 5


def test_a_program_gets_what_others_wrote_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().say('{"a": "\x1b[2J\x7f"}', markup=False)

    assert capsys.readouterr().out == '{"a": "\x1b[2J\x7f"}\n'
