"""The inbox, a new session, machines, devices and the ways in: on every screen, by day and by night, and by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, expect
from tests.api.contract.conftest import opened
from tests.api.contract.world import Person, World, ask, lease, person
from tests.api.passkeys import expire_step_ups
from tests.browser.screens import LOOKS, Visit, sign_in, visiting

from autopilot.api.settings import Limits
from autopilot.testing.approvals import ANSWERING, ended
from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.e2e

QUESTION: dict[str, Any] = {
    "risk": "high",
    "title": "Push to the remote?",
    "evidence": {
        "command_line": "git push origin main",
        "cwd": "/home/ada/project",
        "reason": "The network is outside of the sandbox.",
        "changes": [{"path": "a.py", "kind": "update", "diff": "@@ -1,2 +1,2 @@\n-old\n+new\n same\n"}],
    },
}
FORM = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "title": "Your name", "description": "As on the badge"},
        "size": {"type": "string", "enum": ["s", "m"]},
        "news": {"type": "boolean", "title": "Newsletter"},
    },
}
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
async def world(cluster: TestCluster) -> AsyncIterator[World]:
    """Nothing of a token is remembered: a proof that is over is over at once."""
    limits = Limits(remember_seconds=0.0, pairing_tries_per_minute=6000.0)
    async with opened("one process", cluster, limits=limits, with_web=True) as made:
        yield made


@dataclass
class Desk:
    """Somebody with a machine that asks, and a browser at `localhost`, which passkeys are for."""

    world: World
    person: Person
    machine: Person
    visit: Visit

    async def ask(self, number: int, **said: Any) -> str:
        return await ask(self.machine, self.person.worker_id, number, **said)

    async def plug_in(self) -> CDPSession:
        """An authenticator that says yes by itself."""
        session = await self.visit.context.new_cdp_session(self.visit.page)
        await session.send("WebAuthn.enable")
        await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        return session


@asynccontextmanager
async def desk(world: World, launched: Browser, look: str = "phone", theme: str = "light") -> AsyncIterator[Desk]:
    somebody = await person(world, "ada")
    machine = await somebody.machine()
    await lease(machine, somebody.worker_id)
    url = world.api.url.replace("127.0.0.1", "localhost")
    async with visiting(launched, url, look, theme) as visit:
        await sign_in(visit, somebody.email, await world.api.code_for(somebody.email))
        yield Desk(world, somebody, machine, visit)


@pytest.fixture
async def ada(world: World, launched: Browser) -> AsyncIterator[Desk]:
    async with desk(world, launched) as made:
        yield made


@pytest.fixture(params=LOOKS, ids="-".join)
async def looking(request: pytest.FixtureRequest, world: World, launched: Browser) -> AsyncIterator[Desk]:
    async with desk(world, launched, *request.param) as made:
        yield made


async def test_every_place(looking: Desk):
    visit = looking.visit
    asked = await looking.ask(1, **QUESTION)
    await looking.ask(2, kind="mcp_form", title="Who are you?", options=ANSWERING, evidence={}, form=FORM)
    over = await looking.ask(3, risk="low")
    await looking.person.post(f"/approvals/{over}/decision", {"option_id": "decline", "message": "Not today"})
    places = {
        "inbox": "/inbox",
        "inbox-one": f"/inbox/{asked}",
        "inbox-over": f"/inbox/{over}",
        "new": "/new",
        "machines": "/machines",
        "machine": f"/machines/{looking.machine.worker_id}",
        "devices": "/devices",
        "pair": "/devices/pair",
        "pair-machine": "/devices/pair?kind=machine",
        "guests": "/devices/guests",
        "delete": "/devices/delete",
        "proof": "/step-up/page?next=/",
    }
    for name, path in places.items():
        await visit.open(path)
        assert not await visit.problems(name)
    await visit.page.get_by_role("button", name="Emergency stop").click()
    await expect(visit.page.get_by_role("heading", name="Stop everything?")).to_be_visible()
    assert not await visit.problems("stop-all")


@pytest.mark.parametrize(("look", "theme"), LOOKS, ids=["-".join(look) for look in LOOKS])
async def test_every_way_in(world: World, launched: Browser, look: str, theme: str):
    async with visiting(launched, world.api.url.replace("127.0.0.1", "localhost"), look, theme) as visit:
        for name, path in {"sign-in": "/sign-in", "join": "/pair", "join-link": "/pair#x", "guest": "/guest"}.items():
            await visit.open("/sign-in", live=False)
            await visit.open(path, live=False)
            assert not await visit.problems(name)
        assert visit.page.url.endswith("/guest")


async def test_a_question_is_answered_with_a_second_tap_and_leaves(ada: Desk):
    asked = await ada.ask(1, **QUESTION)
    await ada.visit.page.clock.install()
    page = await ada.visit.open("/inbox")
    card = page.locator(f"[id='ap-{asked}']")
    await card.get_by_role("button", name="Yes", exact=True).click()
    await card.get_by_role("button", name="Back").click()
    await expect(card.get_by_role("button", name="Yes, I am sure")).to_be_hidden()
    await card.get_by_role("button", name="Yes", exact=True).click()
    await card.get_by_role("button", name="Yes, I am sure").click()
    await expect(card).to_contain_text("Approved by you")
    event = {"event_type": "worker.approval.applied", "payload": ended(asked, "accepted")}
    await ada.machine.post(f"/workers/{ada.person.worker_id}/events", {"event": event})
    await expect(page.locator("#inbox-count")).to_be_hidden()
    await page.mouse.move(0, 0)
    await page.clock.fast_forward(20_000)
    await expect(card).to_be_hidden()
    await expect(page.locator("#screen")).to_be_focused()
    ada.visit.assert_quiet()


async def test_what_was_typed_stays_when_somebody_else_is_faster(ada: Desk):
    asked = await ada.ask(1, risk="low")
    page = await ada.visit.open("/inbox")
    card = page.locator(f"[id='ap-{asked}']")
    await card.get_by_text("Decline with words").click()
    await card.get_by_label("What Codex should do instead").fill("Use a branch of its own")
    await ada.person.post(f"/approvals/{asked}/decision", {"option_id": "accept"})
    await expect(card).to_contain_text("Approved by you")
    await card.get_by_text("What you had typed").click()
    await expect(card.get_by_text("Use a branch of its own")).to_be_visible()


async def test_what_is_being_written_goes_on_in_the_screen_that_is_loaded_anew(ada: Desk):
    page = await ada.visit.open("/devices/guests")
    name = page.get_by_label("Who is it for?")
    await name.press_sequentially("Bob")
    await page.get_by_role("checkbox").first.check()
    await name.focus()
    old = await name.element_handle()
    await page.evaluate("Live.resync()")
    await page.wait_for_function("(old) => !old.isConnected", arg=old)
    await page.keyboard.type("by")
    await expect(name).to_have_value("Bobby")
    await expect(page.get_by_role("checkbox").first).to_be_checked()


async def test_keys_choose_and_answer_and_ask_back(ada: Desk):
    first, second = await ada.ask(1, risk="high"), await ada.ask(2, risk="low")
    page = await ada.visit.open("/inbox")
    await expect(page.locator(f"[id='ap-{second}']")).to_be_visible()
    await page.keyboard.press("j")
    await expect(page.locator(f"[id='ap-{first}']")).to_be_focused()
    await page.keyboard.press("j")
    await page.keyboard.press("d")
    card = page.locator(f"[id='ap-{second}']")
    await expect(card.get_by_role("button", name="Yes, I am sure")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(card).to_contain_text("Declined by you")
    await expect(page.locator(f"[id='ap-{first}']").get_by_role("button", name="Yes", exact=True)).to_be_visible()


async def test_a_passkey_is_made_proves_anew_and_signs_in(ada: Desk):
    await ada.plug_in()
    page = await ada.visit.open("/devices")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.locator("#passkeys li")).to_have_count(1)

    await expire_step_ups(ada.world.api)
    await page.goto(f"{ada.visit.url}/devices/guests")
    await page.get_by_label("Who is it for?").fill("Bob")
    await page.get_by_role("checkbox").first.check()
    await page.get_by_role("button", name="Make a link").click()
    dialog = page.get_by_role("dialog", name="Is it you?")
    await dialog.get_by_role("button", name="Use a passkey").click()
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("heading", name="The link for Bob")).to_be_visible()

    await page.goto(f"{ada.visit.url}/devices")
    await page.get_by_role("button", name="Sign out", exact=True).first.click()
    await page.wait_for_url("**/sign-in")
    await page.get_by_role("button", name="Use a passkey").click()
    await page.wait_for_url(f"{ada.visit.url}/")
    ada.visit.assert_quiet()


async def test_a_passkey_that_is_refused_says_under_which_name_that_is_found(ada: Desk):
    await ada.plug_in()
    page = await ada.visit.open("/devices")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.locator("#passkeys li")).to_have_count(1)
    await ada.world.api.pool.execute("delete from api.passkey where user_id = $1", ada.person.user_id)
    await page.get_by_role("button", name="Sign out", exact=True).first.click()
    await page.wait_for_url("**/sign-in")
    await page.get_by_role("button", name="Use a passkey").click()
    await expect(page.get_by_role("alert")).to_contain_text("(request ")
    assert await ada.visit.problems("passkey-refused") == []


async def test_a_form_that_came_anew_behind_the_proof_is_no_draft_once_it_was_sent(ada: Desk):
    await expire_step_ups(ada.world.api)
    page = await ada.visit.open("/devices/guests")
    await page.get_by_label("Who is it for?").fill("Bob")
    await page.get_by_role("checkbox").first.check()
    await page.get_by_role("button", name="Make a link").click()
    dialog = page.get_by_role("dialog", name="Is it you?")
    await dialog.get_by_role("button", name="Mail me a code").click()
    await expect(dialog.get_by_label("Code")).to_be_focused()
    await page.evaluate("document.getElementById('screen').dataset.before = 'yes'")
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    await expect(page.locator("#screen:not([data-before])")).to_have_count(1)
    await ada.world.api.app.state.api.postman.delivered()
    await dialog.get_by_label("Code").fill(ada.world.api.post.mails[-1].code)
    await dialog.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("heading", name="The link for Bob")).to_be_visible()
    assert await page.evaluate("Object.keys(sessionStorage).filter((one) => one.startsWith('draft.'))") == []


async def test_a_code_proves_anew_and_what_was_typed_is_still_there_after_giving_up(ada: Desk):
    await expire_step_ups(ada.world.api)
    page = await ada.visit.open("/devices/guests")
    await page.get_by_label("Who is it for?").fill("Bob")
    await page.get_by_role("checkbox").first.check()
    await page.get_by_role("button", name="Make a link").click()
    dialog = page.get_by_role("dialog", name="Is it you?")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_label("Who is it for?")).to_have_value("Bob")

    await page.get_by_role("button", name="Make a link").click()
    await dialog.get_by_role("button", name="Mail me a code").click()
    await expect(dialog.get_by_label("Code")).to_be_focused()
    await ada.world.api.app.state.api.postman.delivered()
    await dialog.get_by_label("Code").fill("0000 0000")
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("Request ")
    assert await ada.visit.problems("proof-refused") == []
    await dialog.get_by_label("Code").fill(ada.world.api.post.mails[-1].code)
    await dialog.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("heading", name="The link for Bob")).to_be_visible()


async def test_a_guest_reads_by_the_link_and_has_nothing_to_answer(ada: Desk, launched: Browser):
    asked = await ada.ask(1, risk="low")
    made = await ada.person.post("/api/guests", {"name": "Bob", "worker_ids": [ada.person.worker_id]})
    secret = made.json()["data"]["secret"]
    async with visiting(launched, ada.visit.url) as guest:
        page = await guest.open(f"/guest#{secret}", live=False)
        assert secret not in page.url
        await page.get_by_role("button", name="Have a look").click()
        await expect(page.locator("#rows li")).to_have_count(1)
        page = await guest.open("/inbox")
        card = page.locator(f"[id='ap-{asked}']")
        await expect(card).to_contain_text("Who operates this session can answer")
        await expect(card.get_by_role("button")).to_have_count(0)


async def test_another_browser_is_let_in_after_a_look_at_both(ada: Desk, launched: Browser):
    page = await ada.visit.open("/devices/pair")
    await page.get_by_role("button", name="Show a code").click()
    await expect(page.get_by_text("Or type this code there")).to_be_visible()
    code = await page.get_by_label("Code").inner_text()
    async with visiting(launched, ada.visit.url) as other:
        there = await other.open("/pair", live=False)
        await there.get_by_label("Code").fill(code)
        await there.evaluate("navigator.serviceWorker.ready")
        await expect(there.get_by_label("Code")).to_have_value(code)  # its first installation takes nothing away
        await there.get_by_role("button", name="Pair this browser").click()
        words = page.get_by_role("list", name="Words to compare")
        await expect(words).to_be_visible()
        await expect(there.get_by_role("list", name="Words to compare")).to_be_visible()
        assert await words.inner_text() == await there.get_by_role("list", name="Words to compare").inner_text()
        await page.get_by_role("button", name="Yes, let it in").click()
        await there.wait_for_url(f"{ada.visit.url}/")
        await expect(there.locator("#rows li")).to_have_count(1)
        await expect(page.get_by_text("It is in.")).to_be_visible()
        other.assert_quiet()
    ada.visit.assert_quiet()
