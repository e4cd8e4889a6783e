"""A stored artifact on a phone: read a part at a time, however large; what is gone, refused or to come says so."""

from __future__ import annotations

from pathlib import Path

import flet as ft
import pytest
from tests.api.contract.world import Person, announce, store
from tests.ios.worker_desk import Desk, desk
from tests.waiting import until

from autopilot.client.presenters import times
from autopilot_ios.screens.whole import PART_BYTES, ArtifactScreen

pytestmark = pytest.mark.slow
LARGE_BYTES = 20 * 1024 * 1024
PIECE_BYTES = 3 * 1024 * 1024
LINE = "Größe ist nicht alles: {:07}\n"
"""An odd number of bytes, and characters of two: parts begin anywhere in them."""


async def stored(at: Desk, text: str) -> str:
    """An event stands for this text, which its machine has stored since; the artifact."""
    worker_id, data = at.person.worker_id, text.encode()
    artifact_id = await announce(at.machine, worker_id, text)
    offset = 0
    while offset < len(data):
        piece = data[offset : offset + PIECE_BYTES].decode(errors="ignore")
        part = {"artifact_id": artifact_id, "offset": offset, "text": piece}
        answer = await at.machine.post(f"/workers/{worker_id}/artifacts", {"artifacts": [part]})
        assert answer.status_code == 200, answer.text
        offset = answer.json()["data"][0]["next_offset"]
    assert answer.json()["data"][0]["state"] == "stored", answer.text
    return artifact_id


def read(at: Desk) -> str:
    """All of it that is on the screen."""
    texts = [one for one in at.phone.controls() if isinstance(one, ft.Text) and one.style and one.value]
    return "\n".join(str(one.value) for one in texts)


def shown(at: Desk, artifact_id: str) -> None:
    at.shell.push(ArtifactScreen(at.core, at.person.worker_id, artifact_id, at.hand))


async def test_twenty_megabytes_are_read_a_part_at_a_time_without_a_character_lost(ada: Person, tmp_path: Path):
    lines = LARGE_BYTES // len(LINE.format(0).encode()) + 1
    text = "".join(LINE.format(number) for number in range(lines))
    async with desk(ada, tmp_path) as at:
        artifact_id = await stored(at, text)
        shown(at, artifact_id)
        await at.phone.waits_for(f"{times.size(PART_BYTES)} read")
        sent = at.phone.wire.sent[-3:]
        assert sum(sent) < 3 * PART_BYTES, "one part goes to the screen, not the artifact"
        for part in range(2, 5):
            await at.phone.tap("artifact-more")
            await at.phone.waits_for(f"{times.size(part * PART_BYTES)} read")
        found = read(at).replace("\n", "")
        assert "�" not in found
        assert found == text.encode()[: 4 * PART_BYTES].decode(errors="ignore").replace("\n", "")


async def test_the_last_part_says_that_it_is_all(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        artifact_id = await stored(at, LINE.format(7) * (PART_BYTES // len(LINE.format(7).encode()) + 10))
        shown(at, artifact_id)
        await until(lambda: at.phone.has("artifact-more"))
        await at.phone.tap("artifact-more")
        await at.phone.waits_for("All of it: ")
        assert not at.phone.has("artifact-more")


async def test_one_that_is_exactly_as_long_as_its_parts_ends_without_an_error(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        shown(at, await stored(at, "x" * PART_BYTES))
        await until(lambda: at.phone.has("artifact-more"))
        await at.phone.tap("artifact-more")
        await at.phone.waits_for("That is all.")


async def test_what_has_not_arrived_yet_says_so_and_is_there_on_the_next_try(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        artifact_id = await announce(at.machine, ada.worker_id, "to come")
        shown(at, artifact_id)
        await at.phone.waits_for("The rest has not arrived yet.")
        assert at.phone.shows("Request ")
        await store(at.machine, ada.worker_id, "to come")
        await at.phone.tap("artifact-again")
        await at.phone.waits_for("All of it: ")
        assert read(at) == "to come"


@pytest.mark.parametrize(
    ("status", "code", "reason", "words", "again"),
    [
        (404, "not_found", "artifact_pruned", "older than this installation keeps", False),
        (404, "not_found", "artifact_lost", "The rest is lost", False),
        (403, "forbidden", "role", "You may look here", False),
        (503, "unavailable", "runtime_unreachable", "The ledger can't be reached.", True),
    ],
)
async def test_what_goes_wrong_on_the_way_leaves_what_was_read(  # noqa: PLR0917 - a row of the table
    ada: Person, tmp_path: Path, status: int, code: str, reason: str, words: str, *, again: bool
):
    async with desk(ada, tmp_path) as at:
        text = "x" * (PART_BYTES + 10)
        artifact_id = await stored(at, text)
        shown(at, artifact_id)
        await until(lambda: at.phone.has("artifact-more"))
        at.way.refuse(artifact_id, status, code, reason_code=reason)
        await at.phone.tap("artifact-more")
        await at.phone.waits_for(words)
        assert at.phone.shows("Request told-by-a-test")
        assert len(read(at)) == PART_BYTES
        assert at.phone.has("artifact-again") is again
        if again:
            at.way.instead = lambda _request: None
            await at.phone.tap("artifact-again")
            await at.phone.waits_for("All of it: ")
