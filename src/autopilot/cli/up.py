"""`autopilot up`: everything of one installation in the foreground, until Ctrl-C or SIGTERM.

Owns the order: data folder, socket, database, migrations, credentials, server, companion, readiness, a clean stop.
Relies on `Supervisor` to keep things running. Never holds state worth saving: what it knows is in AUTOPILOT_HOME.
Why it is so: docs/decisions/0007-supervision.md.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import AsyncExitStack
from typing import Annotated

from cyclopts import Parameter

from autopilot.api.oidc_client import oidc_client
from autopilot.api.settings import ApiSettings
from autopilot.api.site import surroundings
from autopilot.cli import lan
from autopilot.cli.child import open_log_text
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import home_for_up
from autopilot.cli.installation import HERE, Installation, Plan
from autopilot.cli.keys import Keys, KeySettings
from autopilot.cli.options import DEFAULT, Options, Port
from autopilot.cli.terminal import Terminal
from autopilot.ops import log
from autopilot.ops.clock import Clock, SystemClock
from autopilot.ops.lifecycle import stop_on_signals
from autopilot.ops.settings import load
from autopilot.ops.tls import tls_of

LEFT_BEHIND_SECONDS = 5.0
"""A child that is just being started notices the end of its supervisor once it has loaded."""
AGAIN_SECONDS = 0.05
EVERYWHERE = "0.0.0.0"  # noqa: S104  what --listen asks for


async def up(
    *,
    listen: Annotated[bool, Parameter(negative=(), help="Let other devices on your network reach it.")] = False,
    port: Port = 8787,
    split: Annotated[bool, Parameter(negative=(), help="API and runtime as two processes.")] = False,
    demo: Annotated[
        bool | None, Parameter(help="The scripted demo model, also where Codex has a login (or never).")
    ] = None,
    companion: Annotated[bool, Parameter(help="Run the companion and Codex on this machine.")] = True,
    options: Options = DEFAULT,
) -> int:
    """Run everything in the foreground: database, server, companion, Codex."""
    of_api = load(ApiSettings, os.environ)  # what is wrong is said here, and not in the server's log
    surroundings(of_api)
    oidc_client(of_api)
    tls_of(of_api.tls_certificate, of_api.tls_key)
    home = home_for_up(os.environ).make()
    terminal = Terminal(as_json=options.json)
    async with AsyncExitStack() as stack:
        stack.enter_context(home.held())
        log.configure(form="json", stream=stack.enter_context(open_log_text(home.logs / "up.log")), process="up")
        stopping = await stack.enter_async_context(stop_on_signals())
        sock = stack.enter_context(await free_at_last(EVERYWHERE if listen else HERE, port, SystemClock()))
        plan = Plan(
            home=home,
            sock=sock,
            urls=urls_of(sock, listening=listen),
            listening=listen,
            inner=stack.enter_context(lan.listening_socket(HERE, 0)) if split else None,
            demo=demo,
            companion=companion,
            environ=dict(os.environ),
            keys=Keys(load(KeySettings, os.environ), home),
        )
        await Installation(plan, SystemClock(), terminal).run_until(stopping)
    return Exit.OK


async def free_at_last(host: str, port: int, clock: Clock) -> socket.socket:
    """The socket that everything public comes through.

    The children of an `up` that was killed hold its port until they notice: a taken port is tried again for a while.

    Raises:
        CommandFailed: it can't be had, and why.
    """
    give_up_at = clock.monotonic() + LEFT_BEHIND_SECONDS
    while clock.monotonic() < give_up_at:
        try:
            return lan.listening_socket(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                break
        await clock.sleep(AGAIN_SECONDS)
    return listening(host, port)


def listening(host: str, port: int) -> socket.socket:
    """The socket, at once.

    Raises:
        CommandFailed: it can't be had, and why.
    """
    try:
        return lan.listening_socket(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} on {host} is already in use. Choose another: {lan.another_port(port)}"
        elif error.errno == errno.EACCES:
            reason = (
                f"Port {port} needs rights that this user doesn't have. Choose one above 1023: {lan.another_port(8786)}"
            )
        else:
            reason = f"Can't listen on {host}:{port}: {error.strerror}"
        raise CommandFailed(reason, Exit.CANNOT_START) from error


def urls_of(sock: socket.socket, *, listening: bool) -> list[str]:
    """Where it can be reached: first the one to show, last this machine's own."""
    port = sock.getsockname()[1]
    outward = [address for address in lan.outward_addresses() if ":" not in address] if listening else []
    return [lan.url_of(host, port) for host in (*outward, HERE)]
