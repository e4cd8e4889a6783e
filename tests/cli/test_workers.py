from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from autopilot.cli.workers import HEADINGS, facts_of, print_table, rows_of
from autopilot.client.presenters.times import ago
from autopilot.contract import SeqFact, WorkerSummary, decode, encode
from autopilot.ops.program import autopilot
from autopilot.testing.streaming_server import blank_snapshot

LONG_ID = "desktopw:01a204f5-99a2-7e10-b530-35af48e03b0c"
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def summary(**facts: object) -> WorkerSummary:
    return replace(decode(WorkerSummary, encode(blank_snapshot(LONG_ID))), **facts)


def printed(*workers: WorkerSummary, width: int, terminal: bool) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, highlight=False)
    print_table(console, HEADINGS, rows_of(workers))
    return console.file.getvalue()


def test_an_id_is_never_cut_however_narrow_the_terminal() -> None:
    title = SeqFact(value="a long title " * 20, seq=1)
    lines = printed(summary(title=title), width=80, terminal=True).splitlines()

    assert lines[1].startswith(LONG_ID)
    assert len(lines) == 2


def test_nothing_is_cut_where_nobody_looks() -> None:
    title = "a long title " * 20

    assert title.rstrip() in printed(summary(title=SeqFact(value=title, seq=1)), width=80, terminal=False)


def test_what_a_session_is_called_cannot_steer_the_terminal() -> None:
    title = SeqFact(value="\x1b[2Jgone", seq=1)

    assert "\x1b[2J" not in printed(summary(title=title), width=80, terminal=False)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (None, ""),
        ("2026-11-22T11:59:58Z", "2 s ago"),
        ("2026-11-22T11:57:00Z", "3 min ago"),
        ("2026-11-22T07:00:00Z", "5 h ago"),
        ("2026-11-20T12:00:00Z", "2 d ago"),
        ("2026-11-22T12:00:05Z", "0 s ago"),
    ],
)
def test_a_moment_is_told_in_one_unit_and_never_from_the_future(moment: str | None, words: str) -> None:
    assert ago(moment, NOW) == words


def test_only_what_is_known_of_a_worker_is_shown() -> None:
    names = [name for name, _ in facts_of(blank_snapshot("w"))]

    assert {"worker", "status", "lease", "API", "companion", "Codex", "data"} <= set(names)
    assert "title" not in names


def test_a_worker_whose_codex_asks_says_so() -> None:
    asking = replace(blank_snapshot("w"), pending_approvals=2)

    assert dict(facts_of(asking))["asks"] == f"2 unanswered: {autopilot('approvals')}"
    assert "asks" not in dict(facts_of(blank_snapshot("w")))
