"""A browser for the whole run; the app is served to it by each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser
from tests.browser import screens
from tests.browser.conftest import DAY_MS, asked
from tests.e2e.installation import Up, running_up
from tests.ios.apps import Secrets

from autopilot.client import Session
from autopilot.client.keychain import KeychainTokenStore


@pytest.fixture(scope="session")
async def launched(anyio_backend: str) -> AsyncIterator[Browser]:
    async with screens.browser() as made:
        yield made


@dataclass
class Codex:
    """A whole installation with real Codex on the scripted model, which has asked its question and waits."""

    up: Up
    worker_id: str
    secrets: dict[str, str]
    """What the Keychain of a phone holds that its owner signed in on."""


@pytest.fixture(scope="session")
async def codex(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Codex]:
    home = tmp_path_factory.mktemp("installation") / "home"
    async with running_up(home, "--demo", AUTOPILOT_APPROVAL_TTL_MS=DAY_MS) as up:
        secrets: dict[str, str] = {}
        store = await KeychainTokenStore.opened(Secrets(secrets))
        async with Session(up.url, store, surface="ios") as session:
            email, code = up.ready["owner_email"], up.ready["code"]
            await session.verify(code, email=email, device_name="Phone", device_platform="ios", with_key=True)
        yield Codex(up, await asked(up), secrets)
