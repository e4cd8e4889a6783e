"""An answer that could not be noted down is given when it can be: nobody waits for the next session with Codex."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.companion.test_approvals_file import INCARNATION, bench
from tests.companion.test_questions_unplaced import asked

from autopilot.companion import approvals
from autopilot.companion.approvals_answers import Answers
from autopilot.companion.codex.questions import Answer
from autopilot.companion.codex.supervisor import Session
from autopilot.contract import ApprovalAnswer


class Listening:
    """A Codex that hears answers, and says nothing."""

    def __init__(self) -> None:
        connection: Any = self
        self.session = Session(connection=connection, incarnation=INCARNATION)
        self.heard: list[Any] = []

    async def reply(self, identity: msgspec.Raw, answer: Answer) -> None:
        self.heard.append((bytes(identity), answer.result))


async def test_an_answer_that_finds_the_disk_full_is_given_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, full = approvals.answering, [True]

    def answering(db: sqlite3.Connection, approval_id: str) -> bool:
        if full:
            full.pop()
            raise sqlite3.OperationalError("database or disk is full")
        return note(db, approval_id)

    monkeypatch.setattr(approvals, "answering", answering)
    async with bench(tmp_path, "t") as made:
        codex: Any = Listening()
        parts = {"database": made.database, "recorder": made.recorder, "threads": made.threads}
        answers = Answers(codex, **parts, asking=made.asking, clock=made.clock)
        await made.hear(asked("t", 7))
        ((_, question),) = await made.told()
        option_id = next(one["option_id"] for one in question["options"] if one["effect"] == "accept")
        decided = {"worker_id": "desktopw:t", "decided_at": "2026-01-01T00:00:00Z"}
        await answers.decide(ApprovalAnswer(approval_id=question["approval_id"], option_id=option_id, **decided))

        with pytest.raises(sqlite3.OperationalError):
            await answers.run()
        assert codex.heard == []
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(answers.run())  # as its supervisor does
            async with asyncio.timeout(30):
                while not codex.heard:  # noqa: ASYNC110 - what is awaited has no event of its own
                    await asyncio.sleep(0)
            running.cancel()

    assert [identity for identity, _ in codex.heard] == [b"7"]
