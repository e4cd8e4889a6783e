"""What is asked of the companion, and what becomes of it: real Codex, real ledger."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import msgspec
import pytest
from tests.companion.installation import (
    FULL_ACCESS,
    Installation,
    assert_sound,
    item,
    method,
    methods,
    of_type,
)

from autopilot.companion import inbox
from autopilot.companion.database import Database
from autopilot.contract import Envelope, FeedRequest
from autopilot.contract.errors import Conflict
from autopilot.testing.model import script

pytestmark = pytest.mark.e2e
HALF = {"say": "the first half, and the second half", "gate": "half"}


def text_input(*steps: dict) -> list[dict]:
    return [{"type": "text", "text": script(*steps)}]


async def running_turn(installation: Installation, worker: str) -> str:
    """A turn that stands before the gate `half`; its id."""
    outcome = await installation.turn(worker, HALF, {"say": "never"})
    await installation.model.reached("half")
    return outcome.response["turn"]["id"]


async def test_a_second_turn_start_steers_the_running_turn_and_says_so(installation: Installation) -> None:
    async with installation.companion():
        worker = await installation.start_thread()
        turn_id = await running_turn(installation, worker)

        # Codex takes a steering message at once: it cuts the model off and asks it again.
        second = await installation.turn(worker, HALF | {"gate": "second"})
        await installation.model.reached("second")
        third = await installation.owner.request(
            worker, "turn/steer", {"expectedTurnId": turn_id, "input": text_input({"say": "by name"})}
        )
        log = await installation.log_until(worker, method("turn/completed"))

    assert second.response["turn"]["id"] == turn_id
    assert second.response["autopilot"] == {"effect": "steered_running_turn", "turn_id": turn_id}
    assert third.response == {"turnId": turn_id, "autopilot": {"effect": "steered_running_turn"}}
    said = [event.payload["params"]["item"].get("clientId") for event in log if item("userMessage")(event)]
    assert said[1:] == [second.request_id, third.request_id]


async def test_an_interrupt_ends_the_turn_and_a_second_one_is_refused_in_codex_s_words(
    installation: Installation,
) -> None:
    async with installation.companion():
        worker = await installation.start_thread()
        turn_id = await running_turn(installation, worker)

        first = await installation.owner.request(worker, "turn/interrupt", {"turnId": turn_id})
        log = await installation.log_until(worker, method("turn/completed"))
        second = await installation.owner.request(worker, "turn/interrupt", {"turnId": turn_id})

    assert (first.state, first.response["autopilot"]) == ("completed", {"effect": "interrupted_turn"})
    assert log[-1].payload["params"]["turn"]["status"] == "interrupted"
    assert second.state == "failed"
    assert second.error is not None
    assert second.error["message"] == "no active turn to interrupt"


async def test_the_same_request_again_is_the_same_receipt_and_no_second_turn(installation: Installation) -> None:
    async with installation.companion():
        worker = await installation.start_thread()
        params = {"input": text_input({"say": "once"})}
        first = await installation.owner.request(worker, "turn/start", params, request_id="once", wait_ms=30_000)
        again = await installation.owner.request(worker, "turn/start", params, request_id="once", wait_ms=30_000)
        with pytest.raises(Conflict):
            await installation.owner.request(worker, "turn/start", {"input": []}, request_id="once")
        log = await installation.log_until(worker, method("turn/completed"))

    assert first == again
    assert methods(log).count("turn/started") == 1
    assert sum(event.eventId == "response:once" for event in log) == 1


async def test_a_feed_entry_that_comes_again_is_not_done_again(installation: Installation) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await installation.turn(worker, {"say": "once"}, request_id="again")
        await installation.log_until(worker, method("turn/completed"))

        asked = FeedRequest(
            request_id="again", target="worker", worker_id=worker, method="turn/start", params={"input": []}
        )
        assert not await companion.database.run(lambda db: inbox.receive(db, asked))
        assert await companion.database.run(inbox.pending) == []


async def test_what_the_companion_does_not_know_or_must_not_do_is_refused(installation: Installation) -> None:
    async with installation.companion():
        worker = await installation.start_thread()
        unknown = await installation.owner.request(worker, "thread/telepathy", {})
        foreign = await installation.owner.request(worker, "turn/start", {"threadId": "other", "input": []})
        hidden = await installation.machine_request("thread/start", {"cwd": "/", "ephemeral": True, **FULL_ACCESS})
        wrong = await installation.owner.request(worker, "turn/start", {"input": "no list"})

    told = [outcome.error["code"] for outcome in (unknown, foreign, hidden, wrong) if outcome.error]
    assert told == ["method_not_supported", "invalid_params", "invalid_params", "codex_refused"]


async def test_a_machine_answers_what_concerns_no_worker(installation: Installation) -> None:
    async with installation.companion():
        worker = await installation.start_thread()
        await installation.turn(worker, {"say": "now it is listed"})
        await installation.log_until(worker, method("turn/completed"))

        models = await installation.machine_request("model/list", {})
        threads = await installation.machine_request("thread/list", {})
        read = await installation.owner.request(worker, "thread/read", {})

    assert [one["id"] for one in models.response["data"]] == ["autopilot-demo"]
    assert [one["id"] for one in threads.response["data"]] == [worker.removeprefix("desktopw:")]
    assert read.response["thread"]["id"] == worker.removeprefix("desktopw:")


async def test_stop_ends_the_turn_and_what_it_runs_then_closes_the_log(installation: Installation) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await installation.turn(worker, {"shell": "echo running; sleep 300"})
        await installation.log_until(worker, item("commandExecution", "started"))

        asked = await installation.owner.stop_worker(worker, reason="enough")
        log = await installation.log_until(worker, of_type("worker.stopped"))
        again = await installation.owner.stop_worker(worker)
        thread = companion.threads.of_worker(worker)
        assert thread is not None
        left = await companion.codex.call("thread/backgroundTerminals/list", {"threadId": thread.thread_id})
        with pytest.raises(Conflict):
            await installation.turn(worker, {"say": "too late"})

    stopped = log[-1].payload
    assert asked.status == "stopping"
    assert (again.status, again.idempotent_replay) == ("stopped", True)
    assert (stopped["verified"], stopped["reason"]) == (True, "enough")
    assert [one["command"] for one in stopped["terminated"]] == ["echo running; sleep 300"]
    assert stopped["interrupted_turn"]
    assert msgspec.json.decode(left)["data"] == []
    assert_sound(log)
    assert methods(log).index("turn/completed") < len(log) - 1
    assert [one.payload["params"]["item"]["status"] for one in log if item("commandExecution")(one)] == ["failed"]


async def test_a_stop_waits_for_the_codex_that_an_earlier_companion_left_running(installation: Installation) -> None:
    first = await installation.start_process()
    worker = await installation.start_thread()
    await installation.turn(worker, {"shell": "echo running; sleep 300"})
    await installation.log_until(worker, item("commandExecution", "started"))
    await first.kill()
    await installation.owner.stop_worker(worker)

    async with installation.companion():
        log = await installation.log_until(worker, of_type("worker.stopped"))

    stopped = log[-1].payload
    assert [one["command"] for one in stopped["terminated"]] == ["echo running; sleep 300"]
    assert stopped["verified"] is True
    assert [one.payload["params"]["item"]["status"] for one in log if item("commandExecution")(one)] == ["failed"]


async def test_a_stop_during_which_codex_dies_asks_its_successor_and_says_what_was_cut_off(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await installation.turn(worker, {"shell": "echo running; sleep 300"})
        await installation.log_until(worker, item("commandExecution", "started"))
        call, record = companion.codex.call, companion.codex.server.record
        assert record is not None

        async def deadly(method: str, *params: Any, **more: Any) -> Any:
            if method == "turn/interrupt":
                os.killpg(record.pid, signal.SIGKILL)
            return await call(method, *params, **more)

        monkeypatch.setattr(companion.codex, "call", deadly)
        await installation.owner.stop_worker(worker)
        log = await installation.log_until(worker, of_type("worker.stopped"))

    assert log[-1].payload["verified"] is True
    assert "trouble" not in log[-1].payload
    assert methods(log).index("desktop/turn_cut_off") < methods(log).index("turn/completed") < len(log) - 1


async def test_a_thread_that_codex_lost_can_be_stopped_for_nothing_of_it_runs(installation: Installation) -> None:
    async with installation.companion():
        worker = await installation.start_thread()
    async with installation.companion():
        await installation.log_until(worker, method("desktop/thread_lost"))
        await installation.owner.stop_worker(worker)
        log = await installation.log_until(worker, of_type("worker.stopped"))

    assert log[-1].payload["verified"] is True


async def test_a_stopped_worker_that_is_reattached_sends_what_was_parked_and_works_on(
    installation: Installation,
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await installation.turn(worker, {"say": "first"})
        await installation.log_until(worker, method("turn/completed"))
        await installation.owner.stop_worker(worker)
        await installation.log_until(worker, of_type("worker.stopped"))
        thread = companion.threads.of_worker(worker)
        assert thread is not None
        late = companion.recorder.fact(thread, "desktop/afterthought", {}, event_id="afterthought")
        await companion.recorder.record([late])

        made = await installation.owner.create_worker(worker)
        log = await installation.log_until(worker, method("desktop/afterthought"))
        await installation.turn(worker, {"say": "second"})
        log = await installation.log_until(worker, said("second"))

    assert made.status == "running"
    assert_sound(log)
    spans = [event.eventType for event in log if event.eventType in {"worker.started", "worker.stopped"}]
    assert spans == ["worker.started", "worker.stopped", "worker.started"]


def said(words: str):
    """An agent's message with these words."""
    return lambda event: item("agentMessage")(event) and event.payload["params"]["item"]["text"] == words


async def test_a_handshake_is_acknowledged_once_by_the_machine_itself(installation: Installation) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await ask_handshake(installation, worker, "hand-1")
        log = await installation.log_until(worker, method("desktop/handshake_ack"))
        (ack,) = [event for event in log if method("desktop/handshake_ack")(event)]

        assert ack.payload["handshake_id"] == "hand-1"
        assert ack.payload["desktop_session_id"] == companion.session_id
        assert ack.actor.machine_id == installation.machine_id
        assert ack.payload["source"] == "autopilot-desktop"


async def ask_handshake(installation: Installation, worker: str, handshake_id: str, **changed: str) -> None:
    payload = {
        "source": "autopilot-ios",
        "method": "ios/handshake",
        "handshake_id": handshake_id,
        "device_id": "phone-1",
        "occurred_at": "2026-11-22T07:16:00Z",
        **changed,
    }
    await installation.owner.append_event(worker, "worker.event", payload)


async def test_whatever_the_ledger_takes_for_a_handshake_s_id_is_acknowledged(installation: Installation) -> None:
    asked = ["x" * 255, "from the café, table 7", "é" * 255]
    async with installation.companion():
        worker = await installation.start_thread()
        for handshake_id in asked:
            await ask_handshake(installation, worker, handshake_id)
        acks = [method("desktop/handshake_ack"), lambda one: one.payload.get("handshake_id") == asked[-1]]
        log = await installation.log_until(worker, lambda one: all(fits(one) for fits in acks))

    assert [one.payload["handshake_id"] for one in log if method("desktop/handshake_ack")(one)] == asked


async def test_what_the_ledger_takes_for_no_handshake_is_not_answered_as_one(installation: Installation) -> None:
    async with installation.companion():
        worker = await installation.start_thread()
        await ask_handshake(installation, worker, "hand-1", method="web/handshake")
        await ask_handshake(installation, worker, "hand-2")
        log = await installation.log_until(worker, method("desktop/handshake_ack"))

    assert [one.payload["handshake_id"] for one in log if method("desktop/handshake_ack")(one)] == ["hand-2"]
    assert "desktop/event_refused" not in methods(log)


async def test_a_handshake_asked_while_nobody_is_there_is_acknowledged_by_the_next_companion_once(
    installation: Installation,
) -> None:
    async with installation.companion():
        worker = await installation.start_thread()
    await ask_handshake(installation, worker, "hand-2")
    sessions = set()
    for _ in range(2):
        async with installation.companion() as companion:
            sessions.add(companion.session_id)
            log = await installation.log_until(worker, method("desktop/handshake_ack"))
            await installation.machine_request("model/list", {})  # whatever the feed held before is dealt with

    acks = [event for event in await installation.whole_log(worker) if method("desktop/handshake_ack")(event)]
    assert len(acks) == 1
    assert acks[0].payload["desktop_session_id"] in sessions
    assert_sound(log)


async def in_doubt(database: Database, worker: str, request_id: str) -> None:
    """As after a crash: asked of Codex, perhaps."""
    asked = FeedRequest(request_id=request_id, target="worker", worker_id=worker, method="turn/start", params={})
    await database.run(lambda db: inbox.receive(db, asked))
    await database.run(lambda db: db.execute("update inbox set state = 'executing' where state = 'received'"))


async def test_after_a_crash_codex_s_history_says_what_became_of_a_turn_start_or_nobody_does(
    installation: Installation,
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        thread_id = worker.removeprefix("desktopw:")
        # One that reached Codex, and one that did not, both without the companion remembering an answer.
        await companion.codex.call(
            "turn/start",
            {"threadId": thread_id, "input": text_input({"say": "it came"}), "clientUserMessageId": "came"},
        )
        await installation.log_until(worker, method("turn/completed"))

    async def accept(request_id: str) -> None:
        params = {"input": text_input({"say": "it came"})}
        await installation.owner.request(worker, "turn/start", params, request_id=request_id, wait_ms=0)

    for request_id in ("came", "lost"):
        await accept(request_id)
    database = Database(installation.settings.data / "outbox.sqlite")
    await database.open()
    for request_id in ("came", "lost"):
        await in_doubt(database, worker, request_id)
    await database.close()

    async with installation.companion():
        log = await installation.log_until(
            worker, of_type("worker.response"), of_type("worker.request.indeterminate"), method("turn/start")
        )
        came = await installation.owner.receipt(worker, "came")
        lost = await installation.owner.receipt(worker, "lost")

    assert came.response["autopilot"]["effect"] == "found_in_history"
    assert lost.ok is None
    assert methods(log).count("turn/started") == 1
    assert_sound(log)


async def test_an_older_thread_is_adopted_on_request_with_its_whole_history(installation: Installation) -> None:
    async with installation.companion(worker_prefix="elsewhere"):
        before = await installation.start_thread()
        for number in range(3):
            await installation.turn(before, {"shell": f"echo {number}"}, {"say": f"turn {number}"})
            await installation.log_until(before, said(f"turn {number}"))
        await installation.log_until(before, *[method("turn/completed")])
    (installation.home / "companion" / "outbox.sqlite").unlink()

    async with installation.companion():
        thread_id = before.removeprefix("elsewhere:")
        outcome = await installation.machine_request("thread/resume", {"threadId": thread_id})
        worker = outcome.response["worker_id"]
        log = await installation.log_until(worker, said("turn 2"))

    assert worker == f"desktopw:{thread_id}"
    assert_sound(log)
    assert items_completed(log) == items_completed(await installation.whole_log(before))


def items_completed(log: list[Envelope]) -> list[str]:
    return [event.payload["params"]["item"]["id"] for event in log if event.payload.get("method") == "item/completed"]


async def test_a_lease_that_went_on_is_claimed_again_and_the_backlog_sent_under_it(installation: Installation) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        before = companion.leases.generation(worker)
        await companion.client.claim_lease(worker, installation.machine_id)  # behind the companion's back
        await installation.turn(worker, {"say": "still here"})
        log = await installation.log_until(worker, method("turn/completed"))

        after = companion.leases.generation(worker)
        assert before is not None
        assert after is not None
        assert after > before + 1
    assert_sound(log)


async def test_when_the_ledger_counts_otherwise_the_companion_goes_on_where_it_is_expected(
    installation: Installation,
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await companion.database.run(lambda db: db.execute("update thread set producer_seq = producer_seq + 100"))
        await installation.turn(worker, {"say": "counted"})
        log = await installation.log_until(worker, method("turn/completed"))

    assert_sound(log)


async def test_numbers_of_any_size_reach_codex_and_the_ledger_as_they_are(installation: Installation) -> None:
    big = 2**70
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        schema = {"type": "object", "properties": {"n": {"const": big}}, "additionalProperties": False}
        params = {"input": text_input({"say": "{}"}), "outputSchema": schema}
        await installation.owner.request(worker, "turn/start", params, request_id="big")
        thread = companion.threads.of_worker(worker)
        assert thread is not None
        fact = companion.recorder.fact(thread, "desktop/test", {"n": big}, event_id="big")
        await companion.recorder.record([fact])
        log = await installation.log_until(worker, method("desktop/test", n=big))

    received = next(event for event in log if event.eventType == "worker.request.received")
    assert json.dumps(received.payload).count(str(big)) == 1


async def test_a_thread_that_never_had_a_turn_can_be_stopped(installation: Installation) -> None:
    async with installation.companion():
        worker = await installation.start_thread()
        await installation.owner.stop_worker(worker)
        log = await installation.log_until(worker, of_type("worker.stopped"))

    assert log[-1].payload["verified"] is True
