"""The list of workers: what a row says, whose it is, further pages, and a list that can't be had."""

from __future__ import annotations

from typing import Any

import httpx2
from tests.api.contract.test_team_roles import shared
from tests.api.contract.world import ask, lease
from tests.web.browser import Browser, parsed, sign_in

PAGE, REFUSED = 50, 422


async def named(browser: Browser, title: str) -> str:
    """A worker with a title, a machine that executes for it, and a question that waits."""
    assert browser.person is not None
    somebody = browser.person
    worker_id = await somebody.open_worker(adapter="desktop_bridge")
    machine = await somebody.machine()
    await lease(machine, worker_id)
    said: dict[str, Any] = {"source": "autopilot-desktop", "method": "thread/name/updated"}
    await machine.append(worker_id, **said, params={"threadId": "t", "threadName": title})
    await ask(machine, worker_id)
    return worker_id


async def test_a_row_says_what_it_is_about_where_it_runs_and_what_waits(ada: Browser):
    worker_id = await named(ada, "Fix the <b>upload</b> test")
    row = (await ada.get("/")).one("li", id=f"row-{worker_id}")
    assert row.one("b").text == "Fix the <b>upload</b> test"
    assert worker_id not in row.text
    assert "laptop" in row.text
    assert "Desktop" in row.text
    assert row.one("strong", class_="count").attributes["aria-label"] == "1 approval pending"
    assert row.attributes["data-machine-name"] == "laptop"
    assert row.attributes["data-text"] == f"fix the <b>upload</b> test\n{worker_id}"
    assert row.one("time").attributes["datetime"]


async def test_a_layer_that_is_not_well_has_a_badge_with_a_sentence(ada: Browser):
    worker_id = await named(ada, "Quiet")
    row = (await ada.get("/")).one("li", id=f"row-{worker_id}")
    badge = row.one("span", class_="badge")
    assert badge.text == "Codex down"
    assert badge.attributes["title"] == "Codex does not run on laptop; its companion starts it again."


async def test_further_pages_come_as_rows_with_the_place_of_the_next(ada: Browser):
    assert ada.person is not None
    for _ in range(PAGE + 5):
        await ada.person.open_worker()
    first = (await ada.get("/")).one("ul", id="rows")
    assert len(first.all("li")) == PAGE
    answer = await ada.http.get("/rows", params={"before": first.attributes["data-next"] or ""})
    rest = parsed(answer.text).one("ul", id="rows")
    assert "data-next" not in rest.attributes
    ids = [row.attributes["id"] for row in first.all("li") + rest.all("li")]
    assert len(ids) == len(set(ids)) == PAGE + 6


async def found(browser: Browser, **asked: str) -> list[str | None]:
    answer = await browser.http.get("/rows", params=asked)
    assert answer.status_code == 200, answer.text
    return [row.attributes["id"] for row in parsed(answer.text).one("ul", id="rows").all("li")]


async def test_rows_are_found_on_whichever_page_they_are(ada: Browser):
    assert ada.person is not None
    wanted = await named(ada, "Rework the \u00dcbersicht")
    for _ in range(PAGE):
        await ada.person.open_worker()
    page = await ada.get("/")
    row = f"row-{wanted}"
    assert row not in [one.attributes["id"] for one in page.one("ul", id="rows").all("li")]
    machine = next(one for one in page.one("select", id="find-machine").all("option") if one.text == "laptop")
    assert await found(ada, q="\u00fcbersicht rework") == [row]
    assert await found(ada, q="rework", machine=machine.attributes["value"] or "", backend="desktop") == [row]
    assert await found(ada, q="rework", machine="another") == []
    assert await found(ada, q="rework", state="unknown") == [row]
    assert await found(ada, q="rework", state="stopped") == []
    kinds = [one.attributes["value"] for one in page.one("select", id="find-backend").all("option")]
    assert kinds[:2] == ["", "desktop"]


async def test_what_can_not_be_searched_for_is_refused(ada: Browser):
    for asked in ({"q": "x" * 201}, {"state": "asleep"}, {"backend": "moon"}):
        assert (await ada.http.get("/rows", params=asked)).status_code == REFUSED


async def test_nobody_sees_the_rows_of_somebody_else(ada: Browser, eve: Browser):
    assert ada.person is not None
    page = await eve.http.get("/rows")
    assert ada.person.worker_id not in page.text


async def test_a_list_without_workers_says_how_there_will_be_some(ada: Browser):
    somebody = await sign_in(ada.world, f"new-{id(ada)}@example.org")
    page = await somebody.get("/")
    assert page.one("ul", id="rows").all("li") == []
    assert page.one("div", id="rows-empty").one("a").attributes["href"] == "/new"
    await somebody.http.aclose()


async def test_a_list_that_can_not_be_had_says_so_and_leaves_the_screen_alone(ada: Browser):
    answer = await ada.http.get("/rows", params={"before": "nonsense"}, headers={"hx-request": "true"})
    assert answer.status_code == REFUSED
    assert 'class="notice problem"' in answer.text


async def test_a_worker_of_a_team_says_whose_it_is(ada: Browser):
    assert ada.person is not None
    case = await shared(ada.person)
    browser = await sign_in(ada.world, case.team["viewer"].email)
    row = (await browser.get("/")).one("li", id=f"row-{case.worker_id}")
    assert "of crew" in row.text
    await browser.http.aclose()


async def test_without_a_session_no_rows_are_given(ada: Browser):
    async with httpx2.AsyncClient(base_url=ada.world.api.url, trust_env=False) as http:
        answer = await http.get("/rows", headers={"hx-request": "true"})
        assert answer.headers["hx-redirect"] == "/sign-in"
