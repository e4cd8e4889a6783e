"""`autopilot serve`: API and runtime in one process; between them a method call."""

from __future__ import annotations

from autopilot.cli.database import migrate_all
from autopilot.cli.exits import Exit
from autopilot.cli.options import Port
from autopilot.cli.serving.api import serve_api
from autopilot.cli.serving.process import Descriptor, Host, Supervised, begin, listening, on_uvloop
from autopilot.cli.serving.runtime import open_runtime
from autopilot.db.away import reached
from autopilot.ops.lifecycle import stop_on_signals


@on_uvloop
async def serve(
    *, host: Host = "127.0.0.1", port: Port = 8787, fd: Descriptor = None, supervised: Supervised = False
) -> int:
    """Run API and runtime in one process, over the database of DATABASE_URL."""
    settings = begin("server", supervised=supervised)
    with reached():
        await migrate_all(settings.dsn)
    async with stop_on_signals() as stop, open_runtime(settings) as runtime:
        await serve_api(settings, runtime, listening(host, port, fd), stop, metrics=runtime.metrics)
    return Exit.OK
