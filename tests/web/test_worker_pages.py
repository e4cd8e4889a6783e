"""Beside a worker's screen: requests written by hand, receipts, details, raw events, artifacts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.api.contract.world import announce, store
from tests.web.browser import Browser, Element, parsed
from tests.web.test_worker_screen import Desk, desk

from autopilot.client.methods import METHODS
from autopilot.client.presenters import requesting

__all__ = ["desk"]
FORBIDDEN, NOT_FOUND, UNPROCESSABLE = 403, 404, 422
SCRIPT = "<script>alert(1)</script>"


def of_form(method: str, params: Any, request_id: str = "r-hand") -> dict[str, str]:
    """What the editor posts."""
    written = params if isinstance(params, str) else json.dumps(params)
    return {"method": method, "params": written, "request_id": request_id}


async def test_the_editor_offers_every_method_with_an_example_of_its_own(desk: Desk):
    page = await desk.browser.get(f"/w/{desk.worker_id}/request?method=thread/name/set")
    offered = {option.attributes["value"] for option in page.one("select", id="request-method").all("option")}
    assert offered == set(METHODS)
    assert json.loads(page.one("textarea", id="request-params").text) == {"name": ""}
    for method, known in METHODS.items():
        told = await desk.post("request/help", method=method, params=requesting.example("thread/name/set"))
        begun = told.one("div").attributes
        assert (json.loads(begun["data-params"] or ""), "data-written" in begun) == (known.example, False)
        assert {item.one("code").text for item in told.all("li")} == {param.name for param in known.params}


async def test_what_somebody_wrote_stays_when_another_method_is_chosen(desk: Desk):
    told = await desk.post("request/help", method="turn/steer", params='{"input": [')
    assert told.one("div").attributes["data-params"] == '{"input": ['
    assert "data-written" in told.one("div").attributes


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ('{"input": [}', "This is not JSON: expecting value, in line 1, column 12."),
        ("[1]", "Params are a JSON object"),
        ('{"input": NaN}', "This is not JSON"),
        ({}, "input is missing."),
        ({"input": "Hello"}, "input has to be a list."),
        ({"input": [], "model": 3}, "model has to be a string."),
    ],
)
async def test_what_is_wrong_is_said_while_one_writes_and_nothing_is_sent(desk: Desk, params: Any, said: str):
    fields = of_form("turn/start", params)
    assert said in (await desk.post("request/check", **fields)).text
    answer = await desk.browser.post(f"/w/{desk.worker_id}/request", fields)
    assert answer.status_code == UNPROCESSABLE
    assert answer.headers["hx-retarget"] == "#request-problems"
    assert said in parsed(answer.text).text
    assert await desk.asked() == []


async def test_a_param_that_is_not_recorded_is_told_and_sent(desk: Desk):
    fields = of_form("turn/start", {"input": [], "later": True})
    assert "later" in (await desk.post("request/check", **fields)).text
    told = await desk.post("request", **fields)
    assert told.one("li", class_="receipt").attributes["data-state"] == "accepted"
    assert [(one["method"], one["params"]) for one in await desk.asked()] == [
        ("turn/start", {"input": [], "later": True})
    ]


async def test_an_answer_is_waited_for_and_shown_when_it_is_there(desk: Desk):
    told = await desk.post("request", **of_form("thread/read", {"includeTurns": False}))
    place = told.one("div", class_="answer")
    assert place.attributes["aria-busy"] == "true"
    path = place.attributes["hx-get"] or ""
    assert parsed((await desk.browser.http.get(path)).text).one("div").attributes["aria-busy"] == "true"
    assert (await desk.person.post(f"/workers/{desk.worker_id}/requests/r-hand/cancel", {})).status_code == 200
    ended = parsed((await desk.browser.http.get(path)).text).one("div", class_="answer")
    assert "aria-busy" not in ended.attributes


async def test_a_receipt_has_a_page_with_each_step_and_the_way_to_its_trace(desk: Desk):
    await desk.post("request", **of_form("turn/start", {"input": [{"type": "text", "text": SCRIPT}]}, "r~odd:id"))
    page = await desk.browser.get(f"/w/{desk.worker_id}/receipts/r~odd:id")
    facts = page.one("dl", class_="told").text
    assert "turn/start" in facts
    assert "r~odd:id" in facts
    assert "You" in facts
    assert "Accepted" in facts
    assert SCRIPT in page.one("pre", class_="json").text
    assert [link for link in page.all("a") if (link.attributes["href"] or "").startswith("/trace/")]
    await desk.browser.get(f"/w/{desk.worker_id}/receipts/none", status=NOT_FOUND)


async def test_details_say_ids_lease_health_and_spend(desk: Desk):
    usage = {"totalTokens": 1234, "inputTokens": 1000, "cachedInputTokens": 10, "outputTokens": 234}
    usage |= {"reasoningOutputTokens": 4}
    await desk.turn()
    await desk.says("thread/tokenUsage/updated", turnId="turn-1", tokenUsage={"last": usage, "total": usage})
    page = await desk.browser.get(f"/w/{desk.worker_id}/details")
    names = page.one("section", aria_labelledby="of-names").text
    assert desk.worker_id in names
    assert desk.machine.worker_id in names
    assert "laptop" in page.one("section", aria_labelledby="of-about").text
    assert "Held" in page.one("section", aria_labelledby="of-lease").text
    assert [layer.one("b").text for layer in page.all("div", class_="layer")] == ["API", "Companion", "Codex", "Log"]
    assert "1.2k" in page.one("section", aria_labelledby="of-spend").text


async def test_events_come_raw_in_pages_and_a_large_one_whole_by_itself(desk: Desk):
    for number in range(40):
        await desk.says("note", number=number, text=SCRIPT)
    large = await desk.says("note", text="x" * 20_000)
    first = parsed((await desk.browser.http.get(f"/w/{desk.worker_id}/events")).text)
    newest = first.all("details", class_="event")[0]
    assert newest.one("code").text == str(large)
    assert "characters more" in newest.text
    whole = await desk.browser.http.get(f"/w/{desk.worker_id}/events/{large}")
    assert whole.json()["payload"]["params"]["text"] == "x" * 20_000
    assert whole.headers["content-type"].startswith("text/plain")
    seqs: list[int] = []
    piece: Element = first
    while True:
        seqs += [int(event.one("code").text) for event in piece.all("details", class_="event")]
        more = piece.all("button", hx_target="closest p")
        if not more:
            break
        piece = parsed((await desk.browser.http.get(more[0].attributes["hx-get"] or "")).text)
    assert seqs == list(range(large, 0, -1))
    assert (await desk.browser.http.get(f"/w/{desk.worker_id}/events/{large + 9}")).status_code == NOT_FOUND


async def test_an_artifact_is_a_file_that_nothing_interprets(desk: Desk):
    text = SCRIPT * 5000
    artifact_id = await announce(desk.machine, desk.worker_id, text)
    path = f"/w/{desk.worker_id}/artifacts"
    assert "Not all here yet" in (await desk.browser.http.get(path)).text
    assert (await desk.browser.http.get(f"{path}/{artifact_id}")).status_code == NOT_FOUND
    await store(desk.machine, desk.worker_id, text)
    listed = parsed((await desk.browser.http.get(path)).text)
    assert listed.one("li").one("a").attributes["href"] == f"{path.replace(':', '%3A')}/{artifact_id}"
    file = await desk.browser.http.get(f"{path}/{artifact_id}")
    assert file.text == text
    assert file.headers["content-type"] == "text/plain; charset=utf-8"
    assert file.headers["content-disposition"].startswith("attachment")
    assert file.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "part", ["details", "events", "events/1", "artifacts", f"artifacts/{'0' * 32}", "request", "receipts/r"]
)
async def test_nothing_of_it_is_anybody_elses(desk: Desk, eve: Browser, part: str):
    answer = await eve.http.get(f"/w/{desk.worker_id}/{part}")
    assert answer.status_code == FORBIDDEN, answer.text
