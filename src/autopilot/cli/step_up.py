"""`autopilot step-up`: prove again who you are, for what is most dangerous.

Commands that need it ask by themselves on a terminal; on the machine of the installation nothing is asked, because
whoever reads its database owns it. This one is for scripts, and for doing it beforehand.
"""

from __future__ import annotations

import os
from typing import Annotated

from cyclopts import Parameter

from autopilot.cli.connect import target_of, token_source
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal
from autopilot.client import Session, StepUpSource


async def step_up(
    *,
    code: Annotated[str | None, Parameter(help="The code that was mailed; without it, one is sent.")] = None,
    options: Options = DEFAULT,
) -> None:
    """Prove who you are: for ten minutes you may set policies, ask for full access, and manage the installation."""
    terminal = Terminal(as_json=options.json)
    async with token_source(target_of(options, os.environ), os.environ) as tokens:
        if isinstance(tokens, Session):
            stepped_up = await _with_code(tokens, code)
        elif isinstance(tokens, StepUpSource):
            stepped_up = await tokens.step_up() is not None
        else:
            raise CommandFailed("AUTOPILOT_TOKEN is used as it is: step up the session that it is of.", Exit.USAGE)
    if options.json:
        terminal.result({"stepped_up": stepped_up})
    terminal.say("Proved: good for ten minutes." if stepped_up else "A code was sent: autopilot step-up --code CODE")


async def _with_code(session: Session, code: str | None) -> bool:
    if code is not None:
        await session.finish_step_up(code)
        return True
    if session.ask_code is not None:
        return await session.step_up() is not None
    await session.request_step_up()
    return False
