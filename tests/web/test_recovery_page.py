"""Somebody comes in without a passkey: every open tab says so at once, and the way out of it works."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.api.contract.world import Person, World
from tests.api.passkeys import Passkeyed, origin
from tests.authenticator import SoftPasskey
from tests.web.browser import Browser, Element, parsed, sign_in
from tests.web.desk import person_of

Frames = AsyncIterator[tuple[str, Any]]


async def guarded(world: World, person: Person) -> None:
    """Their account has a passkey from now on."""
    await Passkeyed(world.api, person.token).registered(SoftPasskey(origin(world.api)))


async def comes(world: World, email: str, name: str = "Somewhere") -> dict[str, Any]:
    """Somebody signs in by mail; the device that is held for it."""
    code = await world.api.code_for(email)
    answer = await world.api.client.post("/api/auth/verify", json={"email": email, "code": code, "device_name": name})
    assert answer.status_code == 200, answer.text
    token = answer.json()["token"]
    me = await world.api.client.get("/api/me", headers={"authorization": f"Bearer {token}"})
    assert me.json()["device"]["held_until"]
    return {**me.json()["device"], "token": token}


async def banner(frames: Frames, held: int) -> Element:
    """The banner, once it tells of so many."""
    async for event, data in frames:
        if event == "put" and data["id"] == "held":
            shown = parsed(data["html"])
            if len(shown.all("li")) == held:
                return shown
    raise AssertionError("the stream has ended")


@pytest.mark.parametrize(("way", "words"), [("refuse", "refused and signed out"), ("confirm", "It is confirmed")])
async def test_an_open_tab_is_told_of_who_came_in_and_of_the_end_of_it(
    world: World, ada: Browser, way: str, words: str
):
    await guarded(world, person_of(ada))
    async with ada.live() as frames:
        await banner(frames, 0)
        came = await comes(world, person_of(ada).email)
        said = await banner(frames, 1)
        assert "Somebody recovered access to this account without a passkey" in said.text
        assert "Somewhere (SDK, from 127.0.0.1)" in said.text
        since, until = (one.attributes["datetime"] or "" for one in said.all("time"))
        assert since[:16] == came["created_at"][:16]
        assert until == came["held_until"]
        form = said.one("form")
        assert form.attributes["hx-post"] == f"/recovery/{came['device_id']}/refuse"
        answer = await ada.post((form.attributes["hx-post"] or "").replace("refuse", way))
        assert answer.headers["hx-push-url"] == "/recovery"
        assert words in parsed(answer.text).text
        await banner(frames, 0)
    signed_in = (
        await world.api.client.get("/api/me", headers={"authorization": f"Bearer {came['token']}"})
    ).status_code
    assert signed_in == (401 if way == "refuse" else 200)


async def test_a_tab_that_opens_meanwhile_is_told_first_of_all_and_many_do_not_fill_the_screen(
    world: World, ada: Browser
):
    await guarded(world, person_of(ada))
    for number in range(4):
        await comes(world, person_of(ada).email, f"Place {number}")
    async with ada.live() as frames:
        said = await banner(frames, 3)
    assert "Place 3" in said.text
    assert "Place 1" not in said.text
    assert said.all("li")[-1].text == "2 more devices are held"
    page = await ada.get("/recovery")
    assert len(page.all("section", class_="block")) == 4


async def test_who_is_held_is_told_of_themselves_and_may_refuse_nobody(world: World, ada: Browser):
    await guarded(world, person_of(ada))
    other = await comes(world, person_of(ada).email)
    thief = await sign_in(world, person_of(ada).email)
    async with thief.live() as frames:
        said = await banner(frames, 2)
    assert "You came in here without a passkey" in said.text
    assert len(said.all("form")) == 1
    page = await thief.get("/recovery")
    assert page.all("a", href="/step-up/page")
    refused = await thief.post(f"/recovery/{other['device_id']}/refuse")
    assert refused.status_code == 403
    await thief.http.aclose()


async def test_nobody_is_told_of_somebody_elses(world: World, ada: Browser, eve: Browser):
    await guarded(world, person_of(ada))
    came = await comes(world, person_of(ada).email)
    async with eve.live() as frames:
        await banner(frames, 0)
    page = await eve.get("/recovery")
    assert "Nobody is held who came in without a passkey." in page.text
    assert (await eve.post(f"/recovery/{came['device_id']}/refuse")).status_code == 404
    assert (await ada.get("/recovery")).one("section", class_="block")
