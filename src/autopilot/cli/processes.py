"""The single processes of an installation: `autopilot serve | api | runtime | companion`.

What `autopilot up` starts as children, and what a deployment on several machines starts by itself. Each reads its
settings from the environment, serves until SIGTERM or SIGINT, and ends its streams in time. Relies on the rooms'
own `build` functions; owns which of them make up which process.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, ParamSpec

import msgspec
import uvloop
from cyclopts import Parameter
from starlette.types import ASGIApp

from autopilot.api import app as api_app
from autopilot.api.forward import SignedHttpPort
from autopilot.api.mail import ConsoleMailer
from autopilot.api.settings import ApiSettings
from autopilot.cli import lan
from autopilot.cli.child import die_with_supervisor
from autopilot.cli.database import migrate_all
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import Home
from autopilot.cli.keys import Keys, KeySettings
from autopilot.companion import app as companion_app
from autopilot.companion.codex.scripted_model import ScriptedModel
from autopilot.companion.settings import CompanionSettings
from autopilot.contract import redaction
from autopilot.contract.port import RuntimePort
from autopilot.db.pool import open_pool
from autopilot.ops import log
from autopilot.ops.clock import SystemClock
from autopilot.ops.lifecycle import stop_on_signals
from autopilot.ops.serve import Server
from autopilot.ops.settings import load
from autopilot.runtime import app as runtime_app
from autopilot.runtime.http.app import build as internal_app
from autopilot.runtime.settings import RuntimeSettings

Supervised = Annotated[bool, Parameter(show=False, negative=())]
Descriptor = Annotated[int | None, Parameter(name="--fd", show=False, negative=())]
Host = Annotated[str, Parameter(help="Address to listen on.")]


P = ParamSpec("P")


class ServerSettings(KeySettings, frozen=True, kw_only=True):
    """What the server processes read, beside the API's own settings."""

    runtime_url: str = msgspec.field(name="AUTOPILOT_RUNTIME_URL", default="http://127.0.0.1:8788")
    """Where `autopilot api` finds the runtime."""

    @property
    def keys(self) -> Keys:
        """Of this installation."""
        return Keys(self, Home(self.home))

    @property
    def dsn(self) -> str:
        """The database.

        Raises:
            CommandFailed: none is set; only `autopilot up` brings its own.
        """
        if self.database_url is None:
            raise CommandFailed(
                "DATABASE_URL is not set. `autopilot up` brings a database of its own.", Exit.CANNOT_START
            )
        return self.database_url.reveal()


def serving(command: Callable[P, Coroutine[Any, Any, int]]) -> Callable[P, int]:
    """Run a server's command on uvloop, which takes half the CPU of the standard loop for a request."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        return uvloop.run(command(*args, **kwargs))

    return run


@serving
async def serve(
    *,
    host: Host = "127.0.0.1",
    port: Annotated[int, Parameter(env_var="AUTOPILOT_PORT", help="TCP port.")] = 8787,
    fd: Descriptor = None,
    supervised: Supervised = False,
) -> int:
    """Run API and runtime in one process, over the database of DATABASE_URL."""
    settings = begin("server", supervised=supervised)
    await migrate_all(settings.dsn)
    async with stop_on_signals() as stop, _runtime(settings) as runtime:
        await _serve_api(settings, runtime, listening(host, port, fd), stop)
    return Exit.OK


@serving
async def api(
    *,
    host: Host = "127.0.0.1",
    port: Annotated[int, Parameter(env_var="AUTOPILOT_PORT", help="TCP port.")] = 8787,
    fd: Descriptor = None,
    supervised: Supervised = False,
) -> int:
    """Run the API by itself; the runtime is at AUTOPILOT_RUNTIME_URL."""
    settings = begin("api", supervised=supervised)
    await migrate_all(settings.dsn)
    runtime = SignedHttpPort(settings.runtime_url, settings.keys.signing, SystemClock())
    try:
        async with stop_on_signals() as stop:
            await _serve_api(settings, runtime, listening(host, port, fd), stop)
    finally:
        await runtime.aclose()
    return Exit.OK


async def runtime(
    *,
    host: Host = "127.0.0.1",
    port: Annotated[int, Parameter(help="TCP port; never to be reached by clients.")] = 8788,
    fd: Descriptor = None,
    supervised: Supervised = False,
) -> int:
    """Run the runtime by itself, for APIs that sign their calls with the same AUTOPILOT_INTERNAL_KEY."""
    settings = begin("runtime", supervised=supervised)
    await migrate_all(settings.dsn)
    stopping = asyncio.Event()
    key = settings.keys.signing
    async with stop_on_signals() as stop, _runtime(settings) as running:
        app = internal_app(running, keys={key.key_id: key.secret}, clock=SystemClock(), stopping=stopping)
        await serve_on(app, listening(host, port, fd), stop, stopping)
    return Exit.OK


async def companion(*, supervised: Supervised = False) -> int:
    """Run the companion and Codex on this machine, for the API that its credentials are of."""
    begin("companion", supervised=supervised)
    await companion_app.run(load(CompanionSettings, os.environ), SystemClock())
    return Exit.OK


async def demo_model(
    *, port: Annotated[int, Parameter(help="Port on 127.0.0.1.")] = 0, supervised: Supervised = False
) -> int:
    """Run the scripted model that plays the demo."""
    begin("model", supervised=supervised)
    async with stop_on_signals() as stop, ScriptedModel(port):
        await stop.wait()
    return Exit.OK


def begin(process: str, *, supervised: bool) -> ServerSettings:
    """What every process does first: its end, its settings, its log."""
    if supervised:
        die_with_supervisor()
    settings = load(ServerSettings, os.environ)
    log.configure(level=settings.log_level, form=settings.log_format, redact=redaction.redact, process=process)
    return settings


def listening(host: str, port: int, descriptor: int | None) -> socket.socket:
    """The socket to serve on: the supervisor's, else one of our own."""
    return socket.socket(fileno=descriptor) if descriptor is not None else lan.listening_socket(host, port)


async def serve_on(
    app: ASGIApp, sock: socket.socket, stop: asyncio.Event, stopping: asyncio.Event | None = None
) -> None:
    """Serve `app` on `sock` until `stop` is set, then end its streams and itself."""
    server = Server(app, stopping=stopping)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(sockets=[sock]))
        waiting = tasks.create_task(stop.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        server.stop()
        waiting.cancel()


@asynccontextmanager
async def _runtime(settings: ServerSettings) -> AsyncIterator[runtime_app.Runtime]:
    keys = settings.keys
    of_runtime = RuntimeSettings(digest_key=keys.digest, delivery_key=keys.delivery)
    async with await runtime_app.build(of_runtime, dsn=settings.dsn) as running:
        yield running


async def _serve_api(settings: ServerSettings, port: RuntimePort, sock: socket.socket, stop: asyncio.Event) -> None:
    of_api = msgspec.structs.replace(load(ApiSettings, os.environ), code_key=settings.keys.code)
    mailer = None if of_api.smtp_host else ConsoleMailer(sys.stdout)
    stopping = asyncio.Event()
    async with await open_pool(settings.dsn, schema="api", application_name="autopilot-api") as pool:
        app = api_app.build(of_api, pool=pool, port=port, mailer=mailer, stopping=stopping)
        await serve_on(app, sock, stop, stopping)
