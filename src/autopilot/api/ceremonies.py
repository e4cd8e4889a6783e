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
from autopilot.contract.errors import RateLimited
from autopilot.db.queries import load

SQL = load("autopilot.api", "passkeys")

Kind = Literal["register", "sign_in", "step_up"]
CHALLENGE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Ceremonies:
    """Those that are open."""

    pool: asyncpg.Pool
    life_seconds: float
    at_once: int
    """Open, of a user, or of a network address that signs in."""

    async def begin(self, kind: Kind, session_id: str | None, whose: str) -> tuple[str, bytes]:
        """A new one: the secret of its client, and the challenge for its authenticator; `whose` it counts as.

        Raises:
            RateLimited: too many of theirs are open.
        """
        ceremony, challenge = secrets.token_hex(32), secrets.token_bytes(CHALLENGE_BYTES)
        kept = (opaque.token_digest(ceremony), kind, opaque.digest(challenge), session_id)
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL.lock_counted, whose)
            if await connection.fetchval(SQL.count_open, whose) >= self.at_once:
                raise RateLimited(
                    "too many questions to authenticators are open",
                    reason_code="too_many_ceremonies",
                    retry_after_seconds=self.life_seconds,
                )
            await connection.execute(SQL.begin, *kept, self.life_seconds, whose)
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
