"""The inbox: what waits, what one answers, and what one is told when that can't be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from tests.api.contract.world import Person, World, ask, lease
from tests.web.browser import Browser, Element, parsed
from tests.web.test_teams_page import joined, made

from autopilot.testing.approvals import ANSWERING, OPTIONS, ended

FORM = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "title": "Your name"},
        "age": {"type": "integer"},
        "newsletter": {"type": "boolean"},
        "colour": {"type": "string", "enum": ["red", "blue"], "enumNames": ["Red", "Blue"]},
        "sizes": {"type": "array", "items": {"enum": ["s", "m", "l"]}},
    },
}
QUESTIONS = [
    {
        "question_id": "where",
        "header": "Place",
        "text": "Where to?",
        "options": [{"option_id": "eu", "label": "Europe"}, {"option_id": "us", "label": "America"}],
        "other": True,
    },
    {"question_id": "key", "text": "Which key?", "secret": True},
]


@dataclass
class Desk:
    """Ada's browser, and her machine that asks."""

    browser: Browser
    person: Person
    machine: Person

    async def ask(self, number: int = 0, **said: Any) -> str:
        return await ask(self.machine, self.person.worker_id, number, **said)

    async def card(self, approval_id: str) -> Element:
        return (await self.browser.get(f"/inbox/{approval_id}")).one("article", id=f"ap-{approval_id}")

    async def answer(self, approval_id: str, fields: dict[str, Any]) -> tuple[httpx2.Response, Element]:
        answer = await self.browser.post(f"/inbox/{approval_id}/decide", fields)
        return answer, parsed(answer.text)

    async def approval(self, approval_id: str) -> dict[str, Any]:
        return (await self.person.get(f"/approvals/{approval_id}")).json()["data"]


@pytest.fixture
async def desk(ada: Browser) -> Desk:
    assert ada.person is not None
    machine = await ada.person.machine()
    await lease(machine, ada.person.worker_id)
    return Desk(ada, ada.person, machine)


async def test_the_gravest_question_is_first_then_the_oldest(desk: Desk):
    low, first, second = [await desk.ask(number, risk=risk) for number, risk in enumerate(["low", "high", "high"])]
    page = await desk.browser.get("/inbox")
    shown = [card.attributes["id"] for card in page.one(id="inbox-cards").all("article")]
    assert shown == [f"ap-{one}" for one in (first, second, low)]
    orders = [float(card.attributes["data-at"] or "") for card in page.one(id="inbox-cards").all("article")]
    assert orders == sorted(orders)


async def test_a_question_is_shown_with_its_evidence(desk: Desk):
    changes = [{"path": "a.py", "kind": "update", "diff": "@@ -1 +1 @@\n-old\n+new\n"}]
    evidence = {
        "command_line": "bash -lc 'rm -rf <b>'",
        "cwd": "/home/ada",
        "reason": "Because <i>",
        "changes": changes,
    }
    card = await desk.card(await desk.ask(evidence=evidence, risk="high"))
    assert card.one("pre", class_="command").text == "rm -rf <b>"
    assert "Because <i>" in card.text
    assert "in /home/ada" in card.text
    assert card.one("span", class_="add").text == "+new"
    assert card.one("span", class_="del").text == "-old"
    assert "High risk" in card.text


async def test_one_tap_answers_what_is_not_risky(desk: Desk):
    asked = await desk.ask(risk="low")
    answer, card = await desk.answer(asked, {"option": "accept"})
    assert answer.status_code == 200
    assert "Approved by you" in card.text
    assert (await desk.approval(asked))["decision"]["option_id"] == "accept"


@pytest.mark.parametrize(("risk", "option"), [("high", "accept"), ("low", "acceptForSession")])
async def test_what_is_risky_takes_a_second_tap(desk: Desk, risk: str, option: str):
    asked = await desk.ask(risk=risk)
    answer, said = await desk.answer(asked, {"option": option})
    assert answer.headers["hx-retarget"] == f"[id='ap-{asked}-said']"
    assert said.one("button", name="sure").attributes["value"] == option
    assert (await desk.approval(asked))["state"] == "pending"
    answer, _ = await desk.answer(asked, {"sure": option})
    assert (await desk.approval(asked))["decision"]["option_id"] == option


async def test_a_key_answers_nothing_without_asking_back(desk: Desk):
    asked = await desk.ask(risk="low")
    _, said = await desk.answer(asked, {"option": "accept", "ask": "1"})
    assert said.one("button", name="sure").attributes["value"] == "accept"
    assert (await desk.approval(asked))["state"] == "pending"


async def test_words_reach_the_model_with_a_no_and_are_not_dropped_by_a_yes(desk: Desk):
    asked = await desk.ask(risk="low")
    _, said = await desk.answer(asked, {"option": "accept", "message": "Use the other branch"})
    assert "Your words for Codex don't go with this answer." in said.text
    assert (await desk.approval(asked))["state"] == "pending"
    _, card = await desk.answer(asked, {"option": "decline", "message": "Use the other branch"})
    assert "“Use the other branch”" in card.text
    assert (await desk.approval(asked))["decision"]["message"] == "Use the other branch"


async def test_questions_are_answered_and_a_secret_is_in_a_password_field(desk: Desk):
    asked = await desk.ask(kind="user_input", options=ANSWERING, evidence={"questions": QUESTIONS})
    card = await desk.card(asked)
    assert [one.attributes["type"] for one in card.all("input", name="c.key")] == ["password"]
    assert [one.attributes["value"] for one in card.all("input", name="c.where")] == ["eu", "us"]
    fields = {"option": "answer", "c.where": "eu", "c.where#other": "", "c.key": "hunter2"}
    answer, card = await desk.answer(asked, fields)
    assert answer.status_code == 200, answer.text
    assert (await desk.approval(asked))["decision"]["content"] == {"where": ["eu"], "key": ["[redacted]"]}
    assert "hunter2" not in answer.text


async def test_a_form_is_filled_in_as_the_types_that_it_wants(desk: Desk):
    asked = await desk.ask(kind="mcp_form", options=ANSWERING, evidence={}, form=FORM)
    card = await desk.card(asked)
    assert card.one("input", name="c.age").attributes["type"] == "number"
    assert [one.text for one in card.all("label", class_="check")] == ["newsletter", "Red", "Blue", "s", "m", "l"]
    fields = {"option": "answer", "c.name": "Ada", "c.age": "36", "c.colour": "blue", "c.sizes": ["s", "l"]}
    answer, _ = await desk.answer(asked, fields)
    assert answer.status_code == 200, answer.text
    content = (await desk.approval(asked))["decision"]["content"]
    assert content == {"name": "Ada", "age": 36, "newsletter": False, "colour": "blue", "sizes": ["s", "l"]}


async def test_what_does_not_fit_is_said_beside_the_form(desk: Desk):
    asked = await desk.ask(kind="mcp_form", options=ANSWERING, evidence={}, form=FORM)
    answer, said = await desk.answer(asked, {"option": "answer", "c.age": "old"})
    assert answer.status_code == 422
    assert answer.headers["hx-retarget"] == f"[id='ap-{asked}-said']"
    assert {one.text for one in said.all("li")} == {"name: is missing", "age: must be of type integer"}


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "https://example.org/ok"])
async def test_a_page_to_open_is_a_link_only_where_it_is_a_page(desk: Desk, url: str):
    asked = await desk.ask(kind="mcp_url", url=url, evidence={})
    card = await desk.card(asked)
    links = [one for one in card.all("a") if one.attributes["href"] == url]
    assert [one.attributes["rel"] for one in links] == (["noopener noreferrer"] if url.startswith("https") else [])
    assert url in card.text


async def test_who_was_slower_is_told_who_was_faster(desk: Desk):
    asked = await desk.ask(risk="low")
    await desk.person.post(f"/approvals/{asked}/decision", {"option_id": "decline"})
    answer, card = await desk.answer(asked, {"option": "accept"})
    assert answer.status_code == 409
    assert "answered before you" in card.text
    assert "Declined by you" in card.text
    assert not card.all("button")


async def test_a_question_that_is_over_says_what_became_of_it(desk: Desk):
    asked = await desk.ask()
    event = {"event_type": "worker.approval.closed", "payload": ended(asked, reason="turn_interrupted")}
    assert (await desk.machine.post(f"/workers/{desk.person.worker_id}/events", {"event": event})).status_code == 202
    card = await desk.card(asked)
    assert "the turn was interrupted" in card.text
    assert not card.all("form")
    answer, card = await desk.answer(asked, {"option": "accept"})
    assert answer.status_code == 409
    assert "the turn was interrupted" in card.text


async def test_what_only_the_computer_can_answer_has_no_buttons(desk: Desk):
    card = await desk.card(await desk.ask(answerable=False, options=[]))
    assert "Only to be answered at the computer" in card.text
    assert not card.all("button")


async def test_a_viewer_sees_the_question_and_is_offered_no_answer(desk: Desk, eve: Browser):
    team = await made(desk.browser)
    await joined(desk.browser, team, eve, "viewer")
    into = {"team_id": team.rpartition("/")[2]}
    assert (await desk.browser.post(f"/machines/{desk.machine.worker_id}/team", into)).status_code == 200
    asked = await desk.ask(evidence={"command_line": "ls"}, risk="low")

    card = (await eve.get(f"/inbox/{asked}")).one("article", id=f"ap-{asked}")
    assert "You may watch. Who operates this session can answer" in card.text
    assert card.one("pre", class_="command").text == "ls"
    assert not card.all("form")
    assert (await desk.card(asked)).all("form")


async def test_the_stream_brings_a_question_and_what_becomes_of_it(desk: Desk):
    async with desk.browser.live() as frames:
        asked = await desk.ask(options=OPTIONS, risk="low")
        puts = (data async for event, data in frames if event == "put" and data["id"] == f"ap-{asked}")
        put = await anext(puts)
        assert put["into"].split() == ["inbox-cards", f"asks-{desk.person.worker_id}"]
        await desk.answer(asked, {"option": "accept"})
        later = await anext(puts)
    assert "into" not in later
    assert "Approved by you" in parsed(later["html"]).text


async def test_somebody_elses_question_is_not_shown_and_not_answered(world: World, desk: Desk, eve: Browser):
    asked = await desk.ask(risk="low")
    assert not (await eve.get("/inbox")).one(id="inbox-cards").all("article")
    await eve.get(f"/inbox/{asked}", status=403)
    assert (await eve.post(f"/inbox/{asked}/decide", {"option": "accept"})).status_code == 403
    assert (await desk.approval(asked))["state"] == "pending"


async def test_an_answer_without_the_forms_proof_is_refused(desk: Desk):
    asked = await desk.ask(risk="low")
    answer = await desk.browser.http.post(f"/inbox/{asked}/decide", data={"option": "accept"})
    assert answer.status_code == 403
    assert (await desk.approval(asked))["state"] == "pending"
