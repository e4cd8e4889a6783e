"""Ceremonies: each question to an authenticator is open for five minutes, and answered once, right or wrong.

Relies on the schema `api`. A ceremony is known by a secret that only the client that began it has, beside the challenge
that the authenticator signs; both are stored as digests. One of a session is answered by that session alone.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

import asyncpg

from autopilot.api import opaque
from autopilot.contract import PasskeyCeremony
from autopilot.contract.codec import JsonObject
from autopilot.db.queries import load

SQL = load("autopilot.api", "passkeys")

Kind = Literal["register", "sign_in", "step_up"]
CHALLENGE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Ceremonies:
    """Those that are open."""

    pool: asyncpg.Pool
    life_seconds: float

    async def begin(self, kind: Kind, session_id: str | None) -> tuple[str, bytes]:
        """A new one: the secret of its client, and the challenge for its authenticator."""
        ceremony, challenge = secrets.token_hex(32), secrets.token_bytes(CHALLENGE_BYTES)
        kept = (opaque.token_digest(ceremony), kind, opaque.digest(challenge), session_id)
        await self.pool.execute(SQL.begin, *kept, self.life_seconds)
        return ceremony, challenge

    async def end(self, ceremony: str, kind: Kind, session_id: str | None) -> bytes | None:
        """The digest of its challenge; None: there is none, or not of this kind or session, or it is over.

        It is over now, whatever the answer turns out to be worth.
        """
        row = await self.pool.fetchrow(SQL.end, opaque.token_digest(ceremony), kind, session_id)
        return None if row is None or not row["is_live"] else row["challenge_digest"]

    async def sweep(self) -> None:
        """Forget what nobody answered."""
        await self.pool.execute(SQL.sweep)

    def shown(self, ceremony: str, options: JsonObject) -> PasskeyCeremony:
        """As the contract has it."""
        return PasskeyCeremony(ceremony=ceremony, expires_in=int(self.life_seconds), options=options)
