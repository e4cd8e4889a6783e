"""One installation for the whole matrix, once as one process and once as two, and one scene that its cells act in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.api.access.scene import Scene, staged
from tests.api.contract.conftest import SHAPES, opened
from tests.api.contract.world import World
from tests.api.issuer import Issuer, settings_for

from autopilot.api.settings import Limits
from autopilot.testing.postgres import TestCluster

ENDLESS = 1e9
UNLIMITED = Limits(
    strangers_per_second=ENDLESS,
    strangers_burst=ENDLESS,
    pairing_tries_per_minute=ENDLESS,
    pairing_polls_per_second=ENDLESS,
    codes_per_hour=int(ENDLESS),
    pairings=int(ENDLESS),
    single_sign_ons=int(ENDLESS),
    guests=int(ENDLESS),
)
"""How often is what other tests are about."""


@pytest.fixture(scope="session", params=SHAPES)
async def installation(request: pytest.FixtureRequest, cluster: TestCluster) -> AsyncIterator[World]:
    async with Issuer().running() as issuer:
        ample = {"sign_ins_per_minute": 1e6, "client_per_second": 1e6, "sign_up": "open"}
        settings = settings_for(issuer, **ample)
        async with opened(request.param, cluster, settings=settings, limits=UNLIMITED) as made:
            yield made


@pytest.fixture(scope="session")
async def scene(installation: World) -> Scene:
    return await staged(installation)
