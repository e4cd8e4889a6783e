"""The app switcher shows nothing of what was on the screen, where the phone's owner wants to be recognised."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.api.contract.world import Person, World
from tests.ios.apps import running, signed_in
from tests.ios.phone import Phone, phone, walk
from tests.ios.test_places import to
from tests.waiting import until

from autopilot.client.keychain import Kept

pytestmark = pytest.mark.slow


@asynccontextmanager
async def app(world: World, ada: Person, storage: Path, *, asks: bool) -> AsyncIterator[Phone]:
    secrets = await signed_in(world, ada.email, storage)
    secrets[Kept.SETTINGS] = json.dumps({"asks_for_owner": asks})
    held = phone(secrets=secrets)
    async with running(held, storage):
        await until(lambda: held.has(f"worker-{ada.worker_id}"))
        yield held


async def life(held: Phone, state: str) -> None:
    await held.fire(held.page, "app_lifecycle_state_change", {"state": state})


def is_covered(held: Phone) -> bool:
    return any(control.key == "cover" for one in held.page.overlay for control in walk(one))


def bars(held: Phone) -> list[bool]:
    return [view.appbar.visible for view in held.page.views if view.appbar is not None]


async def test_it_is_covered_from_the_first_moment_on_and_as_it_was_when_its_owner_is_back(
    world: World, ada: Person, tmp_path: Path
):
    async with app(world, ada, tmp_path, asks=True) as held:
        await to(held, "settings")
        await held.tap("licences")
        sheet = next(one for one in held.page._dialogs.controls if one.open)
        await life(held, "inactive")
        assert is_covered(held)
        assert not any(bars(held)), "the name of a session stands there"
        assert sheet.content.opacity == 0
        assert bool(held.page.views), "what is below is not lost"
        await life(held, "hide")
        await life(held, "pause")
        await life(held, "show")
        assert is_covered(held), "it is on its way back, and the app switcher may still be before everything"
        await life(held, "resume")
        assert not is_covered(held)
        assert all(bars(held))
        assert sheet.content.opacity == 1
        assert held.shows("Apache License 2.0")


async def test_what_is_said_and_drawn_meanwhile_lies_below_the_cover_too(world: World, ada: Person, tmp_path: Path):
    async with app(world, ada, tmp_path, asks=True) as held:
        await life(held, "inactive")
        await held.opens(f"autopilot://worker/{ada.worker_id}")
        await held.opens("autopilot://pair?server=https%3A%2F%2Fexample.org&secret=x")
        assert is_covered(held)
        assert not any(bars(held))
        told = [one for one in held.page._dialogs.controls if one.open]
        assert [one.content.opacity for one in told] == [0] * len(told)
        await life(held, "resume")
        assert all(bars(held))
        assert [one.content.opacity for one in told] == [1] * len(told)


async def test_who_did_not_choose_that_sees_the_app_in_the_switcher(world: World, ada: Person, tmp_path: Path):
    async with app(world, ada, tmp_path, asks=False) as held:
        await life(held, "inactive")
        assert not is_covered(held)
        assert all(bars(held))
