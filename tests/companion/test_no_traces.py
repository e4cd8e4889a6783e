"""What passed through the companion's file and is done with is not in its files any more, byte for byte."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from tests.companion.asking import decide, ended, pending
from tests.companion.installation import Installation, method
from tests.companion.kinds import ASKING, call
from tests.waiting import until

from autopilot.companion import upkeep
from autopilot.companion.database import open_file, transact, wipe
from autopilot.companion.outbox import Outbox

PLANTED = "Pl4nted" * 4
WAY = "s3cret-w4y-" * 4


def holding(folder: Path, secret: str) -> list[str]:
    """The files that hold it."""
    return [path.name for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


@pytest.mark.e2e
async def test_neither_params_of_a_request_nor_a_secret_answer_are_left_once_they_are_done_with(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "ROOM_SECONDS", 0.2)
    question = {"id": "key", "header": "Key", "question": "Which key?", "isSecret": True, "isOther": True}
    given: dict[str, Any] = {"config": ASKING, "approvalPolicy": "on-request", "sandbox": "read-only"}
    async with installation.companion() as companion:
        params = {"cwd": str(installation.project), **given}
        worker = (await installation.machine_request("thread/start", params)).response["worker_id"]
        asks = call("request_user_input", questions=[question | {"options": [{"label": "none", "description": "n"}]}])
        async with asyncio.TaskGroup() as both:  # the upkeep may be faster than what follows the turn
            there = both.create_task(until(lambda: holding(installation.settings.data, WAY)))
            await installation.turn(worker, asks, {"say": WAY})
        (asked,) = await pending(installation)
        await decide(installation, asked, "answer", content={"key": [PLANTED]})
        await ended(installation, asked)
        await installation.log_until(worker, method("turn/completed"))
        name = await installation.owner.request(worker, "thread/name/set", {"name": PLANTED}, wait_ms=30_000)
        await until(lambda: not holding(installation.settings.data, PLANTED))
        await until(lambda: not holding(installation.settings.data, WAY))
        waiting = await companion.database.run(companion.outbox.depth)

    assert name.state == "completed"
    assert there.result(), "or nothing is shown by its absence"
    assert waiting == 0


def test_what_is_deleted_is_overwritten_in_the_file_and_gone_from_its_log_after_a_wipe(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    db = open_file(path)
    outbox = Outbox()
    outbox.load(db)
    transact(db, lambda db: _insert(db, 200))
    assert holding(tmp_path, PLANTED)
    wipe(db)
    assert holding(tmp_path, PLANTED) == ["outbox.sqlite"]

    transact(db, lambda db: db.execute("delete from setting"))
    wipe(db)

    assert holding(tmp_path, PLANTED) == []
    db.close()


def test_somebody_who_reads_the_file_is_not_waited_for_and_wiped_after(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    db, reader = open_file(path), open_file(path)
    transact(db, lambda db: _insert(db, 200))
    reader.execute("begin")
    reader.execute("select count(*) from setting").fetchone()
    transact(db, lambda db: db.execute("delete from setting"))

    began = time.monotonic()
    assert not wipe(db)
    took = time.monotonic() - began
    reader.execute("commit")

    assert took < 5, "what Codex says was kept waiting until the reader was given up"
    assert db.execute("pragma busy_timeout").fetchone()[0] == 5000, "a transaction does wait"
    assert wipe(db)
    assert holding(tmp_path, PLANTED) == []
    reader.close()
    db.close()


def _insert(db: sqlite3.Connection, number: int) -> None:
    rows = [(f"{n}", PLANTED * 300) for n in range(number)]  # longer than a page
    db.executemany("insert into setting values (?, ?)", rows)
