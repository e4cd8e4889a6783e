"""The whole server with the web app, over a real runtime and a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.api.contract.conftest import opened
from tests.api.contract.world import World
from tests.web.browser import Browser, visitor

from autopilot.testing.postgres import TestCluster


@pytest.fixture(scope="session")
async def world(cluster: TestCluster) -> AsyncIterator[World]:
    """Served once for all tests of the web: each brings its own people and workers."""
    async with opened("one process", cluster, with_web=True) as made:
        yield made


@pytest.fixture
async def own_world(cluster: TestCluster) -> AsyncIterator[World]:
    """Served for one test: for what changes the whole installation."""
    async with opened("one process", cluster, with_web=True) as made:
        yield made


@pytest.fixture
async def ada(world: World) -> AsyncIterator[Browser]:
    """Somebody with a browser, and a worker."""
    browser = await visitor(world, "ada")
    yield browser
    await browser.http.aclose()


@pytest.fixture
async def eve(world: World) -> AsyncIterator[Browser]:
    """Somebody else."""
    browser = await visitor(world, "eve")
    yield browser
    await browser.http.aclose()
