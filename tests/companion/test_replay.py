"""Recorded sessions of Codex, replayed: what the companion makes of each is what it made when somebody looked at it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.companion.replay import GOLDEN, RECORDINGS, replayed, rows_of
from tests.companion.scenarios import SCENARIOS, record

from autopilot.companion.codex import drift
from autopilot.companion.codex.binary import CodexBinary
from autopilot.testing.recording import sanitised

SESSIONS = sorted(RECORDINGS.glob("*/*.jsonl"))
VERSIONS = [one.version for one in drift.recorded()]


def named(path: Path) -> str:
    return f"{path.parent.name} {path.stem}"


def test_every_scenario_is_recorded_of_every_version_that_has_a_baseline() -> None:
    recorded = {(path.parent.name, path.stem) for path in SESSIONS}

    assert recorded >= {(version, name) for version in VERSIONS for name in SCENARIOS}


@pytest.mark.parametrize("path", SESSIONS, ids=named)
async def test_a_recorded_session_comes_to_the_same_events_questions_and_states(path: Path) -> None:
    assert await replayed(rows_of(path)) == path.with_suffix(GOLDEN).read_text("utf-8")


@pytest.mark.parametrize("path", SESSIONS, ids=named)
def test_a_recording_names_nobody(path: Path) -> None:
    rows = rows_of(path)

    assert sanitised(rows, {}, machine="machine") == rows


def test_ids_times_and_places_of_a_machine_are_replaced_and_stay_told_apart() -> None:
    first, second = "01a20252-e951-7ee2-8b7f-2983c07888d5", "01a20252-e951-7ee2-8b7f-2983c07888d6"
    said = {"emittedAtMs": 7, "params": {"a": first, "b": [second, f"/root/x/{first}"], "createdAt": 8, "n": 9}}
    more = {"processId": "4711", "item": "call_s0_0_209503f4", "url": "http://127.0.0.1:4711/v1", "serverName": "vm"}

    (row,) = sanitised([{"msg": said | more}], {"/root": "/home/dev", "/root/x": "/home/dev/project"}, machine="vm")

    told = row["msg"]
    one, two = told["params"]["a"], told["params"]["b"][0]
    assert told["params"]["b"][1] == f"/home/dev/project/{one}"
    assert (one != two, one[:8], told["params"]["n"]) == (True, "00000000", 9)
    assert (told["processId"], told["url"], told["serverName"]) == ("1000", "http://127.0.0.1:8080/v1", "machine")
    assert told["item"].startswith("call_0000")
    assert {told["emittedAtMs"] // 1000, told["params"]["createdAt"]} == {1_795_000_000}


@pytest.mark.e2e
async def test_a_session_recorded_now_comes_to_the_same_as_the_one_in_the_repository(
    codex_binary: CodexBinary, tmp_path: Path
) -> None:
    rows = await record(codex_binary, SCENARIOS["killed_in_a_question"], tmp_path)
    known = RECORDINGS / drift.nearest(codex_binary.version).version / f"killed_in_a_question{GOLDEN}"

    assert sorted(untimed(await replayed(rows))) == sorted(untimed(known.read_text("utf-8")))
    assert sanitised(rows, {}, machine="machine") == rows


def untimed(told: str) -> list[str]:
    """The lines without their numbers: Codex's own threads do not always say two things in the same order."""
    return [line.lstrip(" 0123456789") for line in told.splitlines()]
