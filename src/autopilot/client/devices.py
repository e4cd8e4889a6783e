"""The calls about devices: what is signed in for a user (docs/protocol.md, "Devices")."""

from __future__ import annotations

from urllib.parse import quote

from autopilot.client.calls import Calls, as_message, many, one
from autopilot.contract import AccountDeleted, Device, RenameDevice, Revoked, SignedOut, encode


class DeviceCalls(Calls):
    """What one may do about one's devices."""

    async def devices(self) -> list[Device]:
        """Those that are signed in, the last one heard of first; `current` is the one that asks."""
        return many(Device, await self._http.call("devices.list", "GET", "/api/devices"))

    async def rename_device(self, device_id: str, name: str) -> Device:
        """Call a device `name`.

        Raises:
            NotFound: one has no such device.
        """
        path = f"/api/devices/{quote(device_id, safe='')}/rename"
        body = encode(RenameDevice(name=name))
        return one(Device, await self._http.call("devices.rename", "POST", path, body=body))

    async def confirm_device(self, device_id: str) -> Device:
        """Say that a device that came in by mail is one's own: it is not held any more.

        Raises:
            Forbidden: `step_up_required`; `recovery_hold`: the one that asks is held itself.
            NotFound: one has no such device.
        """
        path = f"/api/devices/{quote(device_id, safe='')}/confirm"
        return one(Device, await self._http.call("devices.confirm", "POST", path))

    async def revoke_device(self, device_id: str) -> Revoked:
        """End its session: its tokens at once, its streams within two seconds.

        Raises:
            NotFound: one has no such device, or it is signed out already.
        """
        path = f"/api/devices/{quote(device_id, safe='')}/revoke"
        return one(Revoked, await self._http.call("devices.revoke", "POST", path))

    async def revoke_other_devices(self) -> Revoked:
        """The same for all devices but the one that asks."""
        return one(Revoked, await self._http.call("devices.revoke_others", "POST", "/api/devices/revoke-others"))

    async def sign_out(self) -> SignedOut:
        """End the session of the token that asks; a device that keeps its own signs out by `Session.sign_out`."""
        reply = await self._http.call("auth.sign_out", "POST", "/api/auth/signout", retry=False)
        return as_message(SignedOut, reply.body, reply.request_id)

    async def delete_account(self) -> AccountDeleted:
        """End one's own account, for good: every token and stream of it, its machines, its workers and their logs.

        Raises:
            Forbidden: `step_up_required`.
            Conflict: `last_owner` of a team (`teams`), or `installation_owner`.
        """
        reply = await self._http.call("account.delete", "DELETE", "/api/me", retry=False)
        return as_message(AccountDeleted, reply.body, reply.request_id)
