"""The companion loses its file while a question waits, or with its answer: it ends, and is asked anew."""

from __future__ import annotations

import asyncio

import pytest
from tests.companion.asking import asking_thread, decide, end, ended, of_approvals, pending
from tests.companion.installation import PATIENCE_SECONDS, Installation, assert_sound, method
from tests.waiting import until

from autopilot.client import RuntimeCodexClient
from autopilot.companion import approvals_answers
from autopilot.companion.codex.process import AppServer
from autopilot.contract.errors import StaleCursor
from autopilot.ops.clock import SystemClock

pytestmark = pytest.mark.e2e


async def take_answer(installation: Installation) -> None:
    """As the companion does that is killed before it told Codex: read from the feed, and acknowledged."""
    cursor = 0
    async with (
        RuntimeCodexClient(installation.served.url, installation.machine_token, surface="companion") as client,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        while True:
            try:
                async with client.follow_feed(installation.machine_id, cursor=cursor) as entries:
                    async for entry in entries:
                        if entry.kind == "decision":
                            await client.ack_feed(installation.machine_id, entry.feed_seq)
                            return
            except StaleCursor as stale:  # it says where the feed begins
                cursor = int(stale.fact("oldest_seq")) - 1


async def test_killed_once_more_before_it_was_closed_it_is_closed_all_the_same_and_the_name_is_forgotten_then(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals_answers, "LONGEST_REPEAT_SECONDS", 1.0)
    process = await installation.start_process()
    worker = await asking_thread(installation)
    await installation.turn(worker, {"shell": "touch ran.txt"}, {"shell": "touch more.txt"}, {"say": "done"})
    (first,) = await pending(installation)
    await process.kill()
    for file in installation.settings.data.glob("outbox.sqlite*"):
        file.unlink()
    await AppServer(installation.launch, SystemClock()).rename()  # by a companion that is killed before it does more

    async with installation.companion() as companion:
        over = await ended(installation, first)
        (second,) = await pending(installation)
        await until(lambda: not companion.asking.forgotten)
        await until(lambda: companion.codex.server.record is not None and not companion.codex.server.record.was)
        await decide(installation, second, "accept")
        await ended(installation, second)
        (third,) = await pending(installation)
        await decide(installation, third, "accept")
        log = await installation.log_until(worker, method("turn/completed"))

    assert end(over) == ("closed", None, "companion_file_lost")
    told = [word for word in of_approvals(log) if word != "decided"]
    assert told.count("requested") == 3
    assert told[-3:] == ["applied", "requested", "applied"]  # what is asked later closes nothing


@pytest.mark.parametrize("decided", [False, True], ids=["while it waits", "with its answer acknowledged"])
async def test_a_question_whose_file_is_lost_is_closed_and_asked_anew(
    installation: Installation, *, decided: bool
) -> None:
    process = await installation.start_process()
    worker = await asking_thread(installation)
    await installation.turn(worker, {"shell": "touch ran.txt"}, {"say": "done"})
    (first,) = await pending(installation)
    await process.kill()
    if decided:
        await decide(installation, first, "accept")
        await take_answer(installation)
        assert (await installation.owner.approval(first.approval_id)).state == "delivered"
    for file in installation.settings.data.glob("outbox.sqlite*"):
        file.unlink()
    await installation.start_process()

    over = await ended(installation, first)
    (second,) = await pending(installation)
    early = (installation.project / "ran.txt").exists()
    await decide(installation, second, "accept")
    applied = await ended(installation, second)
    log = await installation.log_until(worker, method("turn/completed"))

    assert end(over) == ("closed", None, "companion_file_lost")
    assert second.approval_id != first.approval_id
    assert (second.title, second.worker_id) == (first.title, worker)
    assert not early
    assert end(applied) == ("applied", "accepted", None)
    assert (installation.project / "ran.txt").exists()
    assert [word for word in of_approvals(log) if word != "decided"] == ["requested", "closed", "requested", "applied"]
    assert_sound(log)
