"""The names of people, devices, machines and teams, asked for: what screens call somebody of whom they have an id."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.observable import Observable
from autopilot.client.presenters.people import Names
from autopilot.contract import Me
from autopilot.contract.errors import AutopilotError

ASK_SECONDS = 60.0


async def names_of(client: RuntimeCodexClient) -> Names:
    """All the names that whoever is signed in may know. A guest has no devices and no teams to ask for.

    Raises:
        AutopilotError: they can't be asked for now.
    """
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


class NameKeeper(Observable[Names]):
    """The names that one screen after another knows, asked for now and then."""

    def __init__(self, client: RuntimeCodexClient) -> None:
        super().__init__()
        self._client = client
        self._names = Names()

    def of(self, user_id: int | None) -> None:
        """Begin anew, for this user: of nobody else anything is known."""
        self._names = Names(me=user_id)
        self._change()

    async def run(self) -> None:
        """Keep them, until cancelled; what can't be asked for stays as it was known."""
        while True:
            with suppress(AutopilotError):  # names are a courtesy: who asks for more than names is told what is wrong
                names = await names_of(self._client)
                if asdict(names) != asdict(self._names):
                    self._names = names
                    self._change()
            await self._client.clock.sleep(ASK_SECONDS)

    def _seen(self) -> Names:
        return self._names
