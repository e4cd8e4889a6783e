"""The names of people, devices, machines and teams, asked for: what screens call somebody of whom they have an id."""

from __future__ import annotations

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.presenters.people import Names
from autopilot.contract import Me


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
