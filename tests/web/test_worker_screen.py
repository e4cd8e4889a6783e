"""The screen of a worker: how it stands, what one writes there and what becomes of it, older items, a stop."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from tests.api.contract.test_team_roles import shared
from tests.api.contract.world import Person, lease
from tests.web.browser import Browser, Element, parsed, sign_in

CONFLICT, FORBIDDEN, NOT_FOUND, INVALID = 409, 403, 404, 400
CODEX = {"source": "autopilot-desktop"}


@dataclass
class Desk:
    """A browser, and the machine that executes for a worker of its person's."""

    browser: Browser
    person: Person
    machine: Person
    worker_id: str

    async def says(self, method: str, **params: Any) -> int:
        """Codex says something."""
        return await self.machine.append(self.worker_id, **CODEX, method=method, params={"threadId": "t", **params})

    async def turn(self, number: int = 1) -> str:
        """A turn runs from now on; its id."""
        await self.says("turn/started", turn={"id": f"turn-{number}", "items": [], "status": "inProgress"})
        return f"turn-{number}"

    async def screen(self) -> Element:
        """As the browser has it."""
        return await self.browser.get(f"/w/{self.worker_id}")

    async def post(self, path: str, status: int = 200, **fields: str) -> Element:
        """A form of the screen's."""
        answer = await self.browser.post(f"/w/{self.worker_id}/{path}", fields)
        assert answer.status_code == status, answer.text
        return parsed(answer.text)

    async def asked(self) -> list[dict[str, Any]]:
        """What was asked of the worker, as its log has it."""
        events = (await self.person.get(f"/workers/{self.worker_id}/events?after=0&limit=500")).json()["data"]
        return [event["payload"] for event in events if event["eventType"] == "worker.request.received"]


@pytest.fixture
async def desk(ada: Browser) -> Desk:
    """A worker that is executed for."""
    assert ada.person is not None
    worker_id, machine = await ada.person.open_worker(adapter="desktop_bridge"), await ada.person.machine()
    await lease(machine, worker_id)
    return Desk(ada, ada.person, machine, worker_id)


def value(page: Element, element_id: str) -> str:
    """Of a field."""
    return page.one("input", id=element_id).attributes["value"] or ""


async def test_the_head_says_how_it_stands_and_which_layer_is_not_well(desk: Desk):
    await desk.says("thread/name/updated", threadName="Mend the clock")
    page = await desk.screen()
    assert page.one("span", id=f"title-{desk.worker_id}").text == "Mend the clock"
    state = page.one("section", id=f"standing-{desk.worker_id}")
    assert "laptop" in state.text
    trouble = state.one("p", class_="trouble")
    assert trouble.attributes["data-layer"] == "codex"
    assert "Codex does not run on laptop" in trouble.text


async def test_what_is_written_is_a_request_whose_receipt_comes_back(desk: Desk):
    page = await desk.screen()
    request_id = value(page, "say-id")
    said = await desk.post("say", text="Do it.\nAll of it.", act="send", request_id=request_id, turn="")
    receipt = said.one("li", class_="receipt")
    assert receipt.attributes["data-state"] == "accepted"
    assert request_id in (receipt.one("a").attributes["title"] or "")
    assert [(one["method"], one["request_id"]) for one in await desk.asked()] == [("turn/start", request_id)]
    renewed = said.one("input", id="say-id")
    assert renewed.attributes["hx-swap-oob"] == "true"
    assert renewed.attributes["value"] not in {"", request_id}


async def test_a_form_that_is_sent_twice_asks_once(desk: Desk):
    fields = {"text": "Do it.", "act": "send", "request_id": value(await desk.screen(), "say-id"), "turn": ""}
    first, again = await asyncio.gather(desk.post("say", **fields), desk.post("say", **fields))
    assert first.one("li").attributes["id"] == again.one("li").attributes["id"]
    assert len(await desk.asked()) == 1
    other = await desk.post("say", CONFLICT, **(fields | {"text": "Something else."}))
    assert other.one("div", role="alert").text


async def test_while_a_turn_runs_one_steers_that_turn_or_queues_for_after_it(desk: Desk):
    turn_id = await desk.turn()
    page = await desk.screen()
    assert value(page, "turn") == turn_id
    await desk.post("say", text="Left!", act="steer", request_id="r-steer", turn=turn_id)
    await desk.post("say", text="And then right.", act="queue", request_id="r-queue", turn=turn_id)
    await desk.post("interrupt", request_id="r-interrupt", turn=turn_id)
    asked = {one["request_id"]: one for one in await desk.asked()}
    assert asked["r-steer"]["method"] == "turn/steer"
    assert asked["r-steer"]["params"]["expectedTurnId"] == turn_id
    assert asked["r-queue"]["method"] == "thread/queue/add"
    assert asked["r-interrupt"]["params"] == {"turnId": turn_id}


async def test_a_turn_that_ended_is_neither_steered_nor_interrupted(desk: Desk):
    assert "ended meanwhile" in (await desk.post("say", CONFLICT, text="Left!", act="steer", turn="")).text
    assert "No turn runs" in (await desk.post("interrupt", CONFLICT, turn="")).text
    assert await desk.asked() == []


@pytest.mark.parametrize("fields", [{"text": " \n "}, {"text": "x", "act": "worker/stop"}, {}])
async def test_what_is_no_message_asks_for_nothing(desk: Desk, fields: dict[str, str]):
    await desk.post("say", INVALID, **fields)
    assert await desk.asked() == []


async def test_the_stream_brings_the_turn_the_state_and_the_receipt_as_they_move(desk: Desk):
    page = await desk.screen()
    seq = int(page.one("div", id="timeline").attributes["data-seq"] or 0)
    receipt = await desk.post("say", text="Go.", act="send", request_id="r-1", turn="")
    receipt_id = receipt.one("li").attributes["id"]
    wanted = {"turn", f"standing-{desk.worker_id}", receipt_id}
    async with desk.browser.live(desk.worker_id, seq) as frames:
        turn_id = await desk.turn()
        taken_back = await desk.post("requests/r-1/cancel")
        assert taken_back.one("li").attributes["data-state"] == "cancelled"
        seen: dict[str, Element] = {}
        async for event, data in frames:
            if event == "put" and data["id"] in wanted:
                seen[data["id"]] = parsed(data["html"])
            if len(seen) == len(wanted) and seen[str(receipt_id)].one("li").attributes["data-state"] == "cancelled":
                break
    assert value(seen["turn"], "turn") == turn_id
    assert seen[f"standing-{desk.worker_id}"].one("span", class_="pill").text == "Working"


async def test_a_worker_of_somebody_else_is_neither_seen_nor_written_to(desk: Desk, eve: Browser):
    await eve.get(f"/w/{desk.worker_id}", status=FORBIDDEN)
    for act in ("say", "interrupt", "stop", "reopen", "connect", "fork"):
        answer = await eve.post(f"/w/{desk.worker_id}/{act}", {"text": "x", "turn": "t", "request_id": "r"})
        assert answer.status_code == FORBIDDEN or '"failed"' in answer.text.replace("\\", ""), (act, answer.text)
    assert await desk.asked() == []


async def test_who_may_only_watch_is_told_so(ada: Browser):
    assert ada.person is not None
    case = await shared(ada.person)
    browser = await sign_in(ada.world, case.team["viewer"].email)
    page = await browser.get(f"/w/{case.worker_id}")
    may = page.one("div", id=f"may-{case.worker_id}")
    assert may.attributes["data-may"] == "no"
    assert "You may watch" in may.text
    refused = await browser.post(f"/w/{case.worker_id}/say", {"text": "x", "request_id": "r"})
    assert refused.status_code == FORBIDDEN
    await browser.http.aclose()


async def test_who_may_only_watch_is_offered_nothing_that_is_refused_then(ada: Browser):
    assert ada.person is not None
    case = await shared(ada.person)
    offered = {}
    for role in ("operator", "viewer"):
        browser = await sign_in(ada.world, case.team[role].email)
        page = await browser.get(f"/w/{case.worker_id}")
        request = await browser.get(f"/w/{case.worker_id}/request")
        stop, connect = [await browser.dialog(f"/w/{case.worker_id}/{part}") for part in ("stop", "connect")]
        offered[role] = (
            [one.text for one in page.one("div", id="menu").children if isinstance(one, Element)],
            bool(request.all("form")),
            bool(stop.all("form")),
            "disabled" not in connect.one("button", id="connect-start").attributes,
        )
        if role == "viewer":
            for words, who in ((request, "write to it"), (stop, "stop it"), (connect, "ask its companion")):
                assert f"You may watch this worker. Who operates it can {who}" in words.text
        await browser.http.aclose()
    assert offered == {
        "operator": (["Connect", "Send a request", "Details", "Stop…"], True, True, True),
        "viewer": (["Details"], False, False, False),
    }


async def test_a_session_that_another_program_writes_can_be_taken_over_or_forked(desk: Desk):
    await desk.says("desktop/thread_elsewhere", elsewhere=True, reason="another program")
    page = await desk.screen()
    may = page.one("div", id=f"may-{desk.worker_id}")
    assert may.attributes["data-may"] == "no"
    assert {form.attributes["hx-post"].rpartition("/")[2] for form in may.all("form")} == {"adopt", "fork"}
    assert page.one("section", id=f"standing-{desk.worker_id}").one("span", class_="badge").text == "Watch only"
    await desk.post("adopt", request_id="r-adopt")
    await desk.post("fork", request_id="r-fork")
    assert [one["method"] for one in await desk.asked()] == ["thread/resume", "thread/fork"]


async def test_older_items_come_page_by_page_without_gap_or_double(desk: Desk):
    for number in range(350):
        item = {"type": "agentMessage", "id": f"m{number}", "text": f"words {number}."}
        await desk.says("item/completed", turnId="turn", item=item)
    page = await desk.screen()
    box = page.one("div", id="timeline")
    found = [article.attributes["id"] for article in box.all("article")]
    oldest = box.attributes["data-oldest"]
    texts = [article.text for article in box.all("article")]
    while oldest:
        answer = await desk.browser.http.get(f"/w/{desk.worker_id}/older", params={"before": oldest})
        piece = parsed(answer.text)
        articles = [one for one in piece.all("article") if one.attributes["id"] not in found]
        found = [one.attributes["id"] for one in articles] + found
        texts = [one.text for one in articles] + texts
        oldest = piece.all("div")[0].attributes.get("data-oldest")
    numbers = [number for number in range(350) for text in texts if f"words {number}." in text]
    assert numbers == list(range(350))
    assert len(found) == len(set(found))


async def test_a_stop_asks_for_a_reason_and_says_what_force_means(desk: Desk):
    dialog = await desk.browser.dialog(f"/w/{desk.worker_id}/stop")
    assert "without its machine's word" in dialog.text
    told = await desk.post("stop", reason="enough")
    assert told.one("h2").text == "Being stopped"
    assert told.one("li", class_="receipt").attributes["data-state"] == "accepted"
    forced = await desk.post("stop", force="1")
    assert forced.one("h2").text == "Stopped"
    page = await desk.screen()
    assert "stopped" in page.one("div", id=f"may-{desk.worker_id}").text
    await desk.post("reopen")
    assert (await desk.screen()).one("div", id=f"may-{desk.worker_id}").attributes["data-may"] == "yes"


async def test_connecting_says_each_state_and_believes_the_machine_alone(desk: Desk):
    headers = {"x-csrf": await desk.browser.proof()}
    states: list[Element] = []
    async with (
        asyncio.timeout(30),
        desk.browser.http.stream("POST", f"/w/{desk.worker_id}/connect", headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            states.append(parsed(json.loads(line)).one("div", id="connection"))
            if states[-1].attributes["data-state"] == "waiting":
                await _acknowledge(desk)
    seen = [state.attributes["data-state"] for state in states]  # one that waits says each second how long yet
    assert list(dict.fromkeys(seen)) == ["sending", "waiting", "connected"]
    assert "session-7" in states[-1].text
    assert "laptop" in states[-1].text


async def _acknowledge(desk: Desk) -> None:
    events = (await desk.person.get(f"/workers/{desk.worker_id}/events?after=0&limit=500")).json()["data"]
    asked = next(event["payload"] for event in events if event["payload"].get("method") == "ios/handshake")
    assert asked["source"] == "autopilot-web"
    same = {name: asked[name] for name in ("handshake_id", "occurred_at")}
    await desk.person.append(desk.worker_id, source="x", method="note", handshake_id=same["handshake_id"])
    ack = {**CODEX, "method": "desktop/handshake_ack", "desktop_session_id": "session-7", **same}
    await desk.machine.append(desk.worker_id, **ack)


async def test_who_leaves_while_connecting_waits_no_more(desk: Desk):
    headers = {"x-csrf": await desk.browser.proof()}
    async with desk.browser.http.stream("POST", f"/w/{desk.worker_id}/connect", headers=headers) as answer:
        async for line in answer.aiter_lines():
            if parsed(json.loads(line)).one("div").attributes["data-state"] == "waiting":
                break
    assert (await desk.screen()).one("span", id=f"title-{desk.worker_id}").text


async def test_connecting_to_a_stopped_worker_says_why_not(desk: Desk):
    await desk.post("stop", force="1")
    dialog = await desk.browser.dialog(f"/w/{desk.worker_id}/connect")
    assert "not running" in dialog.text
    answer = await desk.browser.post(f"/w/{desk.worker_id}/connect")
    last = parsed(json.loads(answer.text.splitlines()[-1])).one("div")
    assert last.attributes["data-state"] == "failed"


def filled(form: Element, **fields: str) -> tuple[str, dict[str, str]]:
    """Where a form goes without scripts, and what with."""
    hidden = {one.attributes["name"] or "": one.attributes["value"] or "" for one in form.all("input", type="hidden")}
    assert form.attributes["method"] == "post"
    return form.attributes["action"] or "", hidden | fields


async def test_without_scripts_a_form_leads_back_to_the_worker_with_its_receipt(desk: Desk):
    path, fields = filled((await desk.screen()).one("form", id="message"), text="Hello.", act="send")
    answer: httpx2.Response = await desk.browser.http.post(path, data=fields)
    assert answer.status_code == 303
    [asked] = await desk.asked()
    assert asked["request_id"] == fields["request_id"]
    page = await desk.browser.get(answer.headers["location"])
    told = page.one("ul", id="receipts").one("li")
    assert "New turn" in told.text
    assert "Hello." in told.text
    assert page.one("input", id="say-id").attributes["value"] != fields["request_id"]


async def test_without_scripts_the_turn_that_runs_can_be_interrupted(desk: Desk):
    turn_id = await desk.turn(1)
    path, fields = filled((await desk.screen()).one("form", id="interrupt"), act="interrupt")
    answer = await desk.browser.http.post(path, data=fields)
    assert answer.status_code == 303
    assert [(one["method"], one["params"]) for one in await desk.asked()] == [("turn/interrupt", {"turnId": turn_id})]


async def test_a_shared_link_to_a_request_that_is_not_there_shows_the_worker(desk: Desk):
    page = await desk.browser.get(f"/w/{desk.worker_id}?asked=request_of_nobody")
    assert not page.one("ul", id="receipts").all("li")


async def test_an_item_has_a_page_of_its_own(desk: Desk):
    item = {"type": "agentMessage", "id": "m", "text": "All of it."}
    seq = await desk.says("item/completed", turnId="turn", item=item)
    page = await desk.browser.get(f"/w/{desk.worker_id}/items/{seq}")
    assert "All of it." in page.one("article").text
    await desk.browser.get(f"/w/{desk.worker_id}/items/{seq + 50}", status=NOT_FOUND)
    await desk.browser.get(f"/w/{desk.worker_id}/items/x", status=INVALID)
