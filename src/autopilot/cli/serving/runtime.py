"""`autopilot runtime`: the runtime by itself, behind signed HTTP; never to be reached by clients."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from cyclopts import Parameter

from autopilot.cli.database import migrate_all
from autopilot.cli.exits import Exit
from autopilot.cli.options import PORT
from autopilot.cli.serving.process import (
    Descriptor,
    Host,
    ServerSettings,
    Supervised,
    begin,
    listening,
    on_uvloop,
    serve_on,
)
from autopilot.db.away import reached
from autopilot.ops.clock import SystemClock
from autopilot.ops.lifecycle import stop_on_signals
from autopilot.ops.settings import load
from autopilot.runtime import app as runtime_app
from autopilot.runtime.http.app import build as internal_app
from autopilot.runtime.settings import RuntimeChoices, RuntimeSettings


@on_uvloop
async def runtime(
    *,
    host: Host = "127.0.0.1",
    port: Annotated[int, Parameter(help="TCP port; never to be reached by clients.", validator=PORT)] = 8788,
    fd: Descriptor = None,
    supervised: Supervised = False,
) -> int:
    """Run the runtime by itself, for APIs that sign their calls with the same AUTOPILOT_INTERNAL_KEY."""
    settings = begin("runtime", supervised=supervised)
    with reached():
        await migrate_all(settings.dsn)
    stopping = asyncio.Event()
    async with stop_on_signals() as stop, open_runtime(settings) as running:
        app = internal_app(running, keys=settings.keys.verifying_now, clock=SystemClock(), stopping=stopping)
        await serve_on(app, listening(host, port, fd), stop, stopping)
    return Exit.OK


@asynccontextmanager
async def open_runtime(settings: ServerSettings) -> AsyncIterator[runtime_app.Runtime]:
    """The runtime over the installation's database, with the installation's keys."""
    keys_now = settings.keys.runtime_now
    keys = keys_now()
    of_runtime = RuntimeSettings(
        digest_key=keys.digest[0],
        delivery_key=keys.delivery[0],
        seal_key=keys.seal,
        keys_now=keys_now,
        choices=load(RuntimeChoices, os.environ),
    )
    async with await runtime_app.build(of_runtime, dsn=settings.dsn) as running:
        yield running
