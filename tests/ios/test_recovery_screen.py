"""Somebody comes in without a passkey: every screen of the phone says so, and the way out of it works."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import flet as ft
import pytest
from tests.api.contract.world import Person, World
from tests.ios.apps import running, signed_in
from tests.ios.phone import PAD, PHONE, Phone, phone
from tests.ios.test_places import keys, to
from tests.waiting import until
from tests.web.test_recovery_page import comes, guarded

from autopilot.client.keychain import Kept

pytestmark = pytest.mark.slow
BANNER = "Somebody recovered access to this account without a passkey"


@asynccontextmanager
async def app(
    world: World, ada: Person, storage: Path, *, size: tuple[float, float] = PHONE, **kept: str
) -> AsyncIterator[Phone]:
    """The app of somebody whose account has a passkey by now."""
    held = phone(size=size, secrets=await signed_in(world, ada.email, storage))
    held.secrets.update(kept)
    await guarded(world, ada)
    async with running(held, storage):
        await until(lambda: held.has(f"worker-{ada.worker_id}"))
        yield held


async def is_signed_in(world: World, token: str) -> bool:
    answer = await world.api.client.get("/api/me", headers={"authorization": f"Bearer {token}"})
    return answer.status_code == 200


async def test_who_comes_in_is_told_on_every_screen_and_refused_in_two_taps(world: World, ada: Person, tmp_path: Path):
    async with app(world, ada, tmp_path) as held:
        assert not held.has("held")
        came = await comes(world, ada.email, "A laptop in another town")
        await held.waits_for(BANNER)
        await held.waits_for("A laptop in another town (SDK, from 127.0.0.1)")
        await to(held, "settings")
        assert held.has("held")

        await held.tap("held-refuse")
        await held.waits_for("It sees and steers your sessions until then")
        assert not held.has("held"), "the screen itself says it"
        await held.waits_for("Refuse A laptop in another town?")
        await held.tap("sure-no")
        assert await is_signed_in(world, came["token"])
        await held.tap(f"refuse-{came['device_id']}")
        await held.tap("sure-yes")
        await held.waits_for("It is refused and signed out.")
        await held.waits_for("Nobody is held who came in without a passkey.")
        assert not await is_signed_in(world, came["token"])

        await held.fire(held.page, "view_pop", {"route": "/recovery"})
        await until(lambda: held.has("sign-out") and not held.has("held"), within_seconds=30)


async def test_what_is_ones_own_is_confirmed_with_a_code_and_held_no_longer(world: World, ada: Person, tmp_path: Path):
    async with app(world, ada, tmp_path) as held:
        came = await comes(world, ada.email)
        await held.waits_for(BANNER)
        await to(held, "devices")
        await until(lambda: held.has("recovery"), within_seconds=30)
        await held.tap("recovery")
        await until(lambda: held.has(f"confirm-{came['device_id']}"), within_seconds=30)
        await held.tap(f"confirm-{came['device_id']}")
        await held.tap("sure-yes")
        await held.waits_for("It is confirmed, and held no longer.")
        assert await is_signed_in(world, came["token"])
        await until(lambda: not keys(held, "confirm-"))


async def test_a_pad_says_it_once_above_both_panes(world: World, ada: Person, tmp_path: Path):
    async with app(world, ada, tmp_path, size=PAD) as held:
        await comes(world, ada.email)
        await held.waits_for(BANNER)
        await held.tap(f"worker-{ada.worker_id}")
        await until(lambda: len(keys(held, "held-more")) == 1)
        await held.tap("held-more")
        await held.waits_for("Held until")
        assert not held.has("held")


async def test_what_is_told_in_passing_leads_there(world: World, ada: Person, tmp_path: Path):
    async with app(world, ada, tmp_path) as held:
        await comes(world, ada.email, "A laptop in another town")
        await held.waits_for("Somebody signed in without a passkey: A laptop in another town")
        await held.fire(next(one for one in held.controls() if isinstance(one, ft.SnackBarAction)), "click")
        await held.waits_for("Held until")


async def test_a_screen_that_is_open_follows_and_what_was_refused_elsewhere_is_said(
    world: World, ada: Person, tmp_path: Path
):
    async with app(world, ada, tmp_path) as held:
        came = await comes(world, ada.email)
        await held.waits_for(BANNER)
        await held.tap("held-more")
        await until(lambda: held.has(f"refuse-{came['device_id']}"), within_seconds=30)
        other = await comes(world, ada.email, "Another")
        await until(lambda: held.has(f"refuse-{other['device_id']}"), within_seconds=30)
        await held.tap(f"refuse-{came['device_id']}")
        assert (await ada.post(f"/api/devices/{came['device_id']}/revoke")).status_code == 200
        await held.tap("sure-yes")
        await until(lambda: held.has("trouble"), within_seconds=30)
        await until(lambda: keys(held, "refuse-") == [f"refuse-{other['device_id']}"], within_seconds=30)


async def test_a_phone_that_does_not_recognise_its_owner_refuses_nobody(world: World, ada: Person, tmp_path: Path):
    async with app(world, ada, tmp_path, **{Kept.SETTINGS: '{"asks_for_owner": true}'}) as held:
        held.wire.answers["authenticate"] = lambda _said: False
        came = await comes(world, ada.email)
        await held.waits_for(BANNER)
        await held.tap("held-refuse")
        await until(lambda: held.has("sure-yes"), within_seconds=30)
        await held.tap("sure-yes")
        await held.waits_for("did not recognise its owner")
        assert await is_signed_in(world, came["token"])
