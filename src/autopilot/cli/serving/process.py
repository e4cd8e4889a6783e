"""What the processes of an installation have in common: settings, log, socket, serving until a signal.

Each reads its settings from the environment, serves until SIGTERM or SIGINT, and ends its streams in time.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ParamSpec

import msgspec
import uvloop
from cyclopts import Parameter
from starlette.types import ASGIApp

from autopilot.cli import lan
from autopilot.cli.child import settings_of_supervisor
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import Home
from autopilot.cli.keys import Keys, KeySettings
from autopilot.contract import redaction
from autopilot.ops import log
from autopilot.ops.connections import Connections
from autopilot.ops.lifecycle import spare_collector
from autopilot.ops.program import autopilot
from autopilot.ops.serve import Server
from autopilot.ops.settings import load

P = ParamSpec("P")
Supervised = Annotated[bool, Parameter(show=False, negative=())]
Descriptor = Annotated[int | None, Parameter(name="--fd", show=False, negative=())]
Host = Annotated[str, Parameter(help="Address to listen on.")]


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
                f"DATABASE_URL is not set. `{autopilot('up')}` brings a database of its own.", Exit.CANNOT_START
            )
        return self.database_url.reveal()


def on_uvloop(command: Callable[P, Coroutine[Any, Any, int]]) -> Callable[P, int]:
    """Run a server's command on uvloop, which takes half the CPU of the standard loop for a request."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        return uvloop.run(command(*args, **kwargs))

    return run


def begin(process: str, *, supervised: bool) -> ServerSettings:
    """What every process does first: its end, its settings, its log."""
    if supervised:
        os.environ.update(settings_of_supervisor())
    settings = load(ServerSettings, os.environ)
    log.configure(level=settings.log_level, form=settings.log_format, redact=redaction.redact, process=process)
    return settings


def listening(host: str, port: int, descriptor: int | None) -> socket.socket:
    """The socket to serve on: the supervisor's, else one of our own."""
    return socket.socket(fileno=descriptor) if descriptor is not None else lan.listening_socket(host, port)


async def serve_on(
    app: ASGIApp,
    sock: socket.socket,
    stop: asyncio.Event,
    stopping: asyncio.Event,
    *,
    connections: Connections | None = None,
) -> None:
    """Serve `app` on `sock` until `stop` is set, then end its streams (`stopping`) and itself."""
    server = Server(app, stopping=stopping, connections=connections)
    spare_collector()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(sockets=[sock]))
        waiting = tasks.create_task(stop.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        server.stop()
        waiting.cancel()
