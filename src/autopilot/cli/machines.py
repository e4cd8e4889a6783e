"""`autopilot machines`: the hosts with a companion, and what their Codex said last that concerns no worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from autopilot.cli.connect import connected
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.printable import printable
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.client.presenters.times import ago
from autopilot.contract import Machine, MachineFact

HEADINGS = ("MACHINE", "NAME", "LAST HEARD", "CODEX", "COMPANION", "PLATFORM", "TEAM", "YOUR ROLE")
MOST_WORDS = 160
NO_TEAMS: Mapping[str, str] = {}


async def machines(*, options: Options = DEFAULT) -> None:
    """List your machines and those of your teams, the last one heard of first."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        found = await client.machines()
        is_shared = any(one.owner is not None and one.owner.team_id is not None for one in found)
        names = {team.team_id: team.name for team in await client.teams()} if is_shared and not options.json else {}
    if options.json:
        terminal.result(found)
        return
    if not found:
        terminal.say("No machines yet.")
        return
    print_table(terminal.out, HEADINGS, rows_of(found, names))
    for machine in found:
        for fact in machine.facts:
            line = f"{machine.name}: {fact.method} ({ago(fact.occurred_at)}): {words_of(fact)}"
            terminal.out.print(printable(line), markup=False)


def rows_of(found: Iterable[Machine], teams: Mapping[str, str] = NO_TEAMS) -> list[tuple[str, ...]]:
    """What the list shows of each machine; `teams`: what they are called, by id."""
    return [
        (
            machine.machine_id,
            machine.name,
            ago(machine.last_heard_at) or "never",
            machine.codex_version or "",
            machine.companion_version or "",
            machine.platform or "",
            "" if machine.owner is None else teams.get(machine.owner.team_id or "", machine.owner.team_id or ""),
            machine.role or "",
        )
        for machine in found
    ]


def words_of(fact: MachineFact) -> str:
    """A fact in a few words: how much of a limit is used, what a warning says; else its text."""
    limits = fact.params.get("rateLimits")
    if isinstance(limits, dict):
        windows = ((name, limits.get(name)) for name in ("primary", "secondary"))
        used = [f"{name} {share} % used" for name, window in windows if (share := _used(window)) is not None]
        return ", ".join(used) or "nothing used"
    for name in ("message", "summary"):
        if isinstance(said := fact.params.get(name), str) and said:
            return said.partition("\n")[0][:MOST_WORDS]
    return msgspec.json.encode(fact.params).decode()[:MOST_WORDS]


def _used(window: Any) -> Any:
    return window.get("usedPercent") if isinstance(window, dict) else None
