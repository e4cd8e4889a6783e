"""`autopilot machine share` and `unshare`: which team works with a machine of yours."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from autopilot.cli.connect import connected
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.pick import pick_machine
from autopilot.cli.teams import Which, picked
from autopilot.cli.terminal import Terminal

Mine = Annotated[str, Parameter(help="Its id or a part of it, or its name.")]


async def share(machine: Mine, team: Which, *, options: Options = DEFAULT) -> None:
    """Put one of your machines into a team: its members work with it, and with all that runs on it, by their roles."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        meant = picked(await client.teams(), team)
        shared = await client.share_machine(await pick_machine(client, machine), meant.team_id)
    if options.json:
        terminal.result(shared)
    terminal.say(f"{shared.name} is shared with {meant.name}, and so is everything that runs on it.", markup=False)


async def unshare(machine: Mine, *, options: Options = DEFAULT) -> None:
    """Take one of your machines out of its team; what members have open of it ends within two seconds."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        mine = await client.unshare_machine(await pick_machine(client, machine))
    if options.json:
        terminal.result(mine)
    terminal.say(f"{mine.name} is yours alone.", markup=False)
