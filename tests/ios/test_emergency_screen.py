"""The emergency stop on a phone: what it says before, and each session's answer as it comes."""

from __future__ import annotations

from tests.api.contract.world import Person, lease
from tests.ios.desk import Core, Hand, cut, desk
from tests.waiting import until
from tests.web.desk import asked_for

from autopilot_ios.screens.emergency import EmergencyScreen


def stop(core: Core, hand: Hand) -> EmergencyScreen:
    return EmergencyScreen(core, hand)


async def status(person: Person) -> str:
    return (await person.get(f"/workers/{person.worker_id}")).json()["data"]["status"]


async def test_it_says_what_it_stops_before_it_does(ada: Person):
    async with desk(ada, stop) as held:
        await held.phone.waits_for("1 session on laptop, 0 of them working.")
        assert await status(ada) == "running"


async def test_each_session_says_what_becomes_of_it_and_the_reason_is_kept(ada: Person):
    async with desk(ada, stop) as held:
        await ada.open_worker()
        await held.phone.waits_for("Stop everything?")
        await held.phone.type("reason", "fire")
        await held.phone.tap("stop-everything")
        await held.phone.waits_for("1 asked to stop, 1 stopped.")
        await until(lambda: held.phone.has(f"stop-{ada.worker_id}"), within_seconds=30)
        assert held.hand.felt == ["well"]
        request_id = await asked_for(held.machine, "worker/stop")
        assert held.phone.shows(f"Request {request_id}")
        stopped = {"request_id": request_id, "verified": True, "processes": [1], "occurred_at": "2026-11-23T08:00:00Z"}
        event = {"event_type": "worker.stopped", "payload": stopped}
        answer = await held.machine.post(f"/workers/{ada.worker_id}/events", {"event": event})
        assert answer.status_code == 202, answer.text
        await held.phone.waits_for("Stopped, and looked after: 1 processes ended")
        asked = (await ada.get(f"/workers/{ada.worker_id}/requests/{request_id}")).json()["data"]
        assert asked["params"]["reason"] == "fire"


async def test_forced_it_closes_all_at_once(ada: Person):
    async with desk(ada, stop) as held:
        await held.phone.waits_for("Stop everything?")
        held.phone.find("force").value = True
        await held.phone.tap("stop-everything")
        await held.phone.waits_for("1 stopped.")
        assert await status(ada) == "stopped"


async def test_where_nothing_is_open_it_says_so(ada: Person):
    async with desk(ada, stop) as held:
        await held.phone.waits_for("Stop everything?")
        await ada.post(f"/workers/{ada.worker_id}/stop", {"force": True})
        await held.shell.refresh()
        await held.phone.waits_for("Nothing is open that you could stop.")


async def test_a_stop_that_did_not_reach_the_server_says_so_and_is_tried_again(ada: Person):
    async with desk(ada, stop) as held:
        await held.phone.waits_for("Stop everything?")
        held.way.refuse("/stop-all", 503, "unavailable", reason_code="runtime_unreachable")
        await held.phone.tap("stop-everything")
        await held.phone.waits_for("The ledger can't be reached.")
        assert await status(ada) == "running"
        held.way.instead = lambda _request: None
        await held.phone.tap("stop-everything")
        await held.phone.waits_for("1 asked to stop")
        assert held.hand.felt == ["badly", "well"]


async def test_nothing_is_stopped_where_the_phone_does_not_recognise_its_owner(ada: Person):
    async with desk(ada, stop) as held:
        held.core.asks_for_owner, held.hand.owner = True, False
        await held.phone.waits_for("Stop everything?")
        await held.phone.tap("stop-everything")
        await held.phone.waits_for("did not recognise its owner")
        assert await status(ada) == "running"


async def test_without_network_it_says_so_and_can_be_tried_all_the_same(ada: Person):
    async with desk(ada, stop, way=cut()) as held:
        await held.phone.waits_for("The server can't be reached.")
        held.way.instead = lambda _request: None
        await held.phone.tap("try-again")
        await held.phone.waits_for("1 session on laptop")


async def test_stops_of_the_same_name_are_each_sessions_own(ada: Person):
    async with desk(ada, stop) as held:
        other = await ada.open_worker()
        await lease(held.machine, other)
        await held.phone.waits_for("Stop everything?")
        await held.phone.tap("stop-everything")
        await held.phone.waits_for("2 asked to stop.")
        stopped = {"request_id": "stop:1", "verified": True, "processes": [], "occurred_at": "2026-11-23T08:00:00Z"}
        event = {"event_type": "worker.stopped", "payload": stopped}
        answer = await held.machine.post(f"/workers/{other}/events", {"event": event})
        assert answer.status_code == 202, answer.text
        await held.phone.waits_for("Stopped, and looked after")
        said = [text for text in held.phone.texts() if text.startswith("Stopped, and looked after")]
        assert len(said) == 1
        assert await status(ada) == "stopping"
