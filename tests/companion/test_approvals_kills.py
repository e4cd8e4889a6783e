"""The companion is killed at moments that a seed chooses, around questions and their answers; real Codex throughout.

No question is lost, none is answered twice or differently, no end goes untold.
"""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.companion.asking import asking_thread, decide, end, ended, of_approvals, pending
from tests.companion.installation import PATIENCE_SECONDS, Installation, assert_sound, item, method
from tests.companion.test_shared_codex import turns_ended

pytestmark = [pytest.mark.e2e, pytest.mark.seeds(1, 20)]

ROUNDS = 4
LONGEST_SECONDS = 0.4
"""A question, or an answer, has gone all its way by then."""


async def test_no_question_is_lost_doubled_or_left_open_by_kills(installation: Installation, seed: int) -> None:
    chance = random.Random(seed)
    process = await installation.start_process()
    worker = await asking_thread(installation)
    expected: list[tuple[str, bool]] = []
    for number in range(ROUNDS):
        line = f"line {number}"
        await installation.turn(worker, {"shell": f"echo {line} >> lines.txt"}, {"say": "done"})
        if chance.random() < 0.5:
            await asyncio.sleep(chance.uniform(0, LONGEST_SECONDS))  # the moment is what the seed is for
            await process.kill()
            process = await installation.start_process()
        (asked,) = await pending(installation)
        allowed = chance.random() < 0.5
        await decide(installation, asked, "accept" if allowed else "decline")
        await asyncio.sleep(chance.uniform(0, LONGEST_SECONDS))
        await process.kill()
        process = await installation.start_process()
        over = await ended(installation, asked)
        assert end(over) == ("applied", "accepted" if allowed else "declined", None)
        await installation.log_until(worker, turns_ended(number + 1))
        expected.append((line, allowed))

    log = await installation.whole_log(worker)
    assert_sound(log)
    assert of_approvals(log) == ["requested", "decided", "applied"] * ROUNDS
    statuses = [event.payload["params"]["item"]["status"] for event in log if item("commandExecution")(event)]
    # Codex's history has no item that was declined: what was said of one while nobody listened is not heard of.
    assert statuses.count("completed") == sum(allowed for _, allowed in expected)
    written = installation.project / "lines.txt"
    lines = written.read_text().splitlines() if written.exists() else []
    assert lines == [line for line, allowed in expected if allowed]
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert not (await installation.owner.approvals()).approvals
    assert sum(method("turn/completed")(event) for event in log) == ROUNDS
