"""`autopilot doctor`: looks at everything that commonly goes wrong, and says what to do about it.

Owns the list of checks and the report. Each check looks at the real thing; none changes anything.
"""

from __future__ import annotations

import os
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from autopilot.cli.checks import codex, database, machine, seals, server
from autopilot.cli.checks.finding import Check, Finding, Verdict, problem
from autopilot.cli.connect import Target, client_of, target_of
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import home_for_up, running_home
from autopilot.cli.options import DEFAULT, PORT, Options
from autopilot.cli.terminal import Terminal

STYLES = {Verdict.OK: "green", Verdict.NOTE: "default", Verdict.WARNING: "yellow", Verdict.PROBLEM: "red"}


async def doctor(
    *,
    port: Annotated[
        int, Parameter(env_var="AUTOPILOT_PORT", help="The port to look at when nothing runs.", validator=PORT)
    ] = 8787,
    options: Options = DEFAULT,
) -> int:
    """Check what commonly goes wrong; exit code 1 when something does not work."""
    terminal = Terminal(as_json=options.json)
    findings: list[Finding] = []
    for check in checks(options, port):
        with terminal.busy("looking"):
            found = await check()
        findings += found
        for finding in found:
            _say(terminal, finding)
    if options.json:
        terminal.result(findings)
    return Exit.FAILED if any(finding.verdict is Verdict.PROBLEM for finding in findings) else Exit.OK


def checks(options: Options, port: int) -> list[Check]:
    """What to look at, in order: this machine, then Codex, then the server."""
    here = running_home(os.environ)
    home, running = here or (home_for_up(os.environ), None)
    dsn = running.database_url if running else os.environ.get("DATABASE_URL") or None
    return [
        lambda: machine.permissions(home),
        lambda: machine.disk(home),
        lambda: machine.port(running, port),
        lambda: codex.codex(os.environ, home),
        lambda: codex.companion(home),
        lambda: seals.kept(home),
        lambda: database.database(dsn, home, os.environ),
        lambda: _server(options),
        lambda: machine.reach(running),
    ]


async def _server(options: Options) -> list[Finding]:
    try:
        target: Target = target_of(options, os.environ)
    except CommandFailed as nowhere:
        return [problem("server", nowhere.message)]
    found = await server.answers(target.url)
    if any(finding.verdict is Verdict.PROBLEM for finding in found):
        return found
    async with client_of(target, os.environ) as client:
        return [*found, *await server.streaming(client)]


def _say(terminal: Terminal, finding: Finding) -> None:
    advice = f"  [dim]→ {escape(finding.advice)}[/dim]" if finding.advice else ""
    mark = f"[{STYLES[finding.verdict]}]{finding.verdict:<8}[/]"
    terminal.prose(f"{escape(finding.says)}{advice}", lead=f"{mark} {escape(f'{finding.about:<12}')} ")
