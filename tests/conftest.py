"""What every test may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings
from tests import endurance

from autopilot.testing.postgres import TestCluster, running_cluster

# How long an example takes says something about the machine's other work, not about the code under test.
settings.register_profile("autopilot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("endurance", settings.get_profile("autopilot"), max_examples=1000, print_blob=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--endurance", action="store_true", help="run every seeded suite with its full count of seeds")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("endurance" if config.getoption("--endurance") else "autopilot")
    if config.getoption("--endurance") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(endurance.Record())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`@pytest.mark.seeds(5, 100)`: the test's `seed` is 0..4, and 0..99 with --endurance.

    A seed's whole randomness comes from it, so one line runs a failing one again: the test's id, `…[seed17]`, with
    --endurance where it is beyond the first few.
    """
    marker = metafunc.definition.get_closest_marker("seeds")
    if marker is not None:
        few, full = marker.args
        count = full if metafunc.config.getoption("--endurance") else few
        metafunc.parametrize("seed", range(count), ids=lambda seed: f"seed{seed}")


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
