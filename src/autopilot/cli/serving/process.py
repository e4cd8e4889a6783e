"""What the processes of an installation have in common: settings, log, socket, serving until a signal.

Each reads its settings from the environment, serves until SIGTERM or SIGINT, and ends its streams in time.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
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
from autopilot.ops.settings import SettingsRefused, load
from autopilot.ops.tls import Tls, tls_of

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


@dataclass(frozen=True, slots=True)
class Secure:
    """Where TLS is served, and with what."""

    sock: socket.socket
    tls: Tls


def secure_listening(certificate: Path | None, key: Path | None, where: str) -> Secure | None:
    """TLS with a certificate of one's own on `where` (`0.0.0.0:443`, `[::]:443`); None where none is set.

    Raises:
        SettingsRefused: only one of them is set, they can't be used, or `where` is no address and port.
        CommandFailed: it can't be listened there, and why.
    """
    tls = tls_of(certificate, key)
    if tls is None:
        return None
    host, _, port = where.rpartition(":")
    try:
        return Secure(lan.listening_socket(host.strip("[]"), int(port)), tls)
    except (ValueError, OverflowError):
        raise SettingsRefused(f"AUTOPILOT_TLS_LISTEN: {where!r} is no address and port: 0.0.0.0:8443") from None
    except OSError as error:
        raise CommandFailed(f"AUTOPILOT_TLS_LISTEN: {where}: {error.strerror}", Exit.CANNOT_START) from error


async def serve_on(
    app: ASGIApp,
    sock: socket.socket,
    stop: asyncio.Event,
    stopping: asyncio.Event,
    *,
    connections: Connections | None = None,
    secure: Secure | None = None,
) -> None:
    """Serve `app` on `sock` until `stop` is set, then end its streams (`stopping`) and itself.

    `secure`: also with TLS, on another socket.
    """
    servers = [(Server(app, stopping=stopping, connections=connections), sock)]
    if secure is not None:
        beside = Server(app, stopping=stopping, connections=connections, tls=secure.tls, lifespan="off")
        servers.append((beside, secure.sock))
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, secure.tls.reload)
    spare_collector()
    async with asyncio.TaskGroup() as tasks:
        serving = {tasks.create_task(server.serve(sockets=[taken])) for server, taken in servers}
        waiting = tasks.create_task(stop.wait())
        await asyncio.wait({*serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for server, _ in servers:
            server.stop()
        waiting.cancel()
