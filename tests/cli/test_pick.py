from __future__ import annotations

from dataclasses import replace

import pytest

from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.pick import best_fit, most_recent
from autopilot.contract import WorkerSummary, decode, encode
from autopilot.testing.streaming_server import blank_snapshot


def summary(worker_id: str, status: str = "running") -> WorkerSummary:
    return replace(decode(WorkerSummary, encode(blank_snapshot(worker_id))), status=status)


def test_the_most_recent_worker_that_is_open_is_meant_when_none_is_named() -> None:
    assert most_recent([summary("a", "stopped"), summary("b"), summary("c")]) == "b"


def test_where_none_is_open_the_most_recent_of_all_is_meant() -> None:
    assert most_recent([summary("a", "stopped"), summary("b", "failed")]) == "a"


def test_where_there_is_none_nothing_is_meant() -> None:
    assert most_recent([]) is None


def test_a_part_of_an_id_that_only_one_worker_has_is_enough() -> None:
    assert best_fit([summary("desktopw:0199-abc"), summary("desktopw:0199-def")], "def") == "desktopw:0199-def"


def test_a_part_that_several_have_is_a_usage_error() -> None:
    with pytest.raises(CommandFailed, match="fits several") as refused:
        best_fit([summary("desktopw:1"), summary("desktopw:2")], "desktopw")

    assert refused.value.exit_code == Exit.USAGE


def test_a_whole_id_is_meant_even_where_it_is_a_part_of_another() -> None:
    assert best_fit([summary("w1"), summary("w10")], "w1") == "w1"


def test_an_id_that_is_not_listed_is_left_to_the_server_to_judge() -> None:
    assert best_fit([summary("w1")], "other") == "other"
