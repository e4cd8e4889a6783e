"""One's devices on a screen: where one is signed in, and what one does about it, one thing at a time.

What the server says counts: after every act the list is asked for again. Asking for a code, where the server wants one,
is the session's business (`Session.ask_code`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from autopilot.client.asked import Asked, AskedView
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.observable import Observable
from autopilot.client.presenters import devices as words
from autopilot.client.presenters.labels import Label
from autopilot.contract import Device
from autopilot.contract.errors import AutopilotError


@dataclass(frozen=True, slots=True)
class DevicesView:
    """One moment of it."""

    asked: AskedView[list[Device]]
    doing: str | None = None
    """The device that something is being done about; empty: all others."""
    said: Label | None = None
    """What became of the last act."""
    error: AutopilotError | None = None
    """Why the last act was not done, or is not known to be."""

    @property
    def here(self) -> tuple[Device, ...]:
        """The one that asks."""
        return tuple(one for one in self.asked.value or () if one.current)

    @property
    def others(self) -> tuple[Device, ...]:
        """All others."""
        return tuple(one for one in self.asked.value or () if not one.current)


class DeviceStore(Observable[DevicesView]):
    """See the module."""

    def __init__(self, client: RuntimeCodexClient) -> None:
        super().__init__()
        self._client = client
        self._asked: Asked[list[Device]] = Asked(client.clock, client.devices)
        self._asked.subscribe(lambda _view: self._change())
        self._doing: str | None = None
        self._said: Label | None = None
        self._error: AutopilotError | None = None

    async def look(self) -> None:
        """Ask for the list now. Never raises for what a server says."""
        await self._asked.look()

    async def rename(self, device: Device, name: str) -> bool:
        """Call it something else; whether that was done."""
        name = name.strip()

        async def work() -> Label:
            await self._client.rename_device(device.device_id, name)
            return words.renamed(name)

        return await self._do(device.device_id, work)

    async def confirm(self, device: Device) -> bool:
        """Say that it is one's own; whether that was done."""

        async def work() -> Label:
            return words.confirmed(await self._client.confirm_device(device.device_id))

        return await self._do(device.device_id, work)

    async def revoke(self, device: Device) -> bool:
        """Sign it out; whether that was done."""

        async def work() -> Label:
            await self._client.revoke_device(device.device_id)
            return words.REVOKED

        return await self._do(device.device_id, work)

    async def revoke_others(self) -> bool:
        """Sign out all but this one; whether that was done."""

        async def work() -> Label:
            return words.revoked_others(await self._client.revoke_other_devices())

        return await self._do("", work)

    async def _do(self, about: str, work: Callable[[], Awaitable[Label]]) -> bool:
        if self._doing is not None:
            return False
        self._doing, self._said, self._error = about, None, None
        self._change()
        try:
            self._said = await work()
        except AutopilotError as error:
            self._error = error
        finally:
            self._doing = None
            self._change()
        await self._asked.look()
        return self._said is not None

    def _seen(self) -> DevicesView:
        return DevicesView(self._asked.view, self._doing, self._said, self._error)
