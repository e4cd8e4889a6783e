"""`autopilot policy test-approval`: which rule would decide a question of Codex, and who may answer it.

Relies on the server for the verdict, as `policy test` does. Changes nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from autopilot.cli.connect import connected
from autopilot.cli.documents import text_of, told
from autopilot.cli.exits import Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.pick import pick_worker
from autopilot.cli.policy import INVALID, Draft, OnTeam, Subject, about_of, document_of, object_of
from autopilot.cli.printable import printable
from autopilot.cli.terminal import Terminal
from autopilot.contract import ApprovalVerdict, PolicyDenial, TestApproval
from autopilot.contract.errors import Unprocessable

Kind = Literal[
    "command",
    "file_change",
    "permissions",
    "user_input",
    "mcp_form",
    "mcp_url",
    "mcp_tool_call",
    "dynamic_tool",
    "legacy_command",
    "legacy_patch",
    "unsupported",
]


async def attempt(
    kind: Annotated[Kind, Parameter(help="What Codex asks.")],
    *,
    command: Annotated[str | None, Parameter(help="The command, as one line.")] = None,
    cwd: Annotated[str | None, Parameter(help="The folder it would run in.")] = None,
    path: Annotated[
        tuple[str, ...], Parameter(help="A file that would change; as often as there are.", negative=())
    ] = (),
    params: Annotated[str, Parameter(help="What Codex says besides, as a JSON object.")] = "{}",
    worker: Annotated[str | None, Parameter(name=("--worker", "-w"), help="The worker it would come from.")] = None,
    file: Draft = None,
    subject: Annotated[Subject | None, Parameter(help="Whose document the draft would be: yours, unless told.")] = None,
    team: OnTeam = None,
    options: Options = DEFAULT,
) -> int:
    """Ask what would decide a question of Codex. Changes nothing; exit code 1 where it would wait for a person."""
    terminal = Terminal(as_json=options.json)
    said = object_of(params)
    text = None if file is None else text_of(file)
    async with connected(options) as client:
        about = await about_of(client, subject, team)
        draft = None if file is None or text is None else document_of(file, text, about, 0)
        target = None if worker is None else await pick_worker(client, worker)
        asked = TestApproval(
            kind=kind,
            command_line=command,
            cwd=cwd,
            paths=path,
            params=said,
            worker_id=target,
            team_id=about.on_team,
            instead=draft,
        )
        try:
            verdict = await client.try_approval(asked)
        except Unprocessable as error:
            raise told(terminal, file or "", error, INVALID) from error
    if options.json:
        terminal.result(verdict)
    else:
        for line in words_of(kind, verdict):
            terminal.say(printable(line), markup=False)
    return Exit.FAILED if verdict.decision is None else Exit.OK


def words_of(kind: str, verdict: ApprovalVerdict) -> list[str]:
    """What a person is told of a verdict."""
    decided = verdict.decision
    if decided is None:
        lines = [f"{kind} waits for a person: no rule decides it."]
    else:
        version = "the draft" if decided.version == 0 else f"version {decided.version}"
        lines = [
            f"{kind} is decided by a rule: {decided.decision}",
            f"rule      {decided.rule_id} ({decided.name})",
            f"document  {decided.document}{'' if decided.team_id is None else f' {decided.team_id}'}, {version}",
        ]
    may = [one.who for one in verdict.answerers if one.allowed]
    lines.append(f"may answer: {', '.join(may) or 'nobody'}")
    for one in verdict.answerers:
        if not one.allowed:
            denial = one.denial or PolicyDenial(reason_code="policy_denied")
            lines.append(f"{one.who} may not: {denial.message or denial.reason_code}")
    return lines
