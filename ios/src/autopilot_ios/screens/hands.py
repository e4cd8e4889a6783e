"""What screens that act ask of the phone and of the core: the same few things for each of them."""

from __future__ import annotations

from typing import Protocol

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.overview_store import OverviewStore
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import Names
from autopilot_ios.screens.phones import PhoneWays

NOT_OWNER = Label("Nothing was sent: this phone did not recognise its owner.", "warn")


class Hands(PhoneWays, Protocol):
    """Of the phone: autopilot_ios.device.Device."""

    async def is_owner(self, reason: str) -> bool:
        """Whether its owner is there."""
        ...


class ActingCore(Protocol):
    """Of the core: autopilot.client.app_core.AppCore."""

    @property
    def client(self) -> RuntimeCodexClient:
        """For what is asked for on a screen alone."""
        ...

    @property
    def overview(self) -> OverviewStore:
        """Everything of whoever is signed in."""
        ...

    @property
    def names(self) -> Names:
        """What people, devices, machines and teams are called."""
        ...

    @property
    def asks_for_owner(self) -> bool:
        """Whether the owner is to be recognised before anything is administered."""
        ...


async def may_act(core: ActingCore, hands: Hands, reason: str) -> bool:
    """Whether whoever holds the phone may do this, as far as its owner wants that looked at."""
    return not core.asks_for_owner or await hands.is_owner(reason)
