from __future__ import annotations

from dataclasses import replace

import pytest
from tests.api.contract.conftest import opened
from tests.api.contract.world import person

from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.pick import LOOKED_AT, best_fit, most_recent, pick_worker
from autopilot.client import RuntimeCodexClient
from autopilot.contract import WorkerSummary, decode, encode
from autopilot.contract.port import Claims
from autopilot.testing.postgres import TestCluster
from autopilot.testing.runtime import insert_worker
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


async def test_a_part_of_an_id_is_found_however_many_workers_came_since(cluster: TestCluster) -> None:
    async with opened("one process", cluster) as world:
        ada = await person(world, "ada")
        claims = Claims(user_id=ada.user_id, scopes=frozenset({"administer"}))
        await insert_worker(world.runtime, "desktopw:the-oldest-of-all", claims)
        for number in range(LOOKED_AT + 5):
            await insert_worker(world.runtime, f"desktopw:{number:04}", claims)
        async with RuntimeCodexClient(world.api.url, ada.token) as client:
            assert await pick_worker(client, "oldest") == "desktopw:the-oldest-of-all"
            assert await pick_worker(client, "desktopw:0007") == "desktopw:0007"
            assert await pick_worker(client, "no-such") == "no-such"
