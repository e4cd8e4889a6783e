"""Questions of a real Codex, answered from afar: asked, decided, taken, ended."""

from __future__ import annotations

from typing import Any

import pytest
from tests.companion.asking import asking_thread, decide, end, ended, of_approvals, pending
from tests.companion.installation import Installation, assert_sound, item, method

from autopilot.contract import Envelope
from autopilot.testing.model import script

pytestmark = pytest.mark.e2e


async def test_a_command_that_a_person_allows_runs(installation: Installation) -> None:
    async with installation.companion():
        worker = await asking_thread(installation)
        await installation.turn(worker, {"shell": "echo yes > made.txt"}, {"say": "done"})
        (asked,) = await pending(installation)
        decided = await decide(installation, asked, "accept")
        log = await installation.log_until(worker, method("turn/completed"))
        over = await ended(installation, asked)

    assert asked.title == "Run “echo yes > made.txt”?"
    assert asked.worker_id == worker
    assert decided.state == "decided"
    assert end(over) == ("applied", "accepted", None)
    assert (installation.project / "made.txt").read_text() == "yes\n"
    assert of_approvals(log) == ["requested", "decided", "applied"]
    assert_sound(log)


async def test_a_command_that_a_person_declines_does_not_run_and_the_model_hears_why(
    installation: Installation,
) -> None:
    why = script({"say": "as you wish"}, words="not here, please")
    async with installation.companion():
        worker = await asking_thread(installation)
        turn = await installation.turn(worker, {"shell": "touch never.txt"}, {"say": "half a word", "gate": "open"})
        (asked,) = await pending(installation)
        await decide(installation, asked, "decline", message=why)
        await installation.log_until(worker, words(why))
        installation.model.open("open")
        log = await installation.log_until(worker, method("turn/completed"))
        over = await ended(installation, asked)

    assert end(over) == ("applied", "declined", None)
    assert not (installation.project / "never.txt").exists()
    said = [event.payload["params"] for event in log if words(why)(event)]
    assert [(one["turnId"], one["item"]["clientId"]) for one in said] == [
        (turn.response["turn"]["id"], f"approval:{asked.approval_id}")
    ]
    assert agent_messages(log)[-1]["text"] == "as you wish"
    assert_sound(log)


async def test_words_that_come_too_late_for_the_turn_begin_no_other(installation: Installation) -> None:
    why = script({"say": "all right"}, words="never mind")
    async with installation.companion():
        worker = await asking_thread(installation)
        params = {"input": [{"type": "text", "text": script({"shell": "touch never.txt"}, {"say": "."})}]}
        await installation.owner.request(worker, "turn/start", params, wait_ms=30_000)
        (asked,) = await pending(installation)
        await decide(installation, asked, "decline", message=why)
        log = await installation.log_until(worker, method("turn/completed"))
        await ended(installation, asked)

    log = await installation.whole_log(worker)
    assert len([event for event in log if method("turn/started")(event)]) == 1
    heard = [event for event in log if words(why)(event)]
    unheard = [event for event in log if method("desktop/words_not_said")(event)]
    assert len(heard) + len(unheard) == 1


def words(text: str):
    """A message of a person's, with this text."""
    return lambda event: (
        item("userMessage")(event)
        and any(part.get("text") == text for part in event.payload["params"]["item"]["content"])
    )


def agent_messages(log: list[Envelope]) -> list[dict[str, Any]]:
    return [event.payload["params"]["item"] for event in log if item("agentMessage")(event)]
