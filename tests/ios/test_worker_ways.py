"""What else one does with a worker on a phone: the handshake, requests by hand, a stop, all that is known of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.api.contract.world import Person, announce
from tests.ios.worker_desk import Desk, desk
from tests.waiting import until

from autopilot.client.acts import ActView
from autopilot.client.app_core import AppCore

pytestmark = pytest.mark.slow


async def opened(at: Desk, way: str) -> None:
    await until(lambda: at.phone.has("say") or at.phone.has("reopen"))
    await at.menu(way)


async def companion(at: Desk) -> None:
    """The machine answers the first handshake that it hears."""
    async with asyncio.timeout(30):
        cursor = 0
        while True:
            for frame in await at.person.read_stream(at.person.worker_id, cursor):
                event = json.loads(frame["data"])
                cursor = event["seq"]
                payload = event["payload"]
                if payload.get("method") == "ios/handshake":
                    said = {"handshake_id": payload["handshake_id"], "desktop_session_id": "ses_1"}
                    said |= {"occurred_at": payload["occurred_at"], "source": "autopilot-desktop"}
                    await at.machine.append(at.person.worker_id, method="desktop/handshake_ack", **said)
                    return


# The handshake.


async def test_a_handshake_is_asked_and_answered_by_a_session(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await opened(at, "connect")
        await at.phone.waits_for("Not asked yet.")
        await at.phone.tap("connect")
        await companion(at)
        await at.phone.waits_for("Connected.")
        assert at.phone.shows("ses_1")
        assert at.phone.shows("laptop")
        assert at.phone.shows(at.core.acts.view[-1].request_id)
        await until(lambda: at.hand.felt == ["well"])


async def test_while_it_waits_it_says_how_long_still(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await opened(at, "connect")
        await at.phone.waits_for("Not asked yet.")
        await at.phone.tap("connect")
        await at.phone.waits_for("s left")
        assert at.phone.find("connect").disabled


async def test_a_worker_that_does_not_run_is_not_asked(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await until(lambda: at.phone.has("say"))
        await ada.post(f"/workers/{ada.worker_id}/stop", {"force": True})
        await opened(at, "connect")
        await at.phone.waits_for("This worker is not running")
        assert at.phone.find("connect").disabled


# Whose phone it is.


async def test_where_the_owner_is_asked_for_nobody_else_writes_or_stops(
    ada: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AppCore, "asks_for_owner", True)
    async with desk(ada, tmp_path) as at:
        at.hand.owner = False
        await until(lambda: at.phone.has("say"))
        await at.phone.type("say", "Delete everything.")
        await at.phone.tap("send")
        await at.phone.waits_for("did not recognise its owner")
        await opened(at, "stop")
        await until(lambda: at.phone.has("stop"))
        await at.phone.tap("stop")
        assert at.core.acts.view == ()
        at.hand.owner = True
        await at.phone.tap("stop")
        await until(lambda: len(at.core.acts.view) == 1)


async def test_nor_asks_for_a_sign_of_life_sends_anything_again_or_takes_it_back(
    ada: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AppCore, "asks_for_owner", True)
    async with desk(ada, tmp_path) as at:
        await until(lambda: at.phone.has("say"))
        await at.phone.type("say", "Hello.")
        await at.phone.tap("send")
        await until(lambda: at.core.acts.view and at.core.acts.view[0].view.phase == "waiting")
        [act] = at.core.acts.view
        await until(lambda: at.phone.has(f"take-back-{act.request_id}"))
        at.hand.owner = False
        await at.phone.tap(f"take-back-{act.request_id}")
        await at.phone.waits_for("did not recognise its owner")
        assert (await at.core.client.receipt(ada.worker_id, act.request_id)).state == "accepted"
        act._became(ActView("unknown", attempts=1))
        monkeypatch.setattr(at.core.acts, "begin", lambda _act: pytest.fail("nobody may send it again"))
        await until(lambda: at.phone.has(f"again-{act.request_id}"))
        await at.phone.tap(f"again-{act.request_id}")
        await opened(at, "connect")
        await until(lambda: at.phone.has("connect"))
        await until(lambda: not at.phone.find("connect").disabled)
        await at.phone.tap("connect")
        assert at.core.acts.view == (act,)


# A request by hand.


async def test_what_is_no_json_is_told_and_not_sent(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await opened(at, "request")
        await at.phone.type("params", "{ nonsense")
        assert at.phone.shows("This is not JSON")
        await at.phone.tap("send-request")
        assert at.core.acts.view == ()
        assert at.hand.felt == ["badly"]
        await at.phone.type("params", "[]")
        assert at.phone.shows("Params are a JSON object")
        await at.phone.type("params", "{}")
        assert at.phone.shows("input is missing.")


async def test_any_method_can_be_chosen_with_its_params_explained(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await opened(at, "request")
        await at.phone.tap("method")
        await at.phone.tap("method-thread/name/set")
        assert at.phone.shows("Renames the session.")
        assert json.loads(at.phone.find("params").value) == {"name": ""}
        await at.phone.tap("help")
        assert at.phone.shows("What it is called")


async def test_what_was_written_stays_for_another_method_and_when_one_comes_back(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await opened(at, "request")
        await at.phone.type("params", '{"input": [')
        await at.phone.tap("method")
        await at.phone.tap("method-turn/steer")
        assert at.phone.find("params").value == '{"input": ['
        at.shell.pop()
        await opened(at, "request")
        assert at.phone.find("params").value == '{"input": ['
        assert at.phone.shows("Words for the turn that runs.")


async def test_a_request_is_sent_its_receipt_moves_and_it_can_be_taken_up_again(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await opened(at, "request")
        await at.phone.type("params", json.dumps({"input": [{"type": "text", "text": "hi"}], "later": 1}))
        assert at.phone.shows("Not in the recorded schema, and sent as it is: later.")
        await at.phone.tap("send-request")
        await at.phone.waits_for("Waiting for the machine")
        assert at.phone.shows(at.core.acts.view[-1].request_id)
        await at.phone.type("params", "{}")
        await at.phone.tap("recent-0")
        assert "later" in at.phone.find("params").value


# A stop.


async def test_a_stop_says_what_it_does_and_takes_a_reason(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await opened(at, "stop")
        await at.phone.waits_for("Its machine interrupts the turn")
        await at.phone.type("reason", "Enough for today")
        await at.phone.tap("stop")
        await at.phone.waits_for("Being stopped")
        assert at.core.acts.view[-1].deed.params == {"reason": "Enough for today", "force": False}
        await at.phone.tap("close")
        await at.phone.waits_for("It is being stopped")


async def test_by_force_the_log_is_closed_at_once(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await opened(at, "stop")
        at.phone.find("force").value = True
        await at.phone.tap("stop")
        await at.phone.waits_for("Its log is closed.")
        await until(lambda: "well" in at.hand.felt)


# What is known.


async def test_details_tell_ids_health_and_lease_and_copy_them(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await opened(at, "details")
        await at.phone.waits_for("Generation")
        for words in ("API", "Companion", "Codex", "Log", "Held", ada.worker_id):
            assert at.phone.shows(words)
        await at.phone.tap("copy-names-0")
        await until(lambda: at.hand.copied == [ada.worker_id])


async def test_events_are_shown_as_they_are_and_copied_whole(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await at.says("x" * 20_000)
        await opened(at, "details")
        seq = (await at.core.client.worker(ada.worker_id)).latest_seq
        await until(lambda: at.phone.has(f"event-{seq}"))
        await at.phone.tap(f"event-{seq}")
        assert at.phone.shows("characters more")
        await at.phone.tap(f"copy-event-{seq}")
        await until(lambda: at.hand.copied)
        assert "x" * 20_000 in at.hand.copied[0]


async def test_older_events_come_when_asked_for(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        for number in range(30):
            await at.says(f"number {number}")
        await opened(at, "details")
        await until(lambda: at.phone.has("events-more"))
        assert not at.phone.has("event-2")
        await at.phone.tap("events-more")
        await until(lambda: at.phone.has("event-2"))
        await at.phone.waits_for("That is all.")


async def test_an_artifact_that_nobody_has_says_so(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await announce(at.machine, ada.worker_id, "a long text" * 100)
        await opened(at, "details")
        await at.phone.waits_for("of event")
        assert at.phone.shows("Not all here yet")
