"""Questions of threads that nobody knows: kept until it is known what they are, and answered where they can't be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from tests.companion.test_approvals_file import Bench, bench

from autopilot.companion.codex.messages import CodexRefused, CodexSilent, Message
from autopilot.companion.codex.questions import REFUSED
from autopilot.companion.recorder import MAX_UNPLACED, MAX_UNPLACED_EACH
from autopilot.companion.upkeep import WAITING_THREADS, Upkeep

COMMAND = "item/commandExecution/requestApproval"


def asked(thread_id: str, number: int) -> Message:
    params = {"threadId": thread_id, "turnId": "t", "itemId": f"i{number}", "command": "make", "cwd": "/p"}
    return Message(
        method=COMMAND, id=msgspec.Raw(str(number).encode()), params=msgspec.Raw(json.dumps(params).encode())
    )


def refused(bench: Bench) -> list[int]:
    assert all(said.error is not None and said.error[0] == REFUSED for _, said in bench.answered)
    return [msgspec.json.decode(message.id) for message, _ in bench.answered]


async def test_what_is_pushed_out_by_other_threads_questions_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        await made.hear(*(asked(f"unknown-{number}", number) for number in range(MAX_UNPLACED + 2)))

        assert refused(made) == [0, 1]


async def test_what_a_thread_asks_beyond_what_is_kept_of_it_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        await made.hear(*(asked("unknown", number) for number in range(MAX_UNPLACED_EACH + 1)))

        assert refused(made) == [MAX_UNPLACED_EACH]


async def test_on_the_shared_daemon_nothing_is_refused_for_others_may_answer(tmp_path: Path) -> None:
    async with bench(tmp_path, shared=True) as made:
        await made.hear(*(asked(f"unknown-{number}", number) for number in range(MAX_UNPLACED + 2)))

        assert made.answered == []


class Away:
    """A recovery whose Codex does not tell of threads."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.tried: list[str] = []

    async def adopt(self, thread_id: str) -> None:
        self.tried.append(thread_id)
        raise self.errors.pop(0)


class Enough(Exception):
    """Ends a task that runs for ever."""


def upkeep(made: Bench, recovery: Away) -> Upkeep:
    parts: dict[str, Any] = dict.fromkeys(
        ("codex", "database", "outbox", "threads", "leases", "mirror", "standing", "clock"), cast("Any", None)
    )
    codex = parts.pop("codex")
    return Upkeep(codex, recovery=cast("Any", recovery), recorder=made.recorder, **parts)


async def test_what_a_thread_asked_that_codex_does_not_know_is_refused_but_not_where_codex_only_was_silent(
    tmp_path: Path,
) -> None:
    recovery = Away(CodexSilent("late"), CodexRefused(-32600, "no such thread"), Enough())
    async with bench(tmp_path) as made:
        kept = upkeep(made, recovery)
        made.recorder.stranger = kept.stranger
        await made.hear(asked("silent", 0), asked("refused", 1), asked("end", 2))
        with pytest.raises(Enough):
            await kept.adopt()

        assert refused(made) == [1]


async def test_a_stranger_that_says_much_takes_no_place_from_another(tmp_path: Path) -> None:
    recovery = Away(CodexSilent("late"), Enough())
    async with bench(tmp_path) as made:
        kept = upkeep(made, recovery)
        for _ in range(WAITING_THREADS):
            kept.stranger("talker")
        kept.stranger("asker")
        with pytest.raises(Enough):
            await kept.adopt()

    assert recovery.tried == ["talker", "asker"]
