"""One's guests on a screen: who looks on, inviting somebody by a link, taking it back.

The link of an invitation is held by the object alone, for as long as a screen shows it: the server never says it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from autopilot.client.acting import ActingStore
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.guests import guest_link
from autopilot.client.presenters import guests as words
from autopilot.client.presenters.labels import Label
from autopilot.client.store import first_error
from autopilot.contract import Guest, WorkerSummary

INVITING = "inviting"
MOST_WORKERS = 200


@dataclass(frozen=True, slots=True)
class Guests:
    """What the server said."""

    guests: tuple[Guest, ...]
    workers: tuple[WorkerSummary, ...]
    """One's own, which can be shown."""


@dataclass(frozen=True, slots=True)
class GuestLink:
    """What lets somebody in, once."""

    name: str
    """Whom it is for."""
    url: str = field(repr=False)


class GuestStore(ActingStore[Guests]):
    """See the module."""

    def __init__(self, client: RuntimeCodexClient) -> None:
        super().__init__(client.clock, self._ask)
        self._client = client
        self.link: GuestLink | None = None
        """Of whoever was invited last."""

    async def invite(self, name: str, worker_ids: Sequence[str], seconds: int) -> bool:
        """Make a link for somebody; whether that was done."""

        async def work() -> None:
            made = await self._client.invite_guest(name.strip(), worker_ids, expires_in_seconds=seconds)
            self.link = GuestLink(made.guest.name, made.link or guest_link(self._client.base_url, made.secret))

        return await self.act(INVITING, work)

    async def revoke(self, guest: Guest) -> bool:
        """Let one read nothing more; whether that was done."""

        async def work() -> Label:
            await self._client.revoke_guest(guest.guest_id)
            return words.ENDED

        return await self.act(guest.guest_id, work)

    async def _ask(self) -> Guests:
        try:
            async with asyncio.TaskGroup() as group:
                guests = group.create_task(self._client.guests())
                page = group.create_task(self._client.list_workers(limit=MOST_WORKERS))
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
        return Guests(tuple(guests.result()), tuple(words.showable(page.result().workers)))
