"""`autopilot policy show | set | test`: what may be asked for at all, and a way to try it before it is in force.

A document is somebody's: one's own unless `--subject` says else, a team's where `--team` names one. Relies on the
server for every verdict: a document is read and judged there alone. Faults of a document are printed one a line,
`file:line: path and what is wrong`, as compilers do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from autopilot.cli import policy_table
from autopilot.cli.connect import connected
from autopilot.cli.documents import format_of, put_in_force, text_of, told
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options, is_dash_at_most
from autopilot.cli.pick import pick_worker
from autopilot.cli.printable import printable
from autopilot.cli.teams import picked
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.client import RuntimeCodexClient
from autopilot.contract import Policies, PolicyDenial, PolicyDocument, PolicyVerdict, SetPolicy
from autopilot.contract.errors import Unprocessable

Subject = Literal["user", "installation", "team"]
OfTeam = Annotated[str | None, Parameter(help="That team's document: its name or id.")]
OnTeam = Annotated[str | None, Parameter(help="On a machine of this team (name or id); a draft is its document.")]
Draft = Annotated[
    str | None,
    Parameter(
        help="Try this draft (-: standard input) in the place of the document in force.",
        allow_leading_hyphen=True,
        validator=is_dash_at_most,
    ),
]
INVALID = "policy_invalid"


async def show(
    *,
    subject: Annotated[Subject | None, Parameter(help="Print that document as it was written, to be changed.")] = None,
    version: Annotated[
        int | None, Parameter(help="As it was in that version, in force or not (yours, unless told else).")
    ] = None,
    team: Annotated[
        str | None, Parameter(help="What binds on this team's machines; --subject team: its document itself.")
    ] = None,
    options: Options = DEFAULT,
) -> None:
    """Show the documents in force, and what they come to."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        about = await about_of(client, subject, team)
        if version is not None:
            _print(terminal, await client.policy_version(version, about.subject, team_id=about.team_id))
            return
        found = await client.policies(about.on_team)
    if subject is not None:
        document = next((one for one in found.documents if one.subject == subject), None)
        if document is None:
            raise CommandFailed(f"There is no {subject} policy.", Exit.NOT_FOUND)
        _print(terminal, document)
    elif options.json:
        terminal.result(found)
    else:
        _say(terminal, found)


async def put(
    file: Annotated[
        str,
        Parameter(
            help="The document, TOML unless its name ends with .json; - reads TOML.",
            allow_leading_hyphen=True,
            validator=is_dash_at_most,
        ),
    ],
    *,
    subject: Annotated[Subject | None, Parameter(help="Yours, unless told else; or everybody's.")] = None,
    team: OfTeam = None,
    expected: Annotated[
        int | None, Parameter(name="--expected", help="Only if this version is in force (0: none); else whichever is.")
    ] = None,
    options: Options = DEFAULT,
) -> None:
    """Put a document in force: yours, or with an admin's token the installation's."""
    terminal = Terminal(as_json=options.json)
    text = text_of(file)
    async with connected(options) as client:
        try:
            policy = document_of(file, text, await about_of(client, subject, team), expected or 0)
            document = await put_in_force(client.set_policy, policy, whichever=expected is None)
        except Unprocessable as error:
            raise told(terminal, file, error, INVALID) from error
    if options.json:
        terminal.result(document)
    terminal.say(f"The {policy_table.name_of(document)} policy is version {document.version} now.", markup=False)


async def attempt(
    method: Annotated[str, Parameter(help="The request's method: turn/start, thread/start, …")],
    *,
    param: Annotated[
        tuple[str, ...], Parameter(help="One of its params, NAME=TEXT; as often as there are.", negative=())
    ] = (),
    params: Annotated[str, Parameter(help="Its params as a JSON object.")] = "{}",
    worker: Annotated[str | None, Parameter(name=("--worker", "-w"), help="The worker it would go to.")] = None,
    file: Draft = None,
    subject: Annotated[Subject | None, Parameter(help="Whose document the draft would be: yours, unless told.")] = None,
    team: OnTeam = None,
    options: Options = DEFAULT,
) -> int:
    """Ask whether a request would be let through. Changes nothing; exit code 1 where the answer is no."""
    terminal = Terminal(as_json=options.json)
    asked = {**object_of(params), **dict(map(_pair, param))}
    text = None if file is None else text_of(file)
    async with connected(options) as client:
        about = await about_of(client, subject, team)
        draft = None if file is None or text is None else document_of(file, text, about, 0)
        target = None if worker is None else await pick_worker(client, worker)
        try:
            verdict = await client.try_policy(method, asked, worker_id=target, team_id=about.on_team, instead=draft)
        except Unprocessable as error:
            raise told(terminal, file or "", error, INVALID) from error
    if options.json:
        terminal.result(verdict)
    else:
        for line in words_of(method, verdict):
            terminal.say(printable(line), markup=False)
    return Exit.OK if verdict.allowed else Exit.FAILED


def words_of(method: str, verdict: PolicyVerdict) -> list[str]:
    """What a person is told of a verdict."""
    if verdict.allowed:
        return [f"{method} is allowed."]
    denial = verdict.denial or PolicyDenial(reason_code="policy_denied")
    facts = [
        ("rule", denial.rule_id),
        ("document", denial.document if denial.team_id is None else f"{denial.document} {denial.team_id}"),
        ("version", "the draft" if denial.version == 0 else denial.version),
        ("field", denial.field),
        ("why", denial.message),
    ]
    return [f"{method} is denied: {denial.reason_code}", *(f"{name:<9} {fact}" for name, fact in facts if fact)]


def _print(terminal: Terminal, document: PolicyDocument) -> None:
    """A document as it was written."""
    if terminal.as_json:
        terminal.result(document)
    else:
        terminal.out.print(printable(document.text), markup=False, end="")


def _say(terminal: Terminal, found: Policies) -> None:
    for document in found.documents:
        terminal.say(
            f"{policy_table.name_of(document)} policy: version {document.version}, of {document.created_at}",
            markup=False,
        )
    if not found.documents:
        terminal.say("No documents: the built-in rules alone hold.")
    for headings, rows in policy_table.tables_of(found):
        if rows:
            print_table(terminal.out, headings, rows)


@dataclass(frozen=True, slots=True)
class About:
    """Whose document is meant, and on whose machines."""

    subject: Subject
    on_team: str | None
    """The team on whose machines; None: on machines that no team shares."""

    @property
    def team_id(self) -> str | None:
        """The team, where the document is a team's."""
        return self.on_team if self.subject == "team" else None


async def about_of(client: RuntimeCodexClient, subject: Subject | None, team: str | None) -> About:
    """What `--subject` and `--team` mean together.

    Raises:
        CommandFailed: a team's document without its team; or no team of theirs.
    """
    if subject == "team" and team is None:
        raise CommandFailed("--subject team goes with --team NAME.", Exit.USAGE)
    team_id = None if team is None else picked(await client.teams(), team).team_id
    return About(subject or ("user" if team_id is None else "team"), team_id)


def document_of(file: str, text: str, about: About, expected_version: int) -> SetPolicy:
    """A text as a document; in JSON where its file's name says so."""
    return SetPolicy(
        subject=about.subject,
        team_id=about.team_id,
        format=format_of(file),
        text=text,
        expected_version=expected_version,
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise CommandFailed(f"--param takes NAME=TEXT, and {text} is not that.", Exit.USAGE)
    return name, value


def object_of(text: str) -> dict[str, Any]:
    """The JSON object of `--params`. Raises CommandFailed: it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"--params is not JSON: {error}", Exit.USAGE) from error
    if not isinstance(value, dict):
        raise CommandFailed("--params is not a JSON object.", Exit.USAGE)
    return value
