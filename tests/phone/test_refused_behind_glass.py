"""What a real server refuses because somebody was quicker, as a person reads it on the glass.

The screen still offers what was allowed when it was drawn; the change happens elsewhere while the call is on its way.
"""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Browser, expect
from tests.api.contract.conftest import opened
from tests.api.contract.test_team_roles import shared
from tests.api.contract.world import Person, person
from tests.ios.apps import signed_in
from tests.ios.desk import Cuts
from tests.phone.glass import glass, served
from tests.phone.test_places_behind_glass import Inside, app

from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.e2e
WORDS = "Run the tests again"


def quicker(way: Cuts, path: str, owner: Person, call: str, body: dict[str, object]) -> None:
    """Once, before a request arrives whose path ends so, the owner has done this."""

    async def before(request: httpx2.Request) -> None:
        if request.method == "POST" and request.url.path.endswith(path):
            way.before = nothing
            answer = await owner.post(call, body)
            assert answer.is_success, answer.text

    way.before = before


async def nothing(_request: httpx2.Request) -> None:
    """Nobody is quicker."""


async def of(member: Person, worker_id: str) -> list[str]:
    """What the ledger holds of this one."""
    log = (await member.get(f"/workers/{worker_id}/events?limit=500")).json()["data"]
    return [one["eventType"] for one in log if one["actor"] and one["actor"]["user_id"] == member.user_id]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_who_became_a_viewer_and_whose_session_was_stopped_reads_why_and_keeps_the_words(
    launched: Browser, cluster: TestCluster, tmp_path: Path, theme: str
):
    inside, way = Inside(), Cuts()
    async with opened("one process", cluster) as world:
        ada = await person(world, "ada")
        case = await shared(ada)
        member = case.team["operator"]
        role = f"/api/teams/{case.team_id}/members/{member.user_id}/role"
        secrets = await signed_in(world, member.email, tmp_path / "app")
        async with (
            served(app(world, secrets, tmp_path, inside, way), tmp_path) as url,
            glass(launched, "phone", theme) as held,
        ):
            await held.switch_on(url)
            await held.sees("What was used, and what is left")
            assert inside.ways is not None
            inside.ways.worker(case.worker_id)
            field, send = held.page.get_by_role("textbox"), held.button("Send")
            await held.write(field.last, WORDS)
            quicker(way, "/requests", ada, role, {"role": "viewer"})
            await send.last.click()
            await held.sees("You may look here, but not change anything.")
            await held.sees("You may watch this worker.")
            await expect(field).to_have_count(0)
            await held.picture("refused-viewer")
            assert (await ada.post(role, {"role": "operator"})).status_code == 200
            await field.last.click()  # what is in a field is said while it is touched
            await expect(held.page.locator(":focus")).to_have_value(WORDS)
            await expect(held.button("Send again")).to_have_count(0)
            await held.picture("refused-edit")
            await held.button("Edit").click()
            await expect(held.button("Dismiss")).to_have_count(0)
            await field.last.click()
            await expect(held.page.locator(":focus")).to_have_value(WORDS)
            quicker(way, "/requests", ada, f"/workers/{case.worker_id}/stop", {"reason": "Enough", "force": True})
            await send.last.click()
            await held.sees("This session is stopped.")
            await held.sees("Open it again")
            await held.picture("refused-stopped")
            assert await of(member, case.worker_id) == []
            assert held.complaints == []
