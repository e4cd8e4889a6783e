"""`autopilot api`: the API by itself, over a runtime behind signed HTTP."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

from autopilot.api import app as api_app
from autopilot.api.address import Addresses
from autopilot.api.forward import SignedHttpPort
from autopilot.api.mail import ConsoleMailer
from autopilot.api.settings import ApiSettings
from autopilot.cli.database import migrate_all
from autopilot.cli.exits import Exit
from autopilot.cli.options import Port
from autopilot.cli.serving.process import (
    Descriptor,
    Host,
    ServerSettings,
    Supervised,
    begin,
    listening,
    on_uvloop,
    secure_listening,
    serve_on,
)
from autopilot.contract.port import RuntimePort
from autopilot.db.away import reached
from autopilot.db.pool import open_pool
from autopilot.ops.clock import SystemClock
from autopilot.ops.connections import MOST, Connections, files_for_clients
from autopilot.ops.lifecycle import stop_on_signals
from autopilot.ops.metrics import Metrics
from autopilot.ops.settings import load
from autopilot.web.app import Web


@on_uvloop
async def api(
    *, host: Host = "127.0.0.1", port: Port = 8787, fd: Descriptor = None, supervised: Supervised = False
) -> int:
    """Run the API by itself; the runtime is at AUTOPILOT_RUNTIME_URL."""
    settings = begin("api", supervised=supervised)
    with reached():
        await migrate_all(settings.dsn)
    runtime = SignedHttpPort(settings.runtime_url, settings.keys.signing_now, SystemClock())
    try:
        async with stop_on_signals() as stop:
            await serve_api(settings, runtime, listening(host, port, fd), stop)
    finally:
        await runtime.aclose()
    return Exit.OK


async def serve_api(
    settings: ServerSettings,
    port: RuntimePort,
    sock: socket.socket,
    stop: asyncio.Event,
    *,
    metrics: Metrics | None = None,
) -> None:
    """Serve the public API over `port` until `stop` is set. Sign-in codes without mail are printed for the person.

    `metrics`: of the process, where it has some already.
    """
    of_api = load(ApiSettings, os.environ)
    mailer = None if of_api.smtp_host else ConsoleMailer(sys.stdout)
    stopping, metrics = asyncio.Event(), metrics or Metrics(process=True)
    async with await open_pool(settings.dsn, schema="api", application_name="autopilot-api") as pool:
        web = Web(stopping=stopping)
        app = api_app.build(
            of_api,
            pool=pool,
            port=port,
            mailer=mailer,
            metrics=metrics,
            stopping=stopping,
            code_keys=settings.keys.codes_now,
            push_key=settings.keys.vapid_now,
            pages=web,
        )
        web.serve(app, app.state.api.browsers)
        connections = Connections(
            most=min(MOST, files_for_clients()),
            most_of_address=of_api.address_connections,
            address_of=Addresses(of_api.trusted_proxies).of_peer,
            metrics=metrics,
        )
        secure = secure_listening(of_api.tls_certificate, of_api.tls_key, of_api.tls_listen)
        await serve_on(app, sock, stop, stopping, connections=connections, secure=secure)
