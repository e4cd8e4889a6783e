"""`autopilot send | request | interrupt | stop`: ask a worker something, and say what became of it.

A request has a receipt, and these commands tell its state as it is: ended, refused, still open, or unknown. The same
`--request-id` again is the same request; where one may have to be repeated, what is said names it (asking.py).
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any

from cyclopts import Parameter
from rich.markup import escape

from autopilot.cli.asking import Asked
from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options, is_time
from autopilot.cli.pick import pick_machine, pick_worker
from autopilot.cli.terminal import Terminal
from autopilot.client import RuntimeCodexClient, has_ended
from autopilot.client.calls import new_id
from autopilot.client.saying import NOTHING
from autopilot.contract import RequestOutcome
from autopilot.contract.errors import Conflict, Forbidden, NotFound
from autopilot.ops.program import autopilot

Worker = Annotated[str | None, Parameter(name=("--worker", "-w"), help="Its id or a part of it; else the most recent.")]
RequestId = Annotated[str | None, Parameter(help="Give the same id again to repeat without doing it twice.")]
Wait = Annotated[float, Parameter(help="Seconds to wait for the end (at most 60).", validator=is_time)]

HISTORY_PAGE = 200
OF_THREAD = ".thread"
"""What the id of a request to say something in a new thread gets, for the request that makes the thread."""


async def send(
    text: Annotated[str, Parameter(help="What to say to Codex.")],
    *,
    worker: Worker = None,
    new: Annotated[bool, Parameter(negative=(), help="In a new thread.")] = False,
    resume: Annotated[bool, Parameter(negative=(), help="Open the worker again first, where it is stopped.")] = False,
    cwd: Annotated[str | None, Parameter(help="Folder of the new thread, on the machine; else this one.")] = None,
    request_id: RequestId = None,
    wait: Wait = 15.0,
    options: Options = DEFAULT,
) -> int:
    """Say something to Codex: starts a turn, in the most recent worker or a new one."""
    if not text.strip():
        raise CommandFailed(NOTHING, Exit.USAGE, reason_code="nothing_said")
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        with terminal.busy("waiting for Codex to take it"):
            target = await _new_worker(client, cwd, request_id) if new else await pick_worker(client, worker)
            asked = Asked(request_id=request_id or new_id("request"), worker_id=target)
            if resume:
                await client.create_worker(target)  # of one that is open, this says only that
            params = {"input": [{"type": "text", "text": text}]}
            try:
                with asked.in_doubt():
                    outcome = await client.request(
                        target, "turn/start", params, request_id=asked.request_id, wait_ms=_milliseconds(wait)
                    )
            except Conflict as error:
                raise with_way_out(error) from error
    return report(terminal, outcome, f"Codex has it. Follow with: {autopilot('watch')}", asked)


def with_way_out(error: Conflict) -> Conflict:
    """The same refusal; that of a stopped worker says how to open it again."""
    if error.reason_code != "worker_stopped":
        return error
    message = f"{error.message.rstrip('.')}. To open it again first: {autopilot('send --resume')} …"
    return Conflict(message, details=error.details, request_id=error.request_id)


async def _new_worker(client: RuntimeCodexClient, cwd: str | None, request_id: str | None) -> str:
    """A new thread on the most recent machine, as a worker; a repeated request's is the one that it made."""
    asked = Asked(request_id=request_id or new_id("request"))
    thread = f"{asked.request_id}{OF_THREAD}"
    machine = (await _asked_before(client, thread) if request_id else None) or await pick_machine(client, None)
    with asked.in_doubt():
        made = await client.machine_request(machine, "thread/start", {"cwd": _folder(cwd)}, request_id=thread)
    if made.ok:
        return str(made.response["worker_id"])
    if has_ended(made):
        lead = "No new thread" if made.ok is False else "Whether there is a new thread is not known"
        raise CommandFailed(f"{lead}: {_why(made)}", _exit_of(made), reason_code=made.state)
    raise CommandFailed(
        f"No new thread yet, and nothing was said in it. {_waits(made)}Repeat the command with {asked.again}",
        Exit.UNDECIDED,
        reason_code=made.state,
        asked=asked.request_id,
    )


def _folder(named: str | None) -> str:
    """The whole path: one from here would be looked for from where Codex happens to run."""
    is_whole = named is not None and (PurePosixPath(named).is_absolute() or PureWindowsPath(named).is_absolute())
    return named if named and is_whole else os.path.abspath(named or ".")  # noqa: PTH100  a string for the wire


async def _asked_before(client: RuntimeCodexClient, request_id: str) -> str | None:
    """The machine that a request went to before; None: it is new. By now another may be the most recent."""
    for machine in await client.machines():
        with contextlib.suppress(NotFound, Forbidden):
            await client.machine_receipt(machine.machine_id, request_id)
            return machine.machine_id
    return None


async def request(
    method: Annotated[str, Parameter(help="A method of Codex's app-server: turn/start, thread/read, model/list, …")],
    params: Annotated[str, Parameter(help="Its parameters as a JSON object.")] = "{}",
    *,
    worker: Worker = None,
    machine: Annotated[
        str | None, Parameter(help="Ask a machine instead ('any': the most recent), for what concerns no worker yet.")
    ] = None,
    whole: Annotated[
        bool, Parameter(negative=(), help="Of an answer that was too large for its receipt: print all of it.")
    ] = False,
    request_id: RequestId = None,
    wait: Wait = 15.0,
    options: Options = DEFAULT,
) -> int:
    """Send any request, and print its answer."""
    terminal = Terminal(as_json=options.json)
    given = _object(params)
    request_id = request_id or new_id("request")
    async with connected(options) as client:
        with terminal.busy(f"waiting for {method}"):
            if machine is not None:
                target = await pick_machine(client, None if machine == "any" else machine)
                asked, ask = Asked(request_id=request_id, machine_id=target), client.machine_request
            else:
                target = await pick_worker(client, worker)
                asked, ask = Asked(request_id=request_id, worker_id=target), client.request
            with asked.in_doubt():
                outcome = await ask(target, method, given, request_id=request_id, wait_ms=_milliseconds(wait))
            if whole and outcome.artifacts:
                outcome = replace(outcome, response=await client.whole_response(outcome), artifacts=())
    ended = report(terminal, outcome, json.dumps(outcome.response, indent=2, ensure_ascii=False), asked)
    if outcome.artifacts and not options.json:
        terminal.remark(f"{len(outcome.artifacts)} parts were too large and are not shown whole: --whole prints them.")
    return ended


async def interrupt(
    worker: Annotated[str | None, Parameter(help="Its id or a part of it; else the most recent.")] = None,
    *,
    turn: Annotated[str | None, Parameter(help="The turn; else the one that runs.")] = None,
    request_id: RequestId = None,
    wait: Wait = 15.0,
    options: Options = DEFAULT,
) -> int:
    """Interrupt the turn that runs."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        target = await pick_worker(client, worker)
        turn_id = turn or (request_id and await _meant_before(client, target, request_id))
        turn_id = turn_id or await running_turn(client, target)
        if turn_id is None:
            raise CommandFailed("No turn is running there.", Exit.CONFLICT, reason_code="no_turn")
        asked = Asked(request_id=request_id or new_id("request"), worker_id=target)
        with terminal.busy("waiting for Codex to stop the turn"), asked.in_doubt():
            outcome = await client.request(
                target, "turn/interrupt", {"turnId": turn_id}, request_id=asked.request_id, wait_ms=_milliseconds(wait)
            )
    return report(terminal, outcome, "Interrupted.", asked)


async def _meant_before(client: RuntimeCodexClient, worker_id: str, request_id: str) -> str | None:
    """The turn that a request meant when it was made; by now none may run, or another. None: it is new."""
    try:
        found = (await client.receipt(worker_id, request_id)).params or {}
    except NotFound:
        return None
    return str(found["turnId"]) if "turnId" in found else None


async def stop(
    worker: Annotated[str | None, Parameter(help="Its id or a part of it; else the most recent.")] = None,
    *,
    force: Annotated[bool, Parameter(negative=(), help="Close the log at once, without the companion's word.")] = False,
    reason: Annotated[str | None, Parameter(help="Why, for the log.")] = None,
    options: Options = DEFAULT,
) -> int:
    """Stop a worker: its turn, its commands, its log. Reattaching resumes it."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        stopped = await client.stop_worker(await pick_worker(client, worker), reason=reason, force=force)
    if options.json:
        terminal.result(stopped)
    word = {"stopping": "is stopping: the companion was told", "stopped": "is stopped"}.get(
        stopped.status, stopped.status
    )
    terminal.say(f"{escape(stopped.worker_id)} {word}.")
    return Exit.OK


async def running_turn(client: RuntimeCodexClient, worker_id: str) -> str | None:
    """The turn that runs, by the log: the last one that was started, if it was not completed."""
    before: int | None = None
    completed: set[str] = set()
    while True:
        page = await client.events(worker_id, before=before, limit=HISTORY_PAGE)
        for envelope in reversed(page):
            method, turn_id = envelope.payload.get("method"), _turn_id(envelope.payload)
            if turn_id is None:
                continue  # pruned, or somebody's own event of that name
            if method == "turn/completed":
                completed.add(turn_id)
            elif method == "turn/started":
                return None if turn_id in completed else turn_id
        if not page or page[0].seq <= 1:
            return None
        before = page[0].seq


def _turn_id(payload: dict[str, Any]) -> str | None:
    """The id of the turn that an event is about; a payload is free, and may be pruned."""
    found: Any = payload
    for name in ("params", "turn", "id"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None


def report(terminal: Terminal, outcome: RequestOutcome, done: str, asked: Asked) -> int:
    """Say how a request ended, or that it has not; the exit code that goes with it."""
    if terminal.as_json:
        terminal.result(outcome)
    elif outcome.ok:
        terminal.say(done, markup=False)
    elif has_ended(outcome):
        terminal.remark(f"[red]{outcome.state}[/red]: {escape(_why(outcome))}")
    else:
        terminal.remark(
            f"[yellow]{outcome.state}[/yellow]: not ended yet. {_waits(outcome)}Ask again with "
            f"{escape(asked.again)}, or look: {escape(autopilot(f'trace {outcome.request_id}'))}"
        )
    return _exit_of(outcome)


def _waits(outcome: RequestOutcome) -> str:
    return "Its machine is away: it waits. " if outcome.machine_unreachable else ""


def _exit_of(outcome: RequestOutcome) -> Exit:
    if outcome.ok:
        return Exit.OK
    return Exit.FAILED if has_ended(outcome) and outcome.ok is False else Exit.UNDECIDED


def _why(outcome: RequestOutcome) -> str:
    if outcome.error:
        return str(outcome.error.get("message") or outcome.error.get("code") or outcome.error)
    if outcome.state == "indeterminate":
        return "nobody can know whether Codex acted on it; it was not tried again"
    return f"the request is {outcome.state}"


def _milliseconds(seconds: float) -> int:
    return max(0, min(60_000, int(seconds * 1000)))


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"The parameters are not JSON: {error}", Exit.USAGE) from error
    if not isinstance(value, dict):
        raise CommandFailed("The parameters are not a JSON object.", Exit.USAGE)
    return value
