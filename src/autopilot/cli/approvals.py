"""`autopilot approvals | approve | deny | answer`: what Codex asks, and what a person says to it.

An approval is named by its id or by the beginning of it that only it has. Repeating a command is safe: the same answer
again is the same answer, and another one says who was first.
"""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from autopilot.cli import prompts
from autopilot.cli.approval_words import card, label_of, line, short
from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.pick import pick_worker, said
from autopilot.cli.printable import printable
from autopilot.cli.terminal import Terminal
from autopilot.client import RuntimeCodexClient, has_approval_ended
from autopilot.contract import Approval, ApprovalOption, StreamCaughtUp
from autopilot.contract.errors import Conflict, NotFound
from autopilot.ops.program import autopilot

Id = Annotated[str, Parameter(help="Its id, or as much of the beginning as only it has.")]
State = Literal["pending", "open", "ended", "all"]

PREFIX = "ap_"
TOOL = "dynamic_tool"
MAX_TOLD = 2000
"""Approvals that `--follow` remembers having told of."""


async def approvals(
    *,
    follow: Annotated[
        bool, Parameter(negative=(), help="Go on: show each as it comes, and what becomes of it.")
    ] = False,
    state: Annotated[State, Parameter(help="Which: pending, open (not ended), ended, all.")] = "pending",
    worker: Annotated[
        str | None, Parameter(name=("--worker", "-w"), help="Only of this worker (a part of its id).")
    ] = None,
    full: Annotated[bool, Parameter(negative=(), help="Show long diffs whole.")] = False,
    options: Options = DEFAULT,
) -> None:
    """List what Codex asks you, oldest first; or follow it."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        worker_id = None if worker is None else await pick_worker(client, worker)
        if follow:
            await _follow(client, terminal, state, worker_id, full=full)
            return
        found = [approval async for approval in client.every_approval(state=state, worker_id=worker_id)]
    if options.json:
        terminal.result(found)
        return
    for number, approval in enumerate(found):
        if number:
            terminal.say()
        terminal.out.print(card(approval, full=full))
    if not found:
        terminal.say("Codex asks nothing." if state == "pending" else "No approvals.")


async def approve(
    approval: Id,
    *,
    session: Annotated[bool, Parameter(negative=(), help="And the like of it for the rest of the session.")] = False,
    always: Annotated[bool, Parameter(negative=(), help="And the like of it from now on.")] = False,
    option: Annotated[str | None, Parameter(help="The option of this id, whatever it is.")] = None,
    options: Options = DEFAULT,
) -> None:
    """Say yes to what Codex asks."""
    if sum((session, always, option is not None)) > 1:
        raise CommandFailed("Only one of --session, --always and --option.", Exit.USAGE)

    def choice(asked: Approval) -> ApprovalOption:
        if option is not None:
            return _only(asked, f"called {option}", lambda one: one.option_id == option)
        if session or always:
            words = "for the session" if session else "from now on"
            return _only(
                asked,
                f"that allows it {words}",
                lambda one: one.effect == "accept_lasting" and ("session" in one.option_id.lower()) is session,
            )
        return _only(asked, "that simply allows it", lambda one: one.effect == "accept")

    await _decide(approval, choice, None, None, options)


async def deny(
    approval: Id,
    *,
    message: Annotated[str | None, Parameter(help="Words for the model: what to do instead.")] = None,
    cancel: Annotated[bool, Parameter(negative=(), help="And end the turn.")] = False,
    options: Options = DEFAULT,
) -> None:
    """Say no to what Codex asks."""
    effect = "cancel" if cancel else "decline"

    def choice(asked: Approval) -> ApprovalOption:
        return _only(asked, f"that means {effect}", lambda one: one.effect == effect)

    await _decide(approval, choice, None, message, options)


async def answer(
    approval: Id,
    *answers: Annotated[str, Parameter(help="question=text or field=value; just the text where one thing is asked.")],
    json_content: Annotated[str | None, Parameter(help="The whole answer as a JSON object instead.")] = None,
    message: Annotated[str | None, Parameter(help="Words for the model, where the answer takes them.")] = None,
    options: Options = DEFAULT,
) -> None:
    """Answer the questions that Codex asks, or fill in a form. What is missing is asked for on a terminal."""

    def choice(asked: Approval) -> ApprovalOption:
        return _only(asked, "that takes an answer", lambda one: one.takes_content is True)

    def content(asked: Approval) -> dict[str, Any]:
        return _object(json_content) if json_content is not None else _filled_in(asked, answers)

    await _decide(approval, choice, content, message, options)


async def _decide(
    named: str,
    choice: Callable[[Approval], ApprovalOption],
    content: Callable[[Approval], dict[str, Any]] | None,
    message: str | None,
    options: Options,
) -> None:
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        asked = await pick_approval(client, named)
        chosen = choice(asked)
        if chosen.takes_content and content is None:
            raise CommandFailed(
                f"That takes more than a yes: {autopilot(f'answer {short(asked)}')} …",
                Exit.USAGE,
                reason_code="content",
            )
        try:
            decided = await client.decide(
                asked.approval_id,
                chosen.option_id,
                content=None if content is None else content(asked),
                message=message,
            )
        except Conflict as error:
            raise _too_late(asked, error) from error
    if options.json:
        terminal.result(decided)
        return
    waits = "; its machine is away, and gets it when it returns" if decided.machine_reachable is False else ""
    terminal.say(f"{short(decided)}: {chosen.label}{waits}.", markup=False)


async def pick_approval(client: RuntimeCodexClient, named: str) -> Approval:
    """The approval whose id is `named`, or begins so; of those that have ended only by the whole id.

    Raises:
        CommandFailed: it is empty, several begin so, or none is known.
    """
    wanted = said(named, "approval") if named.startswith(PREFIX) else PREFIX + said(named, "approval")
    fits = [one async for one in client.every_approval(state="open") if one.approval_id.startswith(wanted)]
    if len(fits) > 1:
        names = ", ".join(short(one) if short(one) != wanted else one.approval_id for one in fits[:5])
        raise CommandFailed(f"'{named}' fits several approvals: {names}", Exit.USAGE)
    if fits:
        return fits[0]
    try:
        return await client.approval(wanted)
    except NotFound as error:
        raise CommandFailed(
            f"Codex asks nothing with the id {named}. Look: {autopilot('approvals')}", Exit.NOT_FOUND
        ) from error


async def _follow(
    client: RuntimeCodexClient, terminal: Terminal, state: State, worker_id: str | None, *, full: bool
) -> None:
    """Show what is there, then each change, for as long as one likes."""
    told: dict[str, str] = {}
    beginning = True
    async with client.follow_everything() as follower:
        async for entry in follower:
            if isinstance(entry, StreamCaughtUp):
                beginning = False
            if not isinstance(entry, Approval) or (worker_id is not None and entry.worker_id != worker_id):
                continue
            if told.get(entry.approval_id) == entry.state or (beginning and not _shows(state, entry)):
                continue
            told.pop(entry.approval_id, None)
            told[entry.approval_id] = entry.state
            if len(told) > MAX_TOLD:
                del told[next(iter(told))]
            if terminal.as_json:
                terminal.result(entry)
            else:
                terminal.out.print(card(entry, full=full) if entry.state == "pending" else line(entry))


def _shows(state: State, approval: Approval) -> bool:
    ended = has_approval_ended(approval)
    return {"pending": approval.state == "pending", "open": not ended, "ended": ended, "all": True}[state]


def _only(asked: Approval, what: str, fits: Callable[[ApprovalOption], bool]) -> ApprovalOption:
    """The one option that fits.

    Raises:
        CommandFailed: none does, or several do.
    """
    if asked.answerable is False:
        raise CommandFailed("That can only be answered at the computer.", Exit.CONFLICT)
    found = [option for option in asked.options if fits(option)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{option.option_id} ({option.label})" for option in found or asked.options)
    how_many = "several options" if found else "no option"
    choose = autopilot(f"approve {short(asked)} --option") + " …"
    raise CommandFailed(f"There is {how_many} {what}. Choose: {choose}, of {known}", Exit.USAGE)


def _filled_in(asked: Approval, answers: Iterable[str]) -> dict[str, Any]:
    """The content that the words on the command line make, and what is asked for in addition."""
    if asked.kind == TOOL and asked.form is None:
        return {"success": True, "text": " ".join(answers)}
    names = _names(asked)
    given: dict[str, list[str]] = {}
    for word in answers:
        name, found, text = word.partition("=")
        if not found or name not in names:
            if len(names) != 1:
                known = ", ".join(names)
                raise CommandFailed(f"'{word}' does not say what it answers. Give NAME=TEXT of: {known}", Exit.USAGE)
            name, text = names[0], word
        given.setdefault(name, []).append(text)
    questions = asked.evidence.questions if asked.evidence else ()
    if not questions:
        properties = (asked.form or {}).get("properties") or {}
        return {name: _typed(name, properties.get(name), texts) for name, texts in given.items()}
    for question in questions:
        if question.question_id not in given and sys.stdin.isatty():
            ask = partial(getpass.getpass if question.secret else input, f"{printable(question.text)} ")
            given[question.question_id] = [prompts.reply(ask)]
    missing = [question.question_id for question in questions if question.question_id not in given]
    if missing:
        raise CommandFailed(f"Not answered yet: {', '.join(missing)}. Give NAME=TEXT for each.", Exit.USAGE)
    return dict(given)


def _names(asked: Approval) -> list[str]:
    """What is to be filled in."""
    questions = asked.evidence.questions if asked.evidence else ()
    if questions:
        return [question.question_id for question in questions]
    properties = (asked.form or {}).get("properties")
    return list(properties) if isinstance(properties, dict) else []


def _typed(name: str, schema: object, texts: list[str]) -> Any:
    """A field's value as the form wants it."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind == "array":
        return texts
    text = texts[-1]
    if kind not in {"integer", "number", "boolean"}:
        return text
    try:
        return json.loads({"yes": "true", "no": "false"}.get(text, text))
    except ValueError as error:
        raise CommandFailed(f"{name} must be of type {kind}.", Exit.USAGE) from error


def _too_late(asked: Approval, error: Conflict) -> CommandFailed:
    """Who was first, or how it ended."""
    winner = error.fact("winner")
    if isinstance(winner, dict):
        through = (winner.get("actor") or {}).get("surface")
        by = f" through {through}" if through else ""
        words = f"It was answered before{by}: {label_of(asked, str(winner.get('option_id')))}."
        return CommandFailed(words, Exit.CONFLICT, reason_code=error.reason_code)
    return CommandFailed(f"Too late: {error.message}.", Exit.CONFLICT, reason_code=error.reason_code)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"The content is not JSON: {error}", Exit.USAGE) from error
    if not isinstance(value, dict):
        raise CommandFailed("The content is not a JSON object.", Exit.USAGE)
    return value
