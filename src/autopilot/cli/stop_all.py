"""`autopilot stop-all`: stop every worker, and say of each what became of it.

Tells what is, never more: a worker whose machine is away is not yet done, and one that could not be asked says why.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from autopilot.cli.connect import connected
from autopilot.cli.exits import Exit
from autopilot.cli.options import DEFAULT, Options, is_time
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.client import RuntimeCodexClient
from autopilot.contract import StopAllWorker, StoppedAll
from autopilot.contract.errors import AutopilotError

HEADINGS = ("WORKER", "STATUS", "WHAT")
LOOK_SECONDS = 0.3
LOOK_WITHIN_SECONDS = 5.0
OVER = frozenset({"stopped", "failed"})


async def stop_all(
    *,
    reason: Annotated[str | None, Parameter(help="Why, for the logs.")] = None,
    force: Annotated[
        bool, Parameter(negative=(), help="Close the logs at once, without the companions' word.")
    ] = False,
    wait: Annotated[float, Parameter(help="Seconds to wait for the companions' word.", validator=is_time)] = 0.0,
    options: Options = DEFAULT,
) -> int:
    """Stop everything: every worker that you may stop, all at once. For emergencies."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        asked = await client.stop_all(reason=reason, force=force)
        with terminal.busy("waiting for the companions"):
            told = await after(client, asked, wait)
    if options.json:
        terminal.result(told)
    elif not told.workers:
        terminal.say("Nothing was running.")
    else:
        print_table(terminal.out, HEADINGS, rows_of(told))
    return exit_of(told)


async def after(client: RuntimeCodexClient, asked: StoppedAll, seconds: float) -> StoppedAll:
    """What is true of each once all are stopped, or after so many seconds."""
    told = {worker.worker_id: worker for worker in asked.workers}
    try:
        async with asyncio.timeout(seconds):
            while waiting := [one for one in told.values() if one.status == "stopping"]:
                await asyncio.sleep(LOOK_SECONDS)
                for worker in waiting:
                    with contextlib.suppress(AutopilotError):  # that they are told to stop is known, and is told
                        snapshot = await client.worker(worker.worker_id, within_seconds=LOOK_WITHIN_SECONDS)
                        told[worker.worker_id] = replace(worker, status=snapshot.status)
    except TimeoutError:
        pass
    states = [worker.status for worker in told.values()]
    return StoppedAll(
        workers=tuple(told.values()),
        stopped=sum(state in OVER for state in states),
        stopping=states.count("stopping"),
    )


def rows_of(told: StoppedAll) -> list[tuple[str, ...]]:
    """What the table shows of each worker."""
    return [(worker.worker_id, worker.status or "not asked", words_of(worker)) for worker in told.workers]


def words_of(worker: StopAllWorker) -> str:
    """What a person should know of it."""
    if worker.error is not None:
        return worker.error.message
    if worker.status in OVER:
        return ""
    return "its machine is away: done first when it returns" if worker.machine_unreachable else "its machine was told"


def exit_of(told: StoppedAll) -> Exit:
    """0 when each is stopped or its machine was told; 1 when one could not be asked; 10 when a machine is away."""
    if any(worker.error is not None for worker in told.workers):
        return Exit.FAILED
    away = any(worker.machine_unreachable and worker.status == "stopping" for worker in told.workers)
    return Exit.UNDECIDED if away else Exit.OK
