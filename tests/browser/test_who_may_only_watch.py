"""A viewer's screens in Chromium offer nothing that is refused then, also beside what others sent."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser, Page, expect
from tests.api.contract.test_team_roles import Shared, shared
from tests.api.contract.world import World, person
from tests.browser.screens import Visit, sign_in, visiting
from tests.browser.served import server

from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.slow


@pytest.fixture
async def crew(cluster: TestCluster, launched: Browser) -> AsyncIterator[tuple[Shared, dict[str, Visit]]]:
    """An operator and a viewer, each at a browser, before the same worker, whose machine is away."""
    async with AsyncExitStack() as stack:
        world: World = await stack.enter_async_context(server(cluster))
        ada = await person(world, "ada")
        case = await shared(ada)
        visits = {}
        for role in ("operator", "viewer"):
            visits[role] = visit = await stack.enter_async_context(visiting(launched, world.api.url))
            await sign_in(visit, case.team[role].email, await world.api.code_for(case.team[role].email))
            await visit.open(f"/w/{case.worker_id}")
        yield case, visits


async def test_a_viewer_is_not_offered_to_take_back_what_others_asked_nor_to_answer(
    crew: tuple[Shared, dict[str, Visit]],
):
    case, visits = crew
    sent = {"request": {"request_id": "r-away", "method": "turn/start", "params": {"input": []}}}
    asked = await case.team["operator"].post(f"/workers/{case.worker_id}/requests?wait_ms=0", sent)
    assert asked.status_code == 202, asked.text

    for role, visit in visits.items():
        page: Page = visit.page
        await page.goto(f"{visit.url}/w/{case.worker_id}/receipts/r-away")
        await expect(page.get_by_text("Waiting for the machine").first).to_be_visible()
        await expect(page.get_by_role("button", name="Take back")).to_have_count(1 if role == "operator" else 0)
        await page.goto(f"{visit.url}/w/{case.worker_id}")
        await expect(page.locator("#timeline article").last).to_be_visible()
        answer = page.locator("#timeline").get_by_role("link", name="Answer", exact=True)
        await expect(answer).to_have_count(0)
        await page.get_by_role("button", name="More about this worker").click()
        menu = page.get_by_role("group", name="More about this worker")
        await expect(menu.get_by_role("button", name="Connect")).to_have_count(1 if role == "operator" else 0)
        await expect(menu.get_by_role("link", name=re.compile("Details"))).to_be_visible()
        assert await visit.problems(f"{role}-menu") == []
