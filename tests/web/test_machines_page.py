"""Machines in a browser: what is known of them, whose they are, and what one does about them."""

from __future__ import annotations

import pytest
from tests.api.contract.world import Person, lease
from tests.web.browser import Browser, parsed
from tests.web.desk import person_of
from tests.web.test_teams_page import joined, made

FACTS = [
    {
        "method": "desktop/codex",
        "params": {"message": "works", "server": "shared", "version": "0.163.0", "drift": "breaking"},
        "occurred_at": "2026-11-23T07:00:00Z",
    },
    {"method": "configWarning", "params": {"message": "odd <b>"}, "occurred_at": "2026-11-23T07:00:00Z"},
]


@pytest.fixture
async def machine(ada: Browser) -> Person:
    one = await person_of(ada).machine()
    await lease(one, person_of(ada).worker_id)
    body = {"desktop_session_id": "s", "workers": [], "facts": FACTS}
    answer = await one.post(f"/machines/{one.worker_id}/heartbeat", body)
    assert answer.status_code == 200, answer.text
    return one


async def test_a_machine_is_shown_with_what_it_said_and_what_runs_there(ada: Browser, machine: Person):
    page = await ada.get("/machines")
    card = page.one("section", class_="place")
    assert "Connected" in card.text
    assert "Codex 0.163.0, shared with the terminal there · Yours" in card.text
    assert "Differs: some requests fail" in card.text
    assert [one.attributes["href"] for one in card.all("a", class_="row-link")] == [
        f"/w/{person_of(ada).worker_id.replace(':', '%3A')}"
    ]
    one = await ada.get(f"/machines/{machine.worker_id}")
    assert "odd <b>" in one.text
    assert machine.worker_id in one.one("dl", class_="facts").text


async def test_it_is_shared_with_a_team_and_taken_out_again(ada: Browser, machine: Person):
    crew = await person_of(ada).post("/api/teams", {"name": "Crew"})
    assert crew.status_code == 201, crew.text
    team_id = crew.json()["data"]["team_id"]
    path = f"/machines/{machine.worker_id}/team"
    page = parsed((await ada.post(path, {"team_id": team_id})).text)
    assert "its members see what runs here" in page.text
    page = parsed((await ada.post(path, {"team_id": ""})).text)
    assert [one.attributes["value"] for one in page.one("select", name="team_id").all("option")] == [team_id]


async def test_signing_it_out_ends_its_session(ada: Browser, machine: Person):
    page = parsed((await ada.post(f"/machines/{machine.worker_id}/revoke")).text)
    assert "It is signed out" in page.text
    assert (await machine.get("/machines")).status_code == 401


async def test_a_viewer_is_told_who_begins_sessions_there_and_is_not_offered_to(
    ada: Browser, eve: Browser, machine: Person
):
    team = await made(ada)
    await joined(ada, team, eve, "viewer")
    path = f"/machines/{machine.worker_id}"
    assert (await ada.post(f"{path}/team", {"team_id": team.rpartition("/")[2]})).status_code == 200
    offered = {"New session", "Older threads"}
    assert offered <= {one.text for one in (await ada.get(path)).all("a", class_="button")}
    for page in (await eve.get(path), await eve.get("/machines")):
        assert "laptop" in page.text
        assert not offered & {one.text for one in page.one(id="screen").all("a", class_="button")}
    assert "Who operates this machine begins sessions on it." in (await eve.get(path)).text


async def test_somebody_elses_machine_is_not_shown(ada: Browser, eve: Browser, machine: Person):
    assert "No machine yet" in (await eve.get("/machines")).text
    await eve.get(f"/machines/{machine.worker_id}", status=404)
    assert (await eve.post(f"/machines/{machine.worker_id}/team", {"team_id": ""})).status_code == 403
    await eve.post(f"/machines/{machine.worker_id}/revoke")
    assert (await machine.get("/machines")).status_code == 200
