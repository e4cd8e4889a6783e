"""The names of people, devices, machines and teams, asked for: what screens call somebody of whom they have an id.

Asked for once a minute. Somebody on a screen of whom there is no name is asked for within half a second, but not
without end: whoever stays unknown is not asked for again before the minute is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.clock import within
from autopilot.client.observable import Observable
from autopilot.client.overview import Overview
from autopilot.client.presenters.people import Names, is_known
from autopilot.client.timeline_items import Item
from autopilot.contract import Actor, Me
from autopilot.contract.errors import AutopilotError

ASK_SECONDS = 60.0
MOST_EARLY = 10
"""Times that names are asked for before they are due, because somebody has none."""
PAUSE_SECONDS = 0.5
"""Between two looks at who is on the screens: a timeline may change many times a second."""


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


def actors_of(items: Iterable[Item]) -> Iterator[Actor | None]:
    """Who is named in items of a timeline, of those kinds that name anybody."""
    for item in items:
        yield getattr(item, "actor", None)
        yield getattr(item, "answered_by", None)


def actors_in(overview: Overview) -> Iterator[Actor | None]:
    """Who is named in the lists: machines, whose they and the workers are, who asked for something and who answered."""
    for machine in overview.machines:
        yield Actor(machine_id=machine.machine_id, surface="companion")
    for owned in (*overview.machines, *overview.workers):
        yield None if owned.owner is None else Actor(user_id=owned.owner.user_id, surface="")
    for receipt in overview.receipts:
        yield receipt.actor
    for approval in (*overview.approvals, *overview.ended_approvals):
        yield None if approval.decision is None else approval.decision.actor


class NameKeeper(Observable[Names]):
    """The names that one screen after another knows, asked for now and then, and when somebody has none."""

    def __init__(self, client: RuntimeCodexClient, shown: Callable[[], Iterable[Actor | None]]) -> None:
        """`shown`: who is on the screens now."""
        super().__init__()
        self._client = client
        self._shown = shown
        self._changed = asyncio.Event()
        self._names = Names()

    def of(self, user_id: int | None) -> None:
        """Begin anew, for this user: of nobody else anything is known."""
        self._names = Names(me=user_id)
        self._change()

    def look(self) -> None:
        """What is on the screens has changed: somebody there may have no name yet."""
        self._changed.set()

    async def run(self) -> None:
        """Keep them, until cancelled; what can't be asked for stays as it was known."""
        while True:
            due = self._client.clock.monotonic() + ASK_SECONDS
            strangers = self._strangers()
            met = strangers if await self._ask() else set[Actor]()
            left = due - self._client.clock.monotonic()
            with suppress(TimeoutError):
                await within(self._client.clock, left, partial(self._watch, met))

    async def _watch(self, met: set[Actor]) -> None:
        """Ask early for who has no name; `met`: who was asked for already, in vain where they still have none."""
        early = 0
        while early < MOST_EARLY:
            await self._changed.wait()
            self._changed.clear()
            if new := self._strangers() - met:
                early += 1
                met |= new if await self._ask() else set()
            await self._client.clock.sleep(PAUSE_SECONDS)
        await asyncio.Event().wait()

    async def _ask(self) -> bool:
        """Whether anybody answered."""
        try:
            names = await names_of(self._client)
        except AutopilotError:  # names are a courtesy: who asks for more than names is told what is wrong
            return False
        if asdict(names) != asdict(self._names):
            self._names = names
            self._change()
        return True

    def _strangers(self) -> set[Actor]:
        return {one for one in self._shown() if one is not None and not is_known(one, self._names)}

    def _seen(self) -> Names:
        return self._names
