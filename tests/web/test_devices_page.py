"""Devices, passkeys, letting in, guests, and the end of an account, from a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from tests.api.contract.world import Person, World
from tests.api.passkeys import Passkeyed, expire_step_ups, origin
from tests.authenticator import SoftPasskey
from tests.web.browser import Browser, Element, parsed
from tests.web.desk import person_of

from autopilot.client import Joiner, MemoryTokenStore
from autopilot.client.http import Http
from autopilot.client.pairing_words import words_of
from autopilot.contract import PairingDevice

STEPS = 20


async def devices_of(person: Person) -> list[dict[str, str]]:
    return (await person.get("/api/devices")).json()["data"]


async def screen(browser: Browser, path: str, fields: dict[str, str] | None = None, *, status: int = 200) -> Element:
    answer = await browser.post(path, fields)
    assert answer.status_code == status, answer.text
    return parsed(answer.text)


async def test_devices_are_listed_renamed_and_signed_out(ada: Browser):
    person = person_of(ada)
    page = await ada.get("/devices")
    rows = page.all("ul", class_="lines")
    assert len(rows[0].all("li")) == 1  # this one
    other = next(one for one in await devices_of(person) if one["surface"] != "web")
    page = await screen(ada, f"/devices/{other['device_id']}/rename", {"name": "Old phone"})
    assert "Old phone" in page.text
    page = await screen(ada, f"/devices/{other['device_id']}/revoke")
    assert "It is signed out." in page.text
    assert (await person.get("/api/me")).status_code == 401


async def test_all_others_are_signed_out_at_once_and_this_one_stays(ada: Browser):
    page = await screen(ada, "/devices/revoke-others")
    assert "1 device is signed out." in page.text
    assert (await person_of(ada).get("/api/me")).status_code == 401
    await ada.get("/devices")


async def test_somebody_elses_device_is_none_of_ones_own(ada: Browser, eve: Browser):
    device = (await devices_of(person_of(ada)))[0]
    await screen(eve, f"/devices/{device['device_id']}/revoke", status=404)
    assert len(await devices_of(person_of(ada))) == 2


async def test_a_passkey_is_made_renamed_and_removed(world: World, ada: Browser):
    headers = {"x-csrf": await ada.proof(), "hx-request": "true"}
    asked = (await ada.http.post("/devices/passkeys/options", json={}, headers=headers)).json()
    made = SoftPasskey(origin(world.api)).create(asked["options"])
    body = {"ceremony": asked["ceremony"], "credential": made}
    page = parsed((await ada.http.post("/devices/passkeys", json=body, headers=headers)).text)
    row = page.one("section", id="passkeys").one("ul").one("li")
    path = row.all("form")[0].attributes["hx-post"] or ""
    page = await screen(ada, path, {"name": "Laptop"})
    assert page.one("li").one("b").text == "Laptop"
    page = await screen(ada, path.replace("/rename", "/remove"))
    assert not page.all("li")
    again = await ada.http.post("/devices/passkeys", json=body, headers=headers)
    assert again.status_code == 422
    assert again.json()["error"]


async def test_what_takes_a_fresh_proof_says_so_to_scripts(world: World, ada: Browser):
    await Passkeyed(world.api, person_of(ada).token).registered(SoftPasskey(origin(world.api)))
    await expire_step_ups(world.api)
    device = next(one for one in await devices_of(person_of(ada)) if one["surface"] == "web")
    assert device
    answer = await ada.post("/devices/delete", {"word": "delete"})
    assert (answer.status_code, answer.headers["x-step-up"], answer.headers["hx-reswap"]) == (403, "required", "none")
    await ada.get("/devices")


# Letting in.


@pytest.fixture
async def phone(world: World) -> AsyncIterator[Joiner]:
    http = Http(world.api.url, tokens=None, surface="ios")
    yield Joiner(http, PairingDevice(device_name="Phone", device_platform="iOS 26"))
    await http.aclose()


async def step(browser: Browser, page: Element) -> Element:
    form = page.one("form", id="pairing")
    return await screen(browser, form.attributes["hx-post"] or "", {"state": state_of(form)})


def state_of(form: Element) -> str:
    return form.one("input", name="state").attributes["value"] or ""


async def words_on_both(browser: Browser, page: Element, phone: Joiner) -> Element:
    """Both go on until the page asks."""
    for _ in range(STEPS):
        seen = words_of(await phone.step())
        if page.all("form", id="pairing"):
            page = await step(browser, page)
        shown = tuple(one.text for found in page.all("ol", class_="pair-words") for one in found.all("li"))
        if shown and seen:
            assert shown == seen
            return page
    raise AssertionError(page.text)


async def decide(browser: Browser, page: Element, accept: str) -> Element:
    form = next(one for one in page.all("form") if one.attributes.get("hx-post") == "/devices/pair/decide")
    words = form.one("input", name="words").attributes["value"] or ""
    return await screen(browser, "/devices/pair/decide", {"state": state_of(form), "words": words, "accept": accept})


async def test_a_phone_comes_in_by_the_code_that_is_shown_here(ada: Browser, phone: Joiner):
    page = await screen(ada, "/devices/pair/offer")
    await phone.claim(page.one("p", class_="pair-code").text)
    page = await words_on_both(ada, page, phone)
    assert "Phone wants to come in (iOS 26" in page.text
    page = await decide(ada, page, "yes")
    await phone.collect(MemoryTokenStore())
    page = await step(ada, page)
    assert "It is in." in page.text
    assert "Phone" in {one["name"] for one in await devices_of(person_of(ada))}


async def test_a_phone_that_shows_a_code_can_be_declined(ada: Browser, phone: Joiner):
    started = await phone.request("device")
    page = await screen(ada, "/devices/pair/find", {"credential": started.code, "kind": "device"})
    page = await words_on_both(ada, page, phone)
    page = await decide(ada, page, "no")
    assert "It was not let in." in page.text
    assert (await phone.step()).state == "declined"


async def test_a_wrong_code_is_said_and_a_machine_is_told_what_to_type(ada: Browser):
    page = await screen(ada, "/devices/pair/find", {"credential": "AAAAAAAAAA", "kind": "machine"})
    assert "No such code" in page.text
    assert f"autopilot machine enroll {ada.world.api.url}" in page.text
    assert (await ada.post("/devices/pair/step", {"state": "x"})).status_code == 400


# Guests.


async def test_a_guest_is_shown_a_session_by_a_link_that_is_said_once(ada: Browser):
    person = person_of(ada)
    fields = {"name": "Bob", "worker": person.worker_id, "expires_in": "3600"}
    page = await screen(ada, "/devices/guests", fields)
    link = page.one("input", id="guest-link").attributes["value"] or ""
    assert link.startswith(f"{person.world.api.url}/guest#")
    assert not (await ada.get("/devices/guests")).all("input", id="guest-link")
    async with httpx2.AsyncClient(base_url=person.world.api.url, trust_env=False) as http:
        entered = await http.post("/guest/enter", data={"credential": link.partition("#")[2]})
        assert entered.status_code == 303
        page = await screen(ada, "/devices/guests/x/revoke", status=404)
        path = (await ada.get("/devices/guests")).one("details", class_="sure").one("form").attributes["action"] or ""
        await screen(ada, path)
        assert (await http.get("/inbox")).status_code == 303


async def test_a_guest_has_no_account_to_look_after_here(ada: Browser):
    person = person_of(ada)
    made = await person.post("/api/guests", {"name": "Bob", "worker_ids": [person.worker_id]})
    async with httpx2.AsyncClient(base_url=person.world.api.url, trust_env=False) as http:
        await http.post("/guest/enter", data={"credential": made.json()["data"]["secret"]})
        for path in ("/devices", "/devices/guests", "/machines", "/new"):
            assert (await http.get(path)).status_code == 403, path


# The end.


async def test_deleting_the_account_takes_the_word_and_ends_everything(ada: Browser):
    page = await screen(ada, "/devices/delete", {"word": "yes"}, status=422)
    assert "Type delete" in page.text
    answer = await ada.post("/devices/delete", {"word": "delete"})
    assert answer.headers["hx-redirect"] == "/sign-in"
    assert "storage" in answer.headers["clear-site-data"]
    assert (await ada.http.get("/devices")).status_code == 303
    assert (await person_of(ada).get("/api/me")).status_code == 401
