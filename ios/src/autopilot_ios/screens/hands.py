"""What screens that act ask of the core: the same few things for each of them."""

from __future__ import annotations

from typing import Protocol

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.overview_store import OverviewStore
from autopilot.client.presenters.people import Names
from autopilot_ios.screens.phones import Guarded


class ActingCore(Guarded, Protocol):
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
