"""The app as a whole, on a phone: what it shows from the first moment on, and when things go wrong."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.api.contract.world import Person, World, ask, lease, person
from tests.ios.apps import signed_in
from tests.ios.opening import running
from tests.ios.phone import PAD, PHONE, phone
from tests.waiting import until

from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy

pytestmark = pytest.mark.slow


def has_cache(storage: Path) -> bool:
    return any(storage.glob("*.sqlite*"))


async def test_the_list_shows_what_is_there_and_what_changes(world: World, ada: Person, tmp_path: Path):
    held = phone(secrets=await signed_in(world, ada.email, tmp_path))
    async with running(held, tmp_path):
        await until(lambda: held.has(f"worker-{ada.worker_id}"))
        other = await ada.open_worker()
        await until(lambda: held.has(f"worker-{other}"))
        machine = await ada.machine()
        await lease(machine, other)
        await ask(machine, other)
        await held.waits_for("laptop")
        await until(lambda: held.page.views[-1].navigation_bar.destinations[0] is not None)


async def test_a_search_finds_and_says_when_nothing_fits(world: World, ada: Person, tmp_path: Path):
    held = phone(secrets=await signed_in(world, ada.email, tmp_path))
    wanted = await ada.open_worker(workspace_ref="desktop:///work/alpha")
    async with running(held, tmp_path):
        await until(lambda: held.has(f"worker-{wanted}"))
        await held.type("search", "alpha")
        await until(lambda: held.has(f"worker-{wanted}") and not held.has(f"worker-{ada.worker_id}"))
        await held.type("search", "nothing of this")
        await held.waits_for("Nothing here fits")
        await held.tap("show-all")
        await until(lambda: held.has(f"worker-{ada.worker_id}"))


async def test_somebody_without_workers_is_told_what_to_do(world: World, tmp_path: Path):
    held = phone(secrets=await signed_in(world, "new@example.org", tmp_path))
    async with running(held, tmp_path):
        await held.waits_for("No workers yet")


async def test_a_session_that_was_revoked_elsewhere_leads_back_and_leaves_nothing(
    world: World, ada: Person, tmp_path: Path
):
    held = phone(secrets=await signed_in(world, ada.email, tmp_path))
    async with running(held, tmp_path):
        await until(lambda: held.has(f"worker-{ada.worker_id}"))
        answer = await ada.post("/api/devices/revoke-others")
        assert answer.status_code == 200, answer.text
        await held.waits_for("Where is your Autopilot server?")
    assert held.secrets == {}
    assert not has_cache(tmp_path)


async def test_who_signed_out_sees_nothing_of_it_again_whatever_becomes_of_the_phone(
    world: World, ada: Person, tmp_path: Path
):
    held = phone(size=PAD, secrets=await signed_in(world, ada.email, tmp_path))
    async with running(held, tmp_path):
        await until(lambda: held.has(f"worker-{ada.worker_id}"))
        await held.tap("filters")
        assert any(dialog.open for dialog in held.page._dialogs.controls)
        answer = await ada.post("/api/devices/revoke-others")
        assert answer.status_code == 200, answer.text
        await held.waits_for("Where is your Autopilot server?")
        assert not any(dialog.open for dialog in held.page._dialogs.controls)
        for state in ("hide", "pause", "resume", "show"):  # to look for the code in one's mail, and back
            await held.fire(held.page, "app_lifecycle_state_change", {"state": state})
        held.page.width = PHONE[0]
        await held.fire(held.page, "resize", {"width": PHONE[0], "height": PHONE[1]})
        await held.fire(held.page, "view_pop", {"route": "/workers"})
        assert [view.route for view in held.page.views] == ["/welcome"]
        assert held.shows("Where is your Autopilot server?")


async def test_a_start_without_network_shows_what_was_known_last_and_says_so(world: World, tmp_path: Path):
    ada = await person(world, "ada")
    fault = HEALTHY
    at = urlsplit(world.api.url)
    async with FaultProxy(at.hostname or "", at.port or 0, lambda _number: fault) as proxy:
        secrets = await signed_in(world, ada.email, tmp_path, proxy.url)
        first = phone(secrets=secrets)
        async with running(first, tmp_path):
            await until(lambda: first.has(f"worker-{ada.worker_id}"))
            news = await ada.open_worker()
            await until(lambda: first.has(f"worker-{news}"))  # after all that there was: half a list is not remembered
            await first.fire(first.page, "app_lifecycle_state_change", {"state": "pause"})
        fault = Fault("refuse")
        again = phone(secrets=secrets)
        async with running(again, tmp_path):
            await until(lambda: again.has(f"worker-{ada.worker_id}"))
            await again.waits_for("showing what was known")
            fault = HEALTHY
            await again.fire(again.page, "app_lifecycle_state_change", {"state": "resume"})
            await until(lambda: not again.shows("showing what was known"))


async def test_a_pad_has_the_list_and_a_place_beside_it(world: World, ada: Person, tmp_path: Path):
    held = phone(size=PAD, secrets=await signed_in(world, ada.email, tmp_path))
    async with running(held, tmp_path):
        await until(lambda: held.has(f"worker-{ada.worker_id}"))
        assert held.shows("Nothing chosen")
