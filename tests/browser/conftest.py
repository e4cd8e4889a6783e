"""A whole installation with real Codex on the scripted model, and a browser that its owner is signed in with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser
from tests.api.contract.world import World
from tests.browser import screens
from tests.browser.screens import Visit, visiting
from tests.browser.served import Desk, desk, server
from tests.e2e.installation import Up, running_up

from autopilot.testing.postgres import TestCluster

DAY_MS = "86400000"


@dataclass
class Installed:
    """It runs, and its owner has a browser."""

    up: Up
    launched: Browser
    state: Any
    """Cookies of a browser that the owner signed in with."""
    worker_id: str
    machine_id: str


@pytest.fixture(scope="session")
async def launched(anyio_backend: str) -> AsyncIterator[Browser]:
    async with screens.browser() as made:
        yield made


@pytest.fixture(scope="module")
async def world(cluster: TestCluster) -> AsyncIterator[World]:
    """A server without Codex, of one module's tests."""
    async with server(cluster) as made:
        yield made


@pytest.fixture
async def ada(world: World, launched: Browser) -> AsyncIterator[Desk]:
    """Somebody new at a browser of theirs."""
    async with desk(world, launched) as made:
        yield made


@pytest.fixture(scope="session")
async def installed(
    anyio_backend: str, launched: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installed]:
    """The demo has asked its question, and waits for a person."""
    home = tmp_path_factory.mktemp("installation") / "home"
    async with running_up(home, "--demo", AUTOPILOT_APPROVAL_TTL_MS=DAY_MS) as up:
        async with visiting(launched, up.url) as visit:
            await screens.sign_in(visit, up.ready["owner_email"], up.ready["code"])
            state = await visit.context.storage_state()
        worker_id = await asked(up)
        machines = (await up.cli("machines", "--json")).json
        yield Installed(up, launched, state, worker_id, machines[0]["machine_id"])


async def asked(up: Up) -> str:
    """The worker whose Codex has asked its question."""
    async with asyncio.timeout(60):
        while True:
            approvals = (await up.cli("approvals", "--json")).json
            if approvals:
                return approvals[0]["worker_id"]


@pytest.fixture(params=screens.LOOKS, ids="-".join)
async def visit(request: pytest.FixtureRequest, installed: Installed) -> AsyncIterator[Visit]:
    """The owner, on a phone and at a desk, by day and by night."""
    look, theme = request.param
    async with visiting(installed.launched, installed.up.url, look, theme, storage_state=installed.state) as made:
        yield made


@pytest.fixture
async def phone(installed: Installed) -> AsyncIterator[Visit]:
    """The owner on a phone."""
    async with visiting(installed.launched, installed.up.url, storage_state=installed.state) as made:
        yield made
