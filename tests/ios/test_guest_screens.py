"""Guests on the phone, over a real server: who looks on, a link for chosen sessions, and its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.api.contract.world import Person, World
from tests.ios.apps import running, signed_in
from tests.ios.phone import Phone, phone
from tests.ios.test_places import at, keys, to
from tests.ios.test_proof_asked_for import held as long_signed_in
from tests.waiting import until

pytestmark = pytest.mark.slow


async def guests(ada: Person) -> list[dict]:
    return (await ada.get("/api/guests")).json()["data"]


@asynccontextmanager
async def opened(world: World, ada: Person, storage: Path) -> AsyncIterator[Phone]:
    async with at("devices", world, ada, storage) as held:
        await until(lambda: held.has("guests"), within_seconds=30)
        await held.tap("guests")
        await until(lambda: held.has("invite"), within_seconds=30)
        yield held


async def fills_in(held: Phone, worker_id: str) -> None:
    await held.tap("invite")
    await until(lambda: held.has(f"show-{worker_id}"), within_seconds=30)
    await held.type("guest-name", "Grace")
    await held.tap(f"show-{worker_id}")
    await held.tap("for-3600")


async def test_a_link_is_made_for_chosen_sessions_shared_and_taken_back(world: World, ada: Person, tmp_path: Path):
    other = await ada.open_worker()
    async with opened(world, ada, tmp_path) as held:
        await held.waits_for("Nobody looks over your shoulder.")
        await held.tap("invite")
        await until(lambda: held.has(f"show-{other}"), within_seconds=30)
        assert held.find("make-link").disabled
        await held.type("guest-name", "Grace")
        assert held.find("make-link").disabled
        await held.tap(f"show-{other}")
        await held.tap(f"show-{ada.worker_id}")
        await held.tap(f"show-{ada.worker_id}")
        await held.tap("for-3600")
        await held.tap("make-link")
        await held.waits_for("The link for Grace")
        (made,) = await guests(ada)
        assert made["worker_ids"] == [other]
        link = held.find("guest-link").value
        assert "/guest#" in link
        await held.tap("share")
        assert ("share_text", link) in [(name, said.get("text")) for name, said in held.wire.asked]
        await held.tap("copy")
        assert any(name == "set" and link in said.values() for name, said in held.wire.asked)

        await held.tap(f"guest-{made['guest_id']}")
        await held.tap("sure-no")
        assert len(await guests(ada)) == 1
        await held.tap(f"guest-{made['guest_id']}")
        await held.tap("sure-yes")
        await held.waits_for("They read nothing more.")
        assert await guests(ada) == []
        assert link not in "".join(held.secrets.values())


async def test_what_was_ended_elsewhere_is_said_and_shown_no_more(world: World, ada: Person, tmp_path: Path):
    body = {"name": "Grace", "worker_ids": [ada.worker_id]}
    guest_id = (await ada.post("/api/guests", body)).json()["data"]["guest"]["guest_id"]
    async with opened(world, ada, tmp_path) as held:
        await until(lambda: held.has(f"guest-{guest_id}"), within_seconds=30)
        assert held.shows("Has not come yet")
        assert (await ada.post(f"/api/guests/{guest_id}/revoke")).status_code == 200
        await held.tap(f"guest-{guest_id}")
        await held.tap("sure-yes")
        await until(lambda: held.has("trouble") and not keys(held, "guest-"), within_seconds=30)


async def test_who_has_no_session_can_show_none(world: World, tmp_path: Path):
    secrets = await signed_in(world, "nothing-to-show@example.org", tmp_path)
    held = phone(secrets=secrets)
    async with running(held, tmp_path):
        await held.waits_for("No workers yet")
        await to(held, "devices")
        await until(lambda: held.has("guests"), within_seconds=30)
        await held.tap("guests")
        await held.waits_for("There is no session of your own to show yet.")
        assert not held.has("invite")


async def test_letting_somebody_look_on_takes_a_proof_and_what_was_chosen_stays_without_it(
    world: World, ada: Person, tmp_path: Path
):
    async with long_signed_in(world, ada, tmp_path) as owner:
        held = owner.phone
        await to(held, "devices")
        await until(lambda: held.has("guests"), within_seconds=30)
        await held.tap("guests")
        await until(lambda: held.has("invite"), within_seconds=30)
        await fills_in(held, ada.worker_id)
        owner.taps("make-link")
        await held.waits_for("Is it you?")
        await held.tap("step-up-cancel")
        await owner.is_over()
        await until(lambda: held.has("trouble"), within_seconds=30)
        assert held.find("guest-name").value == "Grace"
        owner.taps("make-link")
        await owner.proves()
        await held.waits_for("The link for Grace")
