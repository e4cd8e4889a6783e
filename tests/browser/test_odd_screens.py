"""Screens as nobody plans them: with nothing on them, with words that never end, and of what is not there."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect
from tests.api.contract.test_team_roles import shared
from tests.api.contract.world import Person, World, ask, lease, person
from tests.browser.screens import Visit, sign_in, visiting
from tests.browser.test_places import QUESTION

pytestmark = pytest.mark.e2e
TWO_LOOKS = [("phone", "light"), ("wide", "dark")]
WORDS = "Rewrite the whole authentication and session handling so that every refresh token rotates, " * 3
WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
REASON_CHARACTERS = 255
EMPTY = ("/", "/inbox", "/new", "/machines", "/spend", "/teams", "/devices/guests", "/audit?text=nothing-fits")


async def endless(ada: Person) -> str:
    """A worker whose every word is too long, beside others; its id."""
    machine = await ada.machine()
    for title in (WORD, "Fix the failing test", WORDS):
        worker_id = await ada.open_worker(workspace_ref=f"desktop:///home/ada/{WORD}")
        await lease(machine, worker_id)
        named = {"threadId": "t", "threadName": title}
        await machine.append(worker_id, source="autopilot-desktop", method="thread/name/updated", params=named)
        for number, text in enumerate((WORDS, WORD, f"`{WORD}`")):
            item = {"type": "agentMessage", "id": f"m{number}", "text": text}
            params = {"threadId": "t", "turnId": "u", "item": item}
            await machine.append(worker_id, source="autopilot-desktop", method="item/completed", params=params)
    await ask(machine, worker_id, 1, **QUESTION)
    await ask(machine, worker_id, 2, risk="low", title=WORD, evidence={"command_line": WORD * 3, "reason": WORDS})
    answer = await ada.post(f"/workers/{worker_id}/stop", {"reason": WORDS[:REASON_CHARACTERS]})
    assert answer.status_code == 202, answer.text
    return worker_id


async def signed_in(world: World, visit: Visit, email: str) -> None:
    await sign_in(visit, email, await world.api.code_for(email))


@pytest.mark.parametrize(("look", "theme"), TWO_LOOKS, ids=["-".join(look) for look in TWO_LOOKS])
async def test_words_that_never_end_fit(world: World, launched: Browser, look: str, theme: str):
    ada = await person(world, "ada")
    worker_id = await endless(ada)
    paths = {"workers": "/", "worker": f"/w/{worker_id}", "details": f"/w/{worker_id}/details", "inbox": "/inbox"}
    problems: list[str] = []
    async with visiting(launched, world.api.url, look, theme) as visit:
        await signed_in(world, visit, ada.email)
        for name, path in {**paths, "machines": "/machines", "audit": "/audit"}.items():
            await visit.open(path)
            problems += await visit.problems(f"endless-{name}")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(("look", "theme"), TWO_LOOKS, ids=["-".join(look) for look in TWO_LOOKS])
async def test_where_there_is_nothing_it_says_so(world: World, launched: Browser, look: str, theme: str):
    problems: list[str] = []
    async with visiting(launched, world.api.url, look, theme) as visit:
        await signed_in(world, visit, f"new-{look}@example.org")
        for path in EMPTY:
            await visit.open(path)
            problems += await visit.problems(
                f"empty-{path.partition('?')[0].strip('/').replace('/', '-') or 'workers'}"
            )
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(("look", "theme"), TWO_LOOKS, ids=["-".join(look) for look in TWO_LOOKS])
async def test_what_is_found_by_its_name(world: World, launched: Browser, look: str, theme: str):
    ada = await person(world, "ada")
    case = await shared(ada)
    await ada.post(f"/api/teams/{case.team_id}/invitations", {"email": "dora@example.org", "role": "viewer"})
    asked = {"request": {"request_id": "r2", "method": "turn/start", "params": {"input": []}}}
    await ada.post(f"/workers/{case.worker_id}/requests?wait_ms=0", asked, headers={"x-request-id": f"x-{look}"})
    for version, text in enumerate(("", '[sandbox]\nallow = ["read-only"]\n')):
        policy = {"subject": "user", "format": "toml", "text": text, "expected_version": version}
        answer = await ada.post("/policies", policy)
        assert answer.status_code == 200, answer.text
    paths = {
        "team": f"/teams/{case.team_id}",
        "team-join": "/teams/join",
        "receipt": f"/w/{case.worker_id}/receipts/r2",
        "item": f"/w/{case.worker_id}/items/3",
        "trace-found": f"/trace/x-{look}",
        "policy-installation": "/policy?subject=installation",
        "policy-version": "/policy?subject=user&version=2",
        "policy-team": f"/policy?subject=team&team={case.team_id}",
    }
    problems: list[str] = []
    async with visiting(launched, world.api.url, look, theme) as visit:
        await signed_in(world, visit, ada.email)
        for name, path in paths.items():
            await visit.open(path, live=name != "team-join")
            problems += await visit.problems(name)
    assert not problems, "\n".join(problems)


async def test_what_is_not_there_or_not_ones_own_says_so_and_leads_on(world: World, launched: Browser):
    bob = await person(world, "bob")
    told = {
        "/w/nothing": "There is no such session",
        "/nothing": "This is not here (any more)",
        f"/w/{bob.worker_id}": "This is not shared with you",
    }
    async with visiting(launched, world.api.url, "phone", "dark") as visit:
        await signed_in(world, visit, "carol@example.org")
        for number, (path, words) in enumerate(told.items()):
            page = await visit.open(path, live=False)
            await expect(page.get_by_role("heading", name=words)).to_be_visible()
            assert await visit.problems(f"missing-{number}") == []
            await page.get_by_role("link", name="All workers").click()
            await expect(page.get_by_role("heading", name="No workers yet")).to_be_visible()
