"""The Keychain, for the client core: what is kept there and when is decided in autopilot.client.keychain.

On an iPhone: after the first unlock, on this device only, not synchronized. In a browser, where tests run, it is
readable storage: nothing real is ever put there.
"""

from __future__ import annotations

import flet_secure_storage as fss


class Keychain:
    """A `SecretStorage` of the client core."""

    def __init__(self) -> None:
        options = fss.IOSOptions(accessibility=fss.KeychainAccessibility.FIRST_UNLOCK_THIS_DEVICE, synchronizable=False)
        self._storage = fss.SecureStorage(ios_options=options)

    async def get(self, key: str) -> str | None:
        """What is kept by this name."""
        return await self._storage.get(key)

    async def set(self, key: str, value: str) -> None:
        """Keep it."""
        await self._storage.set(key, value)

    async def remove(self, key: str) -> None:
        """Forget it."""
        await self._storage.remove(key)
