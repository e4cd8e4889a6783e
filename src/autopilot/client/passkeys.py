"""The calls about passkeys (docs/protocol.md, "Passkeys"). An app carries to and fro what its authenticator says.

Signing in and stepping up with one: `session.Session`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from autopilot.client.calls import Calls, as_message, many, one
from autopilot.contract import Passkey, PasskeyCeremony, PasskeyRemoved, RenamePasskey, encode

PATH = "/api/auth/passkeys"


class PasskeyCalls(Calls):
    """What one may do about one's passkeys."""

    async def passkeys(self) -> list[Passkey]:
        """One's own, the oldest first."""
        return many(Passkey, await self._http.call("passkeys.list", "GET", PATH))

    async def begin_passkey(self) -> PasskeyCeremony:
        """What to hand to an authenticator that is to make one: `options`, as WebAuthn's JSON.

        Raises:
            Forbidden: `step_up_required`.
            Conflict: `too_many_passkeys`, `passkeys_off`.
        """
        reply = await self._http.call("passkeys.begin", "POST", f"{PATH}/register/options", retry=False)
        return one(PasskeyCeremony, reply)

    async def register_passkey(self, ceremony: str, credential: dict[str, Any], name: str | None = None) -> Passkey:
        """Register what it made; `credential`: its answer, as WebAuthn's JSON.

        Raises:
            Forbidden: `step_up_required`.
            Unprocessable: `passkey_refused`.
            Conflict: `too_many_passkeys`, `passkeys_off`.
        """
        body = {"ceremony": ceremony, "credential": credential, "name": name}
        return one(
            Passkey, await self._http.call("passkeys.register", "POST", f"{PATH}/register", body=body, retry=False)
        )

    async def rename_passkey(self, passkey_id: str, name: str) -> Passkey:
        """Call a passkey `name`.

        Raises:
            NotFound: one has no such passkey.
        """
        path = f"{PATH}/{quote(passkey_id, safe='')}/rename"
        return one(
            Passkey, await self._http.call("passkeys.rename", "POST", path, body=encode(RenamePasskey(name=name)))
        )

    async def remove_passkey(self, passkey_id: str) -> PasskeyRemoved:
        """Have it prove nothing any more, also the last one.

        Raises:
            Forbidden: `step_up_required`.
            NotFound: one has no such passkey.
        """
        path = f"{PATH}/{quote(passkey_id, safe='')}/remove"
        reply = await self._http.call("passkeys.remove", "POST", path, retry=False)
        return as_message(PasskeyRemoved, reply.body, reply.request_id)
