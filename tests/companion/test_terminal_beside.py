"""Codex's real terminal program beside the companion: seen, answered and spoken to from elsewhere."""

from __future__ import annotations

import pytest
from tests.companion.asking import decide, end, ended, pending
from tests.companion.daemon import client_of, daemon_of
from tests.companion.installation import Installation, assert_sound, item, method
from tests.companion.terminal import terminal_of
from tests.companion.test_companion_ends import completed, in_history
from tests.companion.test_shared_codex import on_shared, said, turns_ended
from tests.waiting import until

from autopilot.testing.model import script

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


async def test_a_session_of_the_terminal_is_a_worker_its_question_is_answered_from_here_and_our_words_show_up_there(
    installation: Installation,
) -> None:
    async with (
        daemon_of(installation.launch) as daemon,
        client_of(daemon.socket),  # the daemon's first client is somebody else
        installation.companion() as companion,
        terminal_of(installation.launch, installation.project) as terminal,
    ):
        assert on_shared(companion)()
        asked = script({"shell": "echo from-the-terminal", "escalate": True}, {"say": "done there"})
        await terminal.say(asked, until=lambda: any(one.active_turn for one in companion.threads))
        await terminal.shows("Would you like to run the following command?")
        (question,) = await pending(installation)
        (worker,) = [one.worker_id async for one in installation.owner.every_worker()]
        assert question.worker_id == worker
        await decide(installation, question, "accept")
        await terminal.shows_no_more("Would you like to run the following command?")
        await terminal.shows("done there")
        answered = await ended(installation, question)

        outcome = await installation.turn(worker, {"say": "said to the phone"})
        await terminal.shows("• said to the phone")
        log = await installation.log_until(worker, said("said to the phone"), turns_ended(2))
        kept = await in_history(companion, worker)
        workers = [one.worker_id async for one in installation.owner.every_worker()]

    assert end(answered) == ("applied", "accepted", None)
    assert outcome.state == "completed"
    assert workers == [worker], "the terminal's helper threads are not shown"
    command = next(event for event in log if item("commandExecution")(event)).payload["params"]["item"]
    assert (command["status"], command["aggregatedOutput"]) == ("completed", "from-the-terminal\n")
    assert sorted(completed(log)) == sorted(kept)
    assert_sound(log)


async def test_a_terminal_with_an_app_server_of_its_own_is_watched_and_goes_on_here_when_it_has_ended(
    installation: Installation,
) -> None:
    async with installation.companion() as companion:
        await until(lambda: companion.following._since is not None)
        async with terminal_of(installation.launch, installation.project, "--no-daemon") as terminal:
            words = script({"say": "only there"})
            await terminal.say(words, until=lambda: any(True for _ in companion.threads))
            await terminal.shows("• only there")
            (thread,) = companion.threads
            await installation.log_until_there(thread.worker_id, said("only there"), method("turn/completed"))
            refused = await installation.turn(thread.worker_id, {"say": "too early"})
        adopted = await installation.owner.request(thread.worker_id, "thread/resume", {}, wait_ms=30_000)
        outcome = await installation.turn(thread.worker_id, {"say": "here now"})
        log = await installation.log_until(thread.worker_id, said("here now"), turns_ended(2))

    assert refused.error is not None
    assert refused.error["code"] == "held_by_another_process"
    assert (adopted.state, outcome.state) == ("completed", "completed")
    assert_sound(log)
