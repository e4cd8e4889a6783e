"""Machines in a browser: what is known of them, whose they are, and what one does about them."""

from __future__ import annotations

import pytest
from tests.api.contract.world import Person, lease
from tests.web.browser import Browser, parsed
from tests.web.desk import person_of

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
    made = await person_of(ada).machine()
    await lease(made, person_of(ada).worker_id)
    body = {"desktop_session_id": "s", "workers": [], "facts": FACTS}
    answer = await made.post(f"/machines/{made.worker_id}/heartbeat", body)
    assert answer.status_code == 200, answer.text
    return made


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
    made = await person_of(ada).post("/api/teams", {"name": "Crew"})
    assert made.status_code == 201, made.text
    team_id = made.json()["data"]["team_id"]
    path = f"/machines/{machine.worker_id}/team"
    page = parsed((await ada.post(path, {"team_id": team_id})).text)
    assert "its members see what runs here" in page.text
    page = parsed((await ada.post(path, {"team_id": ""})).text)
    assert [one.attributes["value"] for one in page.one("select", name="team_id").all("option")] == [team_id]


async def test_signing_it_out_ends_its_session(ada: Browser, machine: Person):
    page = parsed((await ada.post(f"/machines/{machine.worker_id}/revoke")).text)
    assert "It is signed out" in page.text
    assert (await machine.get("/machines")).status_code == 401


async def test_somebody_elses_machine_is_not_shown(ada: Browser, eve: Browser, machine: Person):
    assert "No machine yet" in (await eve.get("/machines")).text
    await eve.get(f"/machines/{machine.worker_id}", status=404)
    assert (await eve.post(f"/machines/{machine.worker_id}/team", {"team_id": ""})).status_code == 403
    await eve.post(f"/machines/{machine.worker_id}/revoke")
    assert (await machine.get("/machines")).status_code == 200
