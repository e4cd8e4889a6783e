"""Tells the runtime of devices whose session ended, so that what they asked for and nobody took yet is rejected.

Owns the rows of `api.untold_revocation` once `Sessions` has written them (in the transaction that ends a session): one
is deleted after the runtime's answer, not before. So a runtime that is away, or an API that dies in between, makes it
later, never forgotten. Telling twice does no harm. Source: docs/runtime-contract.md, "Revoked devices".
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from autopilot.api import untold
from autopilot.api.sessions import SQL, Sessions
from autopilot.api.untold import Outcome, Setbacks
from autopilot.contract.port import Claims, RuntimePort, RuntimeRequest
from autopilot.ops.clock import Clock


@dataclass(frozen=True, slots=True)
class Revocations:
    """Keep `run` and `retry` running."""

    sessions: Sessions
    port: RuntimePort
    clock: Clock
    setbacks: Setbacks

    async def run(self) -> None:
        """Tell of each session as it ends here, until cancelled."""
        while True:
            await self.sessions.ended.wait()
            self.sessions.ended.clear()
            await self.tell()

    async def retry(self) -> None:
        """Tell what is left of earlier, until cancelled."""
        await untold.keep_telling(self.tell, self.clock)

    async def tell(self) -> None:
        """Tell the runtime what it does not know yet; what it can't be told now stays."""
        rows = await self.sessions.pool.fetch(SQL.untold_revocations, untold.AT_ONCE, self.setbacks.left_out())
        await self.setbacks.tell_each([(row["device_id"], partial(self._tell, row)) for row in rows])

    async def _tell(self, row: Any) -> Outcome:
        outcome = await self._ask(row)
        if outcome == "taken":
            await self.sessions.pool.execute(SQL.told, row["device_id"])
        return outcome

    async def _ask(self, row: Any) -> Outcome:
        claims = Claims(user_id=row["user_id"], device_id=row["device_id"], session_id=row["session_id"])
        request = RuntimeRequest(
            claims=claims,
            method="POST",
            path=f"/devices/{quote(row['device_id'], safe='')}/revoked",
            headers={"x-request-id": row["x_request_id"] or uuid.uuid4().hex},
        )
        return await untold.ask(self.port, request, "revocation", device_id=row["device_id"])
