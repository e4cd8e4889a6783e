"""One's devices on a screen: where one is signed in, and what one does about it, one thing at a time."""

from __future__ import annotations

from autopilot.client.acting import ActingStore
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.presenters import devices as words
from autopilot.client.presenters.labels import Label
from autopilot.contract import Device

OTHERS = ""
"""What is being done about all others is about nobody in particular."""


class DeviceStore(ActingStore[list[Device]]):
    """See the module."""

    def __init__(self, client: RuntimeCodexClient) -> None:
        super().__init__(client.clock, client.devices)
        self._client = client

    @property
    def here(self) -> tuple[Device, ...]:
        """The one that asks."""
        return tuple(one for one in self.view.asked.value or () if one.current)

    @property
    def others(self) -> tuple[Device, ...]:
        """All others."""
        return tuple(one for one in self.view.asked.value or () if not one.current)

    async def rename(self, device: Device, name: str) -> bool:
        """Call it something else; whether that was done."""
        name = name.strip()

        async def work() -> Label:
            await self._client.rename_device(device.device_id, name)
            return words.renamed(name)

        return await self.act(device.device_id, work)

    async def confirm(self, device: Device) -> bool:
        """Say that it is one's own; whether that was done."""

        async def work() -> Label:
            return words.confirmed(await self._client.confirm_device(device.device_id))

        return await self.act(device.device_id, work)

    async def revoke(self, device: Device) -> bool:
        """Sign it out; whether that was done."""

        async def work() -> Label:
            await self._client.revoke_device(device.device_id)
            return words.REVOKED

        return await self.act(device.device_id, work)

    async def revoke_others(self) -> bool:
        """Sign out all but this one; whether that was done."""

        async def work() -> Label:
            return words.revoked_others(await self._client.revoke_other_devices())

        return await self.act(OTHERS, work)
