"""The whole server over a real runtime and a real socket: once as one process, once as two over signed HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from tests.api.contract.world import Person, World, person
from tests.api.served import serving

from autopilot.api.forward import SignedHttpPort
from autopilot.api.settings import ApiSettings, Limits
from autopilot.ops.clock import SystemClock
from autopilot.ops.serve import Server
from autopilot.ops.signature import SigningKey
from autopilot.runtime import app as runtime_app
from autopilot.runtime.http import app as runtime_http
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.postgres import TestCluster

KEY = SigningKey("k1", b"signing")
SETTINGS = RuntimeSettings(digest_key=b"digest", delivery_key=b"d" * 32, seal_key=b"s" * 32)
AMPLE = ApiSettings(sign_ins_per_minute=1e6, client_per_second=1e6, sign_up="open")
"""The limits have tests of their own."""


SHAPES = ("one process", "two processes")


@asynccontextmanager
async def opened(
    shape: str,
    cluster: TestCluster,
    *,
    settings: ApiSettings = AMPLE,
    limits: Limits | None = None,
    with_web: bool = False,
) -> AsyncIterator[World]:
    """A server with a database of its own."""
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(cluster.database())
        runtime = await stack.enter_async_context(await runtime_app.build(SETTINGS, dsn=dsn))
        port = runtime
        if shape == "two processes":
            stopping = asyncio.Event()
            app = runtime_http.build(runtime, keys={KEY.key_id: KEY.secret}, clock=SystemClock(), stopping=stopping)
            internal = await stack.enter_async_context(Server(app, stopping=stopping).running())
            port = SignedHttpPort(internal.url, KEY, SystemClock())
            stack.push_async_callback(port.aclose)
        api = await stack.enter_async_context(serving(dsn, port, settings=settings, limits=limits, with_web=with_web))
        yield World(api, runtime)


@pytest.fixture(scope="session", params=SHAPES)
async def world(request: pytest.FixtureRequest, cluster: TestCluster) -> AsyncIterator[World]:
    """Served once for all of these tests: each brings its own users and workers."""
    async with opened(request.param, cluster) as made:
        yield made


@pytest.fixture(params=SHAPES)
async def own_world(request: pytest.FixtureRequest, cluster: TestCluster) -> AsyncIterator[World]:
    """Served for one test: for what changes the whole installation."""
    async with opened(request.param, cluster) as made:
        yield made


@pytest.fixture
async def ada(world: World) -> Person:
    return await person(world, "ada")


@pytest.fixture
async def eve(world: World) -> Person:
    return await person(world, "eve")
