"""What every test may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings

from autopilot.testing.postgres import TestCluster, running_cluster

# How long an example takes says something about the machine's other work, not about the code under test.
settings.register_profile("autopilot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("autopilot")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def cluster(anyio_backend: str) -> AsyncIterator[TestCluster]:
    """One real Postgres a session (and xdist worker)."""
    async with running_cluster() as running:
        yield running


@pytest.fixture(scope="session")
async def postgres_dsn(cluster: TestCluster) -> str:
    """The session's own database: for what neither migrates nor leaves anything."""
    return cluster.dsn


@pytest.fixture
async def database(cluster: TestCluster) -> AsyncIterator[str]:
    """The dsn of a fresh database with every schema migrated, for this test alone."""
    async with cluster.database() as dsn:
        yield dsn


@pytest.fixture
async def empty_database(cluster: TestCluster) -> AsyncIterator[str]:
    """The dsn of a fresh database with nothing in it."""
    async with cluster.database(template="template0") as dsn:
        yield dsn
