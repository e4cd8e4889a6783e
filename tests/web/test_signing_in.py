"""Every way in: by passkey, by pairing, by a link for guests; and proving anew who one is."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from tests.api.contract.world import Person, World
from tests.api.passkeys import Passkeyed, expire_step_ups, origin
from tests.authenticator import SoftPasskey
from tests.web.browser import Browser, Element, parsed

from autopilot.client import RuntimeCodexClient
from autopilot.client.pairing import Approver
from autopilot.client.pairing_words import words_of
from autopilot.contract import Pairing

STEPS = 20


@pytest.fixture
async def stranger(world: World) -> AsyncIterator[Browser]:
    """A browser that nobody signed in with."""
    async with httpx2.AsyncClient(base_url=world.api.url, timeout=20, trust_env=False) as http:
        yield Browser(world, http)


@asynccontextmanager
async def client_of(person: Person) -> AsyncIterator[RuntimeCodexClient]:
    async with RuntimeCodexClient(person.world.api.url, person.token) as client:
        yield client


def person_of(browser: Browser) -> Person:
    assert browser.person is not None
    return browser.person


def words_on(page: Element) -> tuple[str, ...]:
    return tuple(one.text for found in page.all("ol", class_="pair-words") for one in found.all("li"))


async def step(browser: Browser, page: Element) -> tuple[httpx2.Response, Element]:
    """What the page does each second."""
    form = page.one("form", id="pairing")
    state = form.one("input", name="state").attributes["value"] or ""
    answer = await browser.http.post(
        form.attributes["hx-post"] or "", data={"state": state}, headers={"hx-request": "true"}
    )
    return answer, parsed(answer.text)


async def passkey_of(world: World, browser: Browser) -> SoftPasskey:
    person = person_of(browser)
    return await Passkeyed(world.api, person.token).registered(SoftPasskey(origin(world.api)))


async def test_a_passkey_signs_in_and_gives_the_browser_nothing_but_its_cookie(
    world: World, ada: Browser, stranger: Browser
):
    passkey = await passkey_of(world, ada)
    asked = (await stranger.http.post("/sign-in/passkey/options", json={})).json()
    body = {"ceremony": asked["ceremony"], "credential": passkey.get(asked["options"]), "next": "/inbox"}
    answer = await stranger.http.post("/sign-in/passkey", json=body)
    assert (answer.status_code, answer.json()) == (200, {"next": "/inbox"}), answer.text
    await stranger.get("/inbox")
    again = await stranger.http.post("/sign-in/passkey", json=body)
    assert again.status_code == 422
    assert "error" in again.json()


async def test_a_passkey_of_another_page_signs_nobody_in(world: World, ada: Browser, stranger: Browser):
    passkey = await passkey_of(world, ada)
    passkey.origin = "http://localhost:1"
    asked = (await stranger.http.post("/sign-in/passkey/options", json={})).json()
    body = {"ceremony": asked["ceremony"], "credential": passkey.get(asked["options"])}
    assert (await stranger.http.post("/sign-in/passkey", json=body)).status_code == 422
    assert not stranger.http.cookies


@pytest.mark.parametrize("path", ["/sign-in/passkey", "/sign-in/sso/code", "/pair/claim", "/guest/enter"])
async def test_another_sites_page_signs_nobody_in_here(stranger: Browser, path: str):
    answer = await stranger.http.post(path, data={"credential": "x"}, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert not stranger.http.cookies


async def test_without_a_provider_none_is_offered(stranger: Browser):
    page = await stranger.get("/sign-in")
    assert [form.attributes["action"] for form in page.all("form")] == ["/sign-in/email"]


# Proving anew who one is.


async def prove(world: World, browser: Browser) -> httpx2.Response:
    """By the code that is mailed."""
    sent = await browser.post("/step-up/send")
    assert sent.status_code == 200, sent.text
    await world.api.app.state.api.postman.delivered()
    return await browser.post("/step-up/code", {"code": world.api.post.mails[-1].code})


async def is_stepped_up(browser: Browser) -> bool:
    answer = await browser.post("/step-up/passkey/options")  # any call of ours, for the cookie's own session
    assert answer.status_code == 200, answer.text
    rows = await browser.world.api.pool.fetch(
        "select s.stepped_up_until > clock_timestamp() as is_up from api.session s join api.device d using (device_id)"
        " where d.surface = 'web' and s.user_id = $1 and s.ended_at is null",
        person_of(browser).user_id,
    )
    return any(row["is_up"] for row in rows)


async def test_a_code_by_mail_proves_anew_and_a_wrong_one_leaves_what_is_there(world: World, ada: Browser):
    await expire_step_ups(world.api)
    assert not await is_stepped_up(ada)
    await ada.post("/step-up/send")
    wrong = await ada.post("/step-up/code", {"code": "0000 0000"})
    assert wrong.status_code == 422
    assert parsed(wrong.text).one("input", name="code")
    assert parsed(wrong.text).one("p", class_="problem").one("small").text.startswith("Request ")
    proved = await prove(world, ada)
    assert proved.headers["hx-trigger"] == "stepped-up"
    assert await is_stepped_up(ada)


async def test_a_passkey_proves_anew(world: World, ada: Browser):
    passkey = await passkey_of(world, ada)
    await expire_step_ups(world.api)
    panel = await ada.get("/step-up")
    assert panel.one("button", data_passkey="step-up")
    asked = (await ada.post("/step-up/passkey/options")).json()
    proof = {"ceremony": asked["ceremony"], "credential": passkey.get(asked["options"])}
    headers = {"x-csrf": await ada.proof(), "hx-request": "true"}
    answer = await ada.http.post("/step-up/passkey", json=proof, headers=headers)
    assert answer.json() == {"ok": True}
    assert await is_stepped_up(ada)


async def test_what_refuses_a_proof_by_passkey_says_under_which_name_it_is_found(world: World, ada: Browser):
    passkey = await passkey_of(world, ada)
    asked = (await ada.post("/step-up/passkey/options")).json()
    proof = {"ceremony": asked["ceremony"], "credential": passkey.get(asked["options"])}
    headers = {"x-csrf": await ada.proof(), "hx-request": "true"}
    await ada.http.post("/step-up/passkey", json=proof, headers=headers)
    answer = await ada.http.post("/step-up/passkey", json=proof, headers=headers)  # a ceremony is good once
    assert answer.status_code == 422
    assert answer.json()["request_id"]


async def test_whatever_refuses_a_code_is_said_in_the_dialog(ada: Browser):
    """What is said beside the screen stands behind it."""
    answer = await ada.post("/step-up/code", {"code": "0" * 5000})
    assert answer.status_code not in {200, 401}
    assert "hx-retarget" not in answer.headers
    panel = parsed(answer.text)
    assert panel.one("input", name="code")
    assert panel.one("p", class_="problem").one("small").text.startswith("Request ")


async def test_a_page_that_takes_a_proof_leads_to_it_and_back(ada: Browser):
    page = await ada.get("/step-up/page?next=/audit")
    assert page.one("div", class_="proof").attributes["data-proof-next"] == "/audit"


@pytest.mark.parametrize(
    "told", ["//evil.example", "/\\evil.example", "/\t/evil.example", "/\r\n/evil.example", "evil"]
)
async def test_nobody_is_led_elsewhere_whatever_a_link_says_is_next(world: World, ada: Browser, told: str):
    page = await ada.get(f"/step-up/page?next={quote(told, safe='')}")
    assert page.one("div", class_="proof").attributes["data-proof-next"] == "/"
    async with httpx2.AsyncClient(base_url=world.api.url, trust_env=False) as nobody:
        page = parsed((await nobody.get("/sign-in", params={"next": told})).text)
    assert {one.attributes["value"] for one in page.all("input", name="next")} == {"/"}


# Pairing this browser.


async def compared(approver: Approver, browser: Browser, page: Element) -> tuple[tuple[str, ...], Element]:
    """Both sides go on until both have words; those on the page."""
    for _ in range(STEPS):
        seen: Pairing = await approver.step()
        answer, page = await step(browser, page)
        assert answer.status_code == 200, answer.text
        words = words_of(seen)
        if words is not None and words_on(page):
            assert words_on(page) == words
            return words, page
    raise AssertionError(page.text)


@pytest.mark.parametrize("by", ["secret", "code"])
async def test_a_browser_is_let_in_by_what_another_device_shows(ada: Browser, stranger: Browser, by: str):
    async with client_of(person_of(ada)) as client:
        approver = client.approver()
        started = await approver.offer("device")
        answer = await stranger.http.post("/pair/claim", data={"credential": getattr(started, by)})
        words, page = await compared(approver, stranger, parsed(answer.text))
        await approver.accept(words)
        answer, _ = await step(stranger, page)
    assert answer.headers["hx-redirect"] == "/"
    assert "HttpOnly" in answer.headers["set-cookie"]
    await stranger.get("/")
    devices = (await person_of(ada).get("/api/devices")).json()["data"]
    assert sum(device["surface"] == "web" for device in devices) == 2


async def test_a_browser_asks_to_be_let_in_and_can_be_declined(ada: Browser, stranger: Browser):
    answer = await stranger.http.post("/pair/request")
    page = parsed(answer.text)
    code = re.sub(r"\s", "", page.one("p", class_="pair-code").text)
    async with client_of(person_of(ada)) as client:
        approver = client.approver()
        await approver.find(code)
        _, page = await compared(approver, stranger, page)
        await approver.decline()
        answer, page = await step(stranger, page)
    assert "declined" in page.text
    assert not stranger.http.cookies
    assert not page.all("form", id="pairing")


async def test_no_words_are_shown_where_the_server_tells_something_else_than_before(ada: Browser, stranger: Browser):
    async with client_of(person_of(ada)) as client:
        approver = client.approver()
        started = await approver.offer("device")
        answer = await stranger.http.post("/pair/claim", data={"credential": started.secret})
        page = parsed(answer.text)
        field = page.one("input", name="state")
        state = json.loads(field.attributes["value"] or "")
        state["first"]["commitment"] = "0" * 64
        answer = await stranger.http.post("/pair/step", data={"state": json.dumps(state)})
    assert "does not add up" in answer.text
    assert not words_on(parsed(answer.text))


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"nonce": 1}', '{"nonce": "x", "device": 3}'])
async def test_a_state_that_is_none_is_refused(stranger: Browser, state: str):
    assert (await stranger.http.post("/pair/step", data={"state": state})).status_code == 400


async def test_a_wrong_code_says_so_beside_the_field(stranger: Browser):
    answer = await stranger.http.post("/pair/claim", data={"credential": "AAAAAAAAAA"})
    assert answer.status_code == 404
    assert parsed(answer.text).one("p", class_="problem")


# A guest.


async def test_a_guest_comes_in_by_the_secret_of_a_link_once(ada: Browser, stranger: Browser):
    person = person_of(ada)
    body: dict[str, Any] = {"name": "Bob", "worker_ids": [person.worker_id]}
    invited = await person.post("/api/guests", body)
    assert invited.status_code == 201, invited.text
    secret = invited.json()["data"]["secret"]
    answer = await stranger.http.post("/guest/enter", data={"credential": secret})
    assert answer.status_code == 303, answer.text
    page = await stranger.get("/")
    assert [one.attributes["id"] for one in page.one(id="rows").all("li")] == [f"row-{person.worker_id}"]
    await stranger.get("/inbox")
    again = await stranger.http.post("/guest/enter", data={"credential": secret})
    assert again.status_code == 401
    assert parsed(again.text).one("p", class_="problem")


async def test_a_guests_form_that_is_sent_again_lets_in_again_and_the_link_in_another_browser_does_not(
    ada: Browser, stranger: Browser
):
    person = person_of(ada)
    invited = await person.post("/api/guests", {"name": "Bob", "worker_ids": [person.worker_id]})
    page, another = await stranger.get("/guest"), await stranger.get("/guest")
    secret = invited.json()["data"]["secret"]
    form, others = (
        {"credential": secret, "verifier": each.one("input", name="verifier").attributes["value"]}
        for each in (page, another)
    )
    assert (await stranger.http.post("/guest/enter", data=form)).status_code == 303
    stranger.http.cookies.clear()  # the answer was lost
    assert (await stranger.http.post("/guest/enter", data=others)).status_code == 401
    assert (await stranger.http.post("/guest/enter", data=form)).status_code == 303
    page = await stranger.get("/")
    assert [one.attributes["id"] for one in page.one(id="rows").all("li")] == [f"row-{person.worker_id}"]


async def test_the_pages_of_links_say_how_to_go_on_without_one(stranger: Browser):
    for path in ("/pair", "/guest"):
        page = await stranger.get(path)
        assert page.one("input", name="credential").attributes["required"] is None
