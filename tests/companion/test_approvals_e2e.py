"""Questions of a real Codex, answered from afar: asked, decided, taken, ended."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.companion.asking import asking_thread, decide, end, ended, of_approvals, pending
from tests.companion.installation import Installation, assert_sound, item, method

from autopilot.companion.codex.messages import Message
from autopilot.contract import ApprovalAnswer, Envelope
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


async def test_a_question_of_a_sub_agent_is_its_own_worker_s_and_names_the_parent(installation: Installation) -> None:
    child = script({"shell": "echo child > child.txt"}, {"say": "child done"})
    spawn = {"call": {"name": "spawn_agent", "namespace": "multi_agent_v1", "arguments": {"message": child}}}
    async with installation.companion() as companion:
        parent = await asking_thread(installation)
        await installation.turn(parent, spawn, {"say": "parent waits"})
        (asked,) = await pending(installation)
        await decide(installation, asked, "accept")
        over = await ended(installation, asked)
        log = await installation.log_until(asked.worker_id, method("turn/completed"))
        workers = [one async for one in installation.owner.every_worker()]

    assert asked.worker_id != parent
    assert (asked.thread_id, asked.parent_thread_id) == (
        asked.worker_id.removeprefix("desktopw:"),
        parent.removeprefix("desktopw:"),
    )
    assert end(over) == ("applied", "accepted", None)
    assert (installation.project / "child.txt").exists()
    assert [one.metadata.get("parent_thread_id") for one in workers if one.worker_id == asked.worker_id] == [
        parent.removeprefix("desktopw:")
    ]
    assert companion.threads.get(asked.thread_id) is not None
    assert_sound(log)


async def test_two_questions_of_one_turn_are_answered_each_by_itself_and_in_any_order(
    installation: Installation,
) -> None:
    async with installation.companion():
        worker = await asking_thread(installation)
        await installation.turn(worker, {"shells": ["touch one.txt", "touch two.txt"]}, {"say": "done"})
        asked = {one.title: one for one in await pending(installation, 2)}
        await decide(installation, asked["Run “touch two.txt”?"], "accept")
        second = await ended(installation, asked["Run “touch two.txt”?"])
        await decide(installation, asked["Run “touch one.txt”?"], "decline")
        first = await ended(installation, asked["Run “touch one.txt”?"])
        await installation.log_until(worker, method("turn/completed"))

    assert (end(first), end(second)) == (("applied", "declined", None), ("applied", "accepted", None))
    assert [path.name for path in installation.project.glob("*.txt") if path.name != "hello.txt"] == ["two.txt"]


async def test_what_is_allowed_for_the_session_is_not_asked_again(installation: Installation) -> None:
    async with installation.companion():
        worker = await asking_thread(installation)
        await installation.turn(worker, {"shell": "echo a >> a.txt"}, {"shell": "echo a >> a.txt"}, {"say": "done"})
        (asked,) = await pending(installation)
        await decide(installation, asked, "acceptForSession")
        log = await installation.log_until(worker, method("turn/completed"))

    assert of_approvals(log) == ["requested", "decided", "applied"]
    assert (installation.project / "a.txt").read_text() == "a\na\n"


async def test_whoever_cancels_ends_the_turn(installation: Installation) -> None:
    async with installation.companion():
        worker = await asking_thread(installation)
        await installation.turn(worker, {"shell": "touch never.txt"}, {"say": "done"})
        (asked,) = await pending(installation)
        await decide(installation, asked, "cancel")
        log = await installation.log_until(worker, method("turn/completed"))
        over = await ended(installation, asked)

    (turn,) = [event.payload["params"]["turn"] for event in log if method("turn/completed")(event)]
    assert turn["status"] == "interrupted"
    assert end(over) == ("applied", "cancelled", None)


async def test_a_question_of_an_unknown_kind_is_shown_as_unsupported_and_refused(installation: Installation) -> None:
    async with installation.companion() as companion:
        worker = await asking_thread(installation)
        refused: list[Any] = []
        session = companion.codex.session
        assert session is not None

        async def refuse(identity: Any, code: int, message: str) -> None:
            refused.append((bytes(identity), code, message))

        session.connection.refuse = refuse
        thread_id = worker.removeprefix("desktopw:")
        params = msgspec.json.encode({"threadId": thread_id, "thought": "is this all right?"})
        question = Message("item/telepathy/request", id=msgspec.Raw(b"77"), params=msgspec.Raw(params))
        for _ in range(2):  # Codex repeats what is open
            await companion.recorder.take(question)
        log = await installation.log_until(worker, lambda event: event.eventType == "worker.approval.closed")
        await companion.recorder.settle()

    (shown,) = [event.payload["approval"] for event in log if event.eventType == "worker.approval.requested"]
    assert (shown["kind"], shown["answerable"], shown.get("options", [])) == ("unsupported", False, [])
    assert "is this all right?" in shown["facts"][-1]["value"]
    assert of_approvals(log) == ["requested", "closed"]
    assert refused == [(b"77", -32601, "item/telepathy/request is not known to this client")] * 2


async def test_an_answer_that_does_not_fit_is_not_said_and_codex_goes_on_without(installation: Installation) -> None:
    async with installation.companion() as companion:
        worker = await asking_thread(installation)
        await installation.turn(worker, {"shell": "touch never.txt"}, {"say": "done"})
        (asked,) = await pending(installation)
        strange = ApprovalAnswer(
            approval_id=asked.approval_id, worker_id=worker, option_id="perhaps", decided_at=asked.requested_at
        )
        await companion.answers.decide(strange)
        over = await ended(installation, asked)
        log = await installation.log_until(worker, method("turn/completed"))

    assert end(over) == ("closed", None, "answer_unfit")
    assert [event.payload["params"]["item"]["status"] for event in log if item("commandExecution")(event)] == ["failed"]
    assert not (installation.project / "never.txt").exists()
