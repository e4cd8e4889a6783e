"""`autopilot handshake`: the proof that this terminal and the companion reach each other through the ledger."""

from __future__ import annotations

import platform
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options, is_time
from autopilot.cli.pick import pick_worker
from autopilot.cli.terminal import Terminal
from autopilot.client.handshake import TIMEOUT_SECONDS, HandshakeClient, HandshakeTimeout

Timeout = Annotated[float, Parameter(help="Seconds to wait for the companion.", validator=is_time)]


async def handshake(
    worker: Annotated[str | None, Parameter(help="Its id or a part of it; else the most recent.")] = None,
    *,
    timeout: Timeout = TIMEOUT_SECONDS,  # noqa: ASYNC109  an option of the command
    options: Options = DEFAULT,
) -> int:
    """Prove that the companion of a worker is reached, and how long the way there and back takes."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        worker_id = await pick_worker(client, worker)
        device = f"cli-{platform.node() or 'terminal'}"
        shaker = HandshakeClient(client, device_id=device, source="autopilot-cli", timeout_seconds=timeout)
        try:
            with terminal.busy("waiting for the companion"):
                connection = await shaker.run(worker_id)
        except HandshakeTimeout as silence:
            asked_seq = silence.fact("asked_seq")
            became = (
                "Whether the question was recorded is not known."
                if asked_seq is None
                else "The question stays in the ledger; a companion that comes back in time answers it."
            )
            raise CommandFailed(
                f"No answer from the companion of {worker_id} within {timeout:g} s. {became}",
                Exit.UNDECIDED,
                reason_code="handshake_timeout",
                asked_seq=asked_seq,
            ) from silence
    if options.json:
        terminal.result(connection)
    terminal.say(
        f"[green]connected[/green]: {escape(connection.machine_id)} answered after {connection.seconds * 1000:.0f} ms "
        f"[dim](asked at {connection.asked_seq}, answered at {connection.acked_seq})[/dim]"
    )
    return Exit.OK
