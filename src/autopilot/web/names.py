"""The names that a browser's screens know people, devices, machines and teams by, asked for once in a while.

Kept for each cookie for a minute, bounded. A guest has no devices and no teams to ask for.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import asdict

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.clock import Clock
from autopilot.client.presenters.people import Names
from autopilot.contract import Me
from autopilot.contract.errors import AutopilotError
from autopilot.web.visitors import Visitor

KEPT = 500
GOOD_SECONDS = 60.0


class NameBook:
    """The names that each browser knows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Names]] = OrderedDict()

    async def of(self, visitor: Visitor) -> Names:
        """What this one knows; what it knew last where nobody can be asked."""
        until, names = self._kept.get(visitor.key, (0.0, Names()))
        if until > self._clock.monotonic():
            return names
        try:
            asked = await _asked(visitor.client)
        except AutopilotError:  # names are a courtesy, and whatever is wrong is told by who asks for more than names
            return names
        names = names if asdict(names) == asdict(asked) else asked  # what was rendered with the same names stays good
        self._kept[visitor.key] = (self._clock.monotonic() + GOOD_SECONDS, names)
        self._kept.move_to_end(visitor.key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return names


def person_key(visitor: Visitor, names: Names) -> str:
    """Names the person in what a browser keeps (drafts, recent requests): the same at their next sign-in."""
    return visitor.key if names.me is None else hashlib.sha256(f"user {names.me}".encode()).hexdigest()[:16]


async def _asked(client: RuntimeCodexClient) -> Names:
    me = await client.me()
    machines = await _machines(client, me)
    if me.user is None:
        return Names(machines=machines)
    users = {me.user.id: me.user.email}
    teams = await client.teams()
    for team in teams:
        whole = await client.team(team.team_id)
        users |= {member.user_id: member.email for member in whole.members if member.email}
    devices = {device.device_id: device.name or device.platform or "" for device in await client.devices()}
    return Names(
        me=me.user.id,
        device=me.device.device_id if me.device else None,
        users=users,
        devices=devices,
        machines=machines,
        teams={team.team_id: team.name for team in teams},
    )


async def _machines(client: RuntimeCodexClient, me: Me) -> dict[str, str]:
    if me.guest_scope is not None:
        return {}
    return {machine.machine_id: machine.name for machine in await client.machines()}
