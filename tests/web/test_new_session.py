"""A new session from a browser: said what is forbidden, asked once, and opened as soon as it is there."""

from __future__ import annotations

import pytest
from tests.api.contract.world import Person, lease
from tests.web.browser import Browser, Element, parsed
from tests.web.desk import meanwhile, person_of, report, report_any

FORBIDS = '[sandbox]\nallow = ["read-only"]\n'


@pytest.fixture
async def machine(ada: Browser) -> Person:
    return await person_of(ada).machine()


def fields(machine: Person, request_id: str, **more: str) -> dict[str, str]:
    said = {"machine": machine.worker_id, "request_id": request_id, "prompt": "Hello", "folder": "/home/ada"}
    return {**said, "sandbox": "workspace-write", "approvals": "on-request", "model": "", **more}


def verdict_of(page: Element) -> str:
    return page.one("p", id="verdict").text


async def test_where_there_is_no_machine_it_says_how_to_get_one(ada: Browser):
    page = await ada.get("/new")
    assert "no machine" in page.text
    assert page.one("a", href="/devices/pair?kind=machine")


async def test_the_machines_and_their_folders_are_offered(ada: Browser, machine: Person):
    person = person_of(ada)
    await lease(machine, person.worker_id)
    params = {"thread": {"id": "t", "cwd": "/home/ada/project"}}
    await machine.append(person.worker_id, source="autopilot-desktop", method="thread/started", params=params)
    page = await ada.get("/new")
    assert [one.attributes["value"] for one in page.all("input", name="machine")] == [machine.worker_id]
    assert page.one("input", name="folder").attributes["value"] == "/home/ada/project"
    assert [one.attributes["value"] for one in page.one("datalist", id="folders").all("option")] == [
        "/home/ada/project"
    ]
    assert "Policies allow this." in verdict_of(page)


async def test_what_a_policy_forbids_is_said_before_anything_is_sent(ada: Browser, machine: Person):
    body = {"subject": "user", "format": "toml", "text": FORBIDS, "expected_version": 0}
    answer = await person_of(ada).post("/policies", body)
    assert answer.status_code == 200, answer.text
    page = await ada.get("/new")
    labels = {one.one("input").attributes["value"]: one.text for one in page.all("label", class_="option")}
    assert "Forbidden" in labels["workspace-write"]
    assert "Forbidden" not in labels["read-only"]
    assert verdict_of(page).startswith("A policy forbids this")
    checked = await ada.post("/new/check", fields(machine, "r", sandbox="read-only"))
    assert parsed(checked.text).one("p", id="verdict").text.startswith("Policies allow this")
    refused = await ada.post("/new", fields(machine, "refused"))
    assert refused.status_code == 403
    assert refused.headers["hx-retarget"] == "#notices"


async def test_the_models_are_what_codex_names_and_are_asked_for_once(ada: Browser, machine: Person):
    models = {"data": [{"model": "gpt-a", "displayName": "A", "isDefault": True}, {"model": "b", "hidden": True}]}
    posting = ada.post("/new/models", {"machine": machine.worker_id})
    posted = await meanwhile(posting, report_any(machine, "model/list", response=models))
    options = [one.attributes["value"] for one in parsed(posted.text).all("option")]
    assert options == ["", "gpt-a"]
    again = await ada.post("/new/models", {"machine": machine.worker_id})
    assert [one.attributes["value"] for one in parsed(again.text).all("option")] == options


async def test_the_thread_is_asked_for_and_its_screen_opens_with_the_first_turn(ada: Browser, machine: Person):
    person = person_of(ada)
    await lease(machine, person.worker_id)
    response = {"worker_id": person.worker_id}
    answer = await meanwhile(ada.post("/new", fields(machine, "n1")), report(machine, "n1", response=response))
    assert answer.headers["hx-redirect"] == f"/w/{person.worker_id.replace(':', '%3A')}"
    receipt = (await person.get(f"/workers/{person.worker_id}/requests/n1-turn")).json()["data"]
    assert receipt["method"] == "turn/start"
    assert receipt["params"]["input"] == [{"type": "text", "text": "Hello"}]
    asked = (await person.get(f"/machines/{machine.worker_id}/requests/n1")).json()["data"]
    assert asked["params"] == {"cwd": "/home/ada", "sandbox": "workspace-write", "approvalPolicy": "on-request"}


async def test_what_codex_refuses_is_said_and_the_form_stays(ada: Browser, machine: Person):
    error = {"code": "codex", "message": "no such folder"}
    answer = await meanwhile(ada.post("/new", fields(machine, "n2")), report(machine, "n2", "failed", error=error))
    page = parsed(answer.text)
    assert "no such folder" in page.one(id="starting").text
    assert not page.all("form")


async def test_a_machine_that_does_not_answer_is_waited_for_step_by_step(ada: Browser, machine: Person):
    answer = await ada.post("/new", fields(machine, "n3"))
    state = parsed(answer.text).one(id="starting")
    assert state.attributes["hx-trigger"] == "every 1s"
    kept = {one.attributes["name"]: one.attributes["value"] or "" for one in state.all("input")}
    assert kept["prompt"] == "Hello"
    cancelled = await ada.post("/new/cancel", {name or "": value for name, value in kept.items()})
    assert "Taken back" in parsed(cancelled.text).text
    step = await ada.post("/new/step", {name or "": value for name, value in kept.items()})
    assert "hx-trigger" not in parsed(step.text).one(id="starting").attributes
