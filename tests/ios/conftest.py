"""One server for all tests of the phone: each brings its own people."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.api.contract.conftest import opened
from tests.api.contract.world import Person, World, person

from autopilot.testing.postgres import TestCluster


@pytest.fixture(scope="session")
async def world(cluster: TestCluster) -> AsyncIterator[World]:
    async with opened("one process", cluster) as made:
        yield made


@pytest.fixture
async def ada(world: World) -> Person:
    return await person(world, "ada")


@pytest.fixture
async def eve(world: World) -> Person:
    return await person(world, "eve")
