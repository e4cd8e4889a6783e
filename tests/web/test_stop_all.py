"""The emergency stop: what it says before, and each session's answer as it comes."""

from __future__ import annotations

from tests.api.contract.world import lease
from tests.web.browser import Browser, parsed
from tests.web.desk import person_of


async def test_it_says_what_it_stops_before_it_does(ada: Browser):
    page = await ada.dialog("/stop-all")
    assert page.one("h2").text == "Stop everything?"
    assert page.text.startswith("Stop everything? 1 session")
    form = page.one("form")
    assert form.one("input", name="reason")
    assert form.one("input", name="force")
    answer = await person_of(ada).get(f"/workers/{person_of(ada).worker_id}")
    assert answer.json()["data"]["status"] == "running"


async def test_each_session_says_what_became_of_it_and_the_reason_is_kept(ada: Browser):
    person = person_of(ada)
    machine = await person.machine()
    await lease(machine, person.worker_id)
    await person.open_worker()
    page = parsed((await ada.post("/stop-all", {"reason": "fire"})).text)
    states = {one.attributes["id"]: one.text for one in page.all("span", role="status")}
    assert states[f"stop-{person.worker_id}"] == "Asked"
    assert sorted(states.values()) == ["Asked", "Stopped"]
    async with ada.live() as frames:
        found = (data async for event, data in frames if event == "put" and data["id"] == f"stop-{person.worker_id}")
        assert parsed((await anext(found))["html"]).text
    receipts = (await person.get(f"/workers/{person.worker_id}/events?after=0&limit=50")).json()["data"]
    asked = [one["payload"] for one in receipts if one["eventType"] == "worker.request.received"]
    assert asked[0]["params"]["reason"] == "fire"


async def test_forced_it_closes_all_at_once(ada: Browser):
    person = person_of(ada)
    await lease(await person.machine(), person.worker_id)
    page = parsed((await ada.post("/stop-all", {"force": "1"})).text)
    assert page.one("h2").text == "Stopped"
    again = await ada.dialog("/stop-all")
    assert "Nothing is open" in again.text


async def test_it_stops_nobody_elses(ada: Browser, eve: Browser):
    await eve.post("/stop-all")
    answer = await person_of(ada).get(f"/workers/{person_of(ada).worker_id}")
    assert answer.json()["data"]["status"] == "running"
