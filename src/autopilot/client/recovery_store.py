"""Who came in without a passkey and is held, on a screen: refused or confirmed, one at a time."""

from __future__ import annotations

from autopilot.client.acting import ActingStore
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.presenters import recoveries
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.recoveries import Hold


class RecoveryStore(ActingStore[tuple[Hold, ...]]):
    """The latest first."""

    def __init__(self, client: RuntimeCodexClient) -> None:
        super().__init__(client.clock, self._ask)
        self._client = client

    async def _ask(self) -> tuple[Hold, ...]:
        return recoveries.of_devices(await self._client.devices())

    async def refuse(self, hold: Hold) -> bool:
        """It was not me: it is signed out; whether that was done."""

        async def work() -> Label:
            await self._client.revoke_device(hold.device_id)
            return recoveries.REFUSED

        return await self.act(hold.device_id, work)

    async def confirm(self, hold: Hold) -> bool:
        """It is mine: it is held no longer; whether that was done."""

        async def work() -> Label:
            await self._client.confirm_device(hold.device_id)
            return recoveries.CONFIRMED

        return await self.act(hold.device_id, work)
