"""The way in, drawn by Flutter in every look: address, warning, code, a link that asks first, a locked Keychain."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import flet as ft
import pytest
from playwright.async_api import Browser
from tests.api.contract.conftest import opened
from tests.phone.glass import LOOKS, App, glass, served

from autopilot.client.keychain import StorageFailed
from autopilot.client.pairing import app_link
from autopilot.testing.postgres import TestCluster
from autopilot_ios.app import App as TheApp
from autopilot_ios.device.device import Device

pytestmark = pytest.mark.e2e


class Secrets:
    """A Keychain, which can be locked."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.is_locked = False

    async def get(self, key: str) -> str | None:
        if self.is_locked:
            raise StorageFailed("locked", reason_code="keychain_read")
        return self.held.get(key)

    async def set(self, key: str, value: str) -> None:
        self.held[key] = value

    async def remove(self, key: str) -> None:
        self.held.pop(key, None)


Opens = Callable[[str], Awaitable[None]]


def app(secrets: Secrets, folder: Path, links: list[Opens]) -> App:
    """As it is installed, with this Keychain; `links`: what the system opens it with."""

    async def main(page: ft.Page) -> None:
        made = TheApp(page, Device(page, keychain=secrets, storage=folder))

        async def opens(link: str) -> None:
            page.on_route_change(ft.RouteChangeEvent(name="route_change", control=page, route=link))

        links.append(opens)
        await made.run()

    return main


@pytest.mark.parametrize(("look", "theme"), LOOKS)
async def test_every_step_of_the_way_in_is_drawn(
    launched: Browser, cluster: TestCluster, tmp_path: Path, look: str, theme: str
):
    secrets, links = Secrets(), []
    secrets.is_locked = True
    async with (
        opened("one process", cluster) as world,
        served(app(secrets, tmp_path / "app", links), tmp_path) as url,
        glass(launched, look, theme) as held,
    ):
        await held.switch_on(url)
        await held.sees("Keychain can't be read")
        await held.picture("welcome-locked")
        secrets.is_locked = False
        await held.button("Try again").click()
        await held.sees("Where is your Autopilot server?")
        await held.picture("welcome")
        await links[0](app_link("https://autopilot.example.com", "s" * 43))
        await held.sees("Pair this phone with this server?")
        await held.picture("welcome-invited")
        await held.button("No").click()
        await held.sees("Where is your Autopilot server?")
        await held.type("autopilot.example.com", world.api.url)
        await held.button("Continue").click()
        await held.sees("Send me a code")
        await held.picture("welcome-email")
        await held.type("E-mail", "ada@example.org")
        await held.button("Send me a code").click()
        await held.sees("Enter the code")
        await held.type("Code", "0000 0000")
        await held.button("Sign in").click()
        await held.sees("That code is not right")
        await held.picture("welcome-code")
        assert held.complaints == []
