"""The audit and trace screens, over a real runtime."""

from __future__ import annotations

import json

from tests.waiting import until
from tests.web.browser import Browser, Element


def acts(page: Element) -> list[str]:
    return (
        [item.one("b").text for item in page.one("ul", class_="deeds").all("li")]
        if page.all("ul", class_="deeds")
        else []
    )


def calls(page: Element) -> set[str]:
    links = [link.attributes["href"] or "" for link in page.one("ul", class_="deeds").all("a")]
    return {link for link in links if link.startswith("/trace/")}


async def told(browser: Browser, path: str, words: str) -> Element:
    """The screen, once the API has handed over what it wrote down."""
    found: list[Element] = []

    async def is_there() -> bool:
        found.append(await browser.get(path))
        return words in acts(found[-1])

    await until(is_there)
    return found[-1]


async def test_one_sees_what_one_did_and_from_where(ada: Browser, eve: Browser) -> None:
    page = await told(ada, "/audit", "Signed in")

    signed_in = next(item for item in page.one("ul", class_="deeds").all("li") if item.one("b").text == "Signed in")
    assert signed_in.text.startswith("Signed in")
    assert "You" in signed_in.text
    assert "Request id" in signed_in.text
    hers, others = calls(page), calls(await told(eve, "/audit", "Signed in"))
    assert hers
    assert hers.isdisjoint(others)


async def test_a_search_narrows_and_stays_in_its_form(ada: Browser) -> None:
    await told(ada, "/audit", "Signed in")

    page = await ada.get("/audit?text=SIGNED&surface=web&outcome=done&from=2026-01-01&to=2126-01-01")
    assert set(acts(page)) <= {"Signed in"}
    assert page.one("input", name="text").attributes["value"] == "SIGNED"
    assert "selected" in page.one("option", value="web").attributes
    nothing = await ada.get("/audit?text=no-such-thing")
    assert acts(nothing) == []
    assert "Nothing that fits." in nothing.text


async def test_a_day_that_is_none_is_told(ada: Browser) -> None:
    assert "This is no day" in (await ada.get("/audit?from=yesterday", status=422)).text


async def test_what_was_found_can_be_taken_along(ada: Browser) -> None:
    await told(ada, "/audit", "Signed in")

    answer = await ada.http.get("/audit/export?action=signed_in")

    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert "attachment" in answer.headers["content-disposition"]
    assert {json.loads(line)["action"] for line in answer.text.splitlines()} == {"signed_in"}


async def test_pages_lead_further_back(ada: Browser) -> None:
    assert ada.person is not None
    for number in range(51):
        asked = {"request": {"request_id": f"r{number}", "method": "turn/start", "params": {"input": []}}}
        await ada.person.post(f"/workers/{ada.person.worker_id}/requests?wait_ms=0", asked)

    page = await ada.get("/audit?action=request")
    assert len(acts(page)) == 50
    following = page.one("section", class_="block").one("a", class_="primary").attributes["href"] or ""
    assert acts(await ada.get(following)) == ["New turn"]


async def test_a_request_is_traced_from_hop_to_hop(ada: Browser, eve: Browser) -> None:
    assert ada.person is not None
    asked = {"request": {"request_id": "traced-1", "method": "turn/start", "params": {"input": []}}}
    path = f"/workers/{ada.person.worker_id}/requests?wait_ms=0"
    await ada.person.post(path, asked, headers={"x-request-id": "x-traced-1"})

    page = await ada.get("/trace/x-traced-1")

    hops = [item.one("b").text for item in page.one("ol", class_="hops").all("li")]
    assert hops[:2] == ["Accepted: New turn", "Received"]
    assert "traced-1" in page.text
    assert hops == [
        item.one("b").text for item in (await ada.get("/trace/traced-1")).one("ol", class_="hops").all("li")
    ]
    assert "Nothing that you may see" in (await eve.get("/trace/traced-1", status=404)).text


async def test_the_search_box_leads_to_the_trace(ada: Browser) -> None:
    assert (await ada.get("/trace")).one("input", name="id")
    answer = await ada.http.get("/trace?id=a%2Fb&worker=w")
    assert (answer.status_code, answer.headers["location"]) == (303, "/trace/a%2Fb?worker=w")
    missing = await ada.get("/trace/a%2Fb?worker=w", status=404)
    assert "a/b" in missing.text
