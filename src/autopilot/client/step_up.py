"""The calls that prove anew who uses a session (docs/protocol.md, "Step-up"), for whoever holds no `Session`.

Afterwards a client should go on with another token of the session: other servers may remember the old one for a second.
"""

from __future__ import annotations

from typing import Any

from autopilot.client.calls import Calls, as_message
from autopilot.contract import AssertionCredential, SteppedUp, StepUp, decode, encode
from autopilot.contract.errors import Unprocessable


class StepUpCalls(Calls):
    """What one may do to prove who one is."""

    async def begin_step_up(self, method: str) -> SteppedUp:
        """Have a code mailed (`email_code`), or be told what to hand to an authenticator (`passkey`).

        Raises:
            Forbidden: `recovery_hold`: this session can't be stepped up by a code before `until`.
            Conflict: `no_address`, `passkeys_off`.
        """
        return await self._step(StepUp(method=method))

    async def step_up_by_code(self, code: str) -> SteppedUp:
        """Give the code that was mailed.

        Raises:
            Unauthorized: not this code, or no longer.
        """
        return await self._step(StepUp(code=code))

    async def step_up_by_passkey(self, ceremony: str, credential: dict[str, Any]) -> SteppedUp:
        """Give what the authenticator said, as WebAuthn's JSON.

        Raises:
            Unauthorized: `passkey_refused`.
            Unprocessable: it is no answer of an authenticator.
        """
        try:
            proof = decode(AssertionCredential, credential)
        except ValueError as error:
            raise Unprocessable(f"no answer of an authenticator: {error}", reason_code="invalid_value") from error
        return await self._step(StepUp(method="passkey", ceremony=ceremony, credential=proof))

    async def _step(self, body: StepUp) -> SteppedUp:
        reply = await self._http.call("auth.step_up", "POST", "/api/auth/step-up", body=encode(body), retry=False)
        return as_message(SteppedUp, reply.body, reply.request_id)
