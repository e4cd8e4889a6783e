"""What lies behind More, as a finger finds it: each place in all four looks, over a server in this process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import flet as ft
import pytest
from playwright.async_api import Browser
from tests.api.contract.conftest import opened
from tests.api.contract.test_spend import use
from tests.api.contract.world import Person, World, person
from tests.ios.apps import Secrets, signed_in
from tests.ios.desk import Cuts
from tests.phone.glass import LOOKS, App, Glass, glass, served
from tests.waiting import until
from tests.web.test_recovery_page import comes, guarded

from autopilot.client import RuntimeCodexClient, Session
from autopilot.client.app_core import AppCore
from autopilot.client.app_settings import AppSettings
from autopilot.client.keychain import KeychainTokenStore
from autopilot.testing.postgres import TestCluster
from autopilot_ios.device.device import Device
from autopilot_ios.look import palette
from autopilot_ios.shell import Shell
from autopilot_ios.ways import MORE, Ways

pytestmark = pytest.mark.e2e
POLICY = """
[methods]
deny = ["thread/fork"]
[models]
allow = ["gpt-*"]
[approvals]
answer = { owner = "*", operator = ["command", "file_change"] }
[[approvals.rule]]
name = "look around"
kind = "command"
command = ["git", "status"]
decision = "accept"
[[budget]]
name = "daily"
per = "user"
period = "day"
tokens = 2000000
"""


@pytest.fixture(scope="module")
async def world(cluster: TestCluster) -> AsyncIterator[World]:
    async with opened("one process", cluster) as made:
        yield made


@pytest.fixture(scope="module")
async def ada(world: World) -> Person:
    """Somebody with a past."""
    made = await person(world, "ada")
    for tokens, model in ((1_234_567, "gpt-5-codex"), (698_000, "gpt-5"), (120_420, "gpt-5-mini")):
        await use(made, tokens, model)
    policy = {"subject": "user", "format": "toml", "text": POLICY, "expected_version": 0}
    assert (await made.post("/policies", policy)).status_code == 200

    team = (await made.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    for email, role in (("eve@example.org", "operator"), ("a-rather-long-name@department.example.org", "viewer")):
        assert (await made.post(f"/api/teams/{team}/invitations", {"email": email, "role": role})).status_code == 201

    async def is_told() -> bool:
        return bool((await made.get("/audit?action=signed_in")).json()["data"])

    await until(is_told)
    return made


@dataclass
class Inside:
    """The app's own side of the glass."""

    shell: Shell | None = None
    ways: Ways | None = None


def app(world: World, secrets: dict[str, str], storage: Path, inside: Inside, way: Cuts | None = None) -> App:
    """The app of somebody who is signed in, on its last tab; `way`: to the server."""

    async def main(page: ft.Page) -> None:
        palette.paint(page)
        store = await KeychainTokenStore.opened(Secrets(secrets))
        async with (
            Session(world.api.url, store, surface="ios") as session,
            RuntimeCodexClient(world.api.url, session, surface="ios", transport=way) as client,
            asyncio.TaskGroup() as tasks,
        ):
            core = AppCore(session, client, settings=AppSettings(store.keychain), device_id="dev_glass")
            tasks.create_task(core.run())
            await until(lambda: core.view.phase == "here" and core.view.overview.overview.is_known)
            device = Device(page, keychain=Secrets(secrets), storage=storage)
            inside.ways = ways = Ways(core, device, world.api.url)
            inside.shell = ways.shell = shell = Shell(page, ways.tabs(), tasks, ways.emergency)
            page.on_view_pop = lambda _event: shell.view_popped()
            shell.warn(ways.held())
            shell.go(MORE)
            await asyncio.Event().wait()

    return main


async def place(held: Glass, inside: Inside, name: str, sees: str) -> None:
    """Go to a place, and wait for what it says; on a phone by way of the tab."""
    if held.look == "phone" and inside.shell is not None and len(inside.shell.page.views) > 1:
        await held.button("Back").first.click()
        await held.sees("What was used, and what is left")
    await held.button(name).first.click()
    await held.sees(sees)


@pytest.mark.parametrize(("look", "theme"), LOOKS)
async def test_every_place_behind_more_is_found_and_drawn(  # noqa: PLR0915, PLR0917 - one tour; the fixtures it needs, and both looks
    launched: Browser, world: World, ada: Person, tmp_path: Path, look: str, theme: str
):
    inside = Inside()
    secrets = await signed_in(world, ada.email, tmp_path / "app")
    async with served(app(world, secrets, tmp_path, inside), tmp_path) as url, glass(launched, look, theme) as held:
        await held.switch_on(url)
        await held.sees("What was used, and what is left")
        await held.picture("more")
        await place(held, inside, "Spend", "Where it went")
        await held.picture("spend")
        await place(held, inside, "Policy", "Decided by rule")
        await held.picture("policy")
        await place(held, inside, "Audit and trace", "Signed in")
        await held.picture("audit")
        await held.page.get_by_role("button", name=re.compile("^Signed in")).first.click()
        await held.sees("Every hop of it")
        await held.button("Every hop of it").click()
        await held.sees("Known as")
        await held.picture("trace")
        await held.button("Back").first.click()
        await held.sees("Trace a request")
        await place(held, inside, "Teams", "Invited?")
        await held.picture("teams")
        await held.button("crew").first.click()
        await held.sees("Leave this team")
        await held.picture("team")
        if look == "phone":
            await held.button("Back").first.click()
        await place(held, inside, "Devices", "This device")
        await held.picture("devices")
        await held.button("Let a device in").first.click()
        await held.sees("Enter its code")
        await held.picture("let-in")
        if look == "phone":
            await held.button("Back").first.click()
            await held.sees("This device")
        else:
            await place(held, inside, "Devices", "This device")
        await held.button("Guests").first.click()
        await held.sees("Nobody looks over your shoulder.")
        await held.button("Invite somebody").click()
        await held.sees("What may they read?")
        await held.picture("guest-invite")
        if look == "phone":
            await held.button("Back").first.click()
            await held.sees("Nobody looks over your shoulder.")
            await held.button("Back").first.click()
            await held.sees("Guests")
        await place(held, inside, "Settings", "Security")
        await held.picture("settings")
        await place(held, inside, "Diagnostics", "Reconnections")
        await held.picture("diagnostics")
        assert held.complaints == []


@pytest.mark.parametrize(("look", "theme"), LOOKS)
async def test_who_came_in_without_a_passkey_stands_above_every_screen(
    launched: Browser, world: World, tmp_path: Path, look: str, theme: str
):
    made, inside = await person(world, "eve"), Inside()
    secrets = await signed_in(world, made.email, tmp_path / "app")
    await guarded(world, made)
    await comes(world, made.email, "A laptop in another town")
    async with served(app(world, secrets, tmp_path, inside), tmp_path) as url, glass(launched, look, theme) as held:
        await held.switch_on(url)
        await held.sees("Somebody recovered access")
        await held.picture("recovery-banner")
        await held.button("Refuse it").click()
        await held.sees("Refuse A laptop in another town?")
        await held.button("Cancel").click()
        await held.sees("It sees and steers your sessions until then")
        await held.picture("recovery")
        assert held.complaints == []


async def test_signing_another_device_out_is_asked_about_twice(
    launched: Browser, world: World, ada: Person, tmp_path: Path
):
    inside = Inside()
    await signed_in(world, ada.email, tmp_path / "another")
    secrets = await signed_in(world, ada.email, tmp_path / "app")
    async with served(app(world, secrets, tmp_path, inside), tmp_path) as url, glass(launched) as held:
        await held.switch_on(url)
        await place(held, inside, "Devices", "Other devices")
        await held.page.get_by_role("button", name=re.compile("^Phone")).last.click()
        await held.sees("Rename")
        await held.picture("device")
        await held.button("Sign out").last.click()
        await held.sees("Cancel")
        await held.picture("device-sure")
        await held.button("Cancel").click()
        await held.sees("Sign out all others")
        assert held.complaints == []
