"""Browsers: a cookie that stands for a session, as a refresh token does for a device that can keep one.

A page's scripts can't read the cookie, and no token ever leaves the server: whoever serves pages trades the cookie for
an access token, as often as it likes, and calls the API with that. The cookie ends with its session, its device, or
when it was not used for as long as a refresh token lives. Owns `api.browser`; never stores a cookie, only its digest.
Source: docs/decisions/0027-the-web-is-a-client.md.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import asyncpg

from autopilot.api import opaque
from autopilot.api.address import Addresses, Headers
from autopilot.api.database import answering
from autopilot.api.sessions import Sessions
from autopilot.api.strangers import Strangers
from autopilot.contract.errors import Unauthorized
from autopilot.db.queries import load

SQL = load("autopilot.api", "browsers")

COOKIE_PREFIX = "apwc_"
LAST_SHARE = 0.9
"""A cookie with less of its life left is prolonged when it is used."""


@dataclass(frozen=True, slots=True)
class Browsers:
    """Trades cookies for access tokens."""

    pool: asyncpg.Pool
    sessions: Sessions
    addresses: Addresses
    strangers: Strangers
    """Cookies of nobody, of one network address."""

    @property
    def lives_seconds(self) -> float:
        """How long a cookie lasts that nobody uses."""
        return self.sessions.lifetimes.refresh

    async def keep(self, access_token: str) -> str:
        """A cookie for the session of a token that was just given out.

        Raises:
            Unauthorized: nobody's token.
            Unavailable: the database can't be asked.
        """
        cookie = COOKIE_PREFIX + secrets.token_urlsafe(32)
        with answering():
            kept = await self.pool.fetchval(
                SQL.keep, opaque.token_digest(cookie), opaque.token_digest(access_token), self.lives_seconds
            )
        if kept is None:
            raise Unauthorized("this token is unknown, expired or revoked", reason_code="token_refused")
        return cookie

    async def access(self, cookie: str, client: tuple[str, int] | None, headers: Headers) -> str | None:
        """A new access token of the cookie's session; None where it stands for none, or for none any more.

        `client` and `headers`: of the call that brought it.

        Raises:
            RateLimited: too many cookies of nobody from there.
            Unavailable: the database can't be asked.
        """
        digest = opaque.token_digest(cookie)
        return await self.strangers.found(
            digest, lambda: self.addresses.of(client, headers), lambda: self._access(digest)
        )

    async def _access(self, digest: bytes) -> str | None:
        with answering():
            async with self.pool.acquire() as connection, connection.transaction():
                row = await connection.fetchrow(SQL.session, digest, self.lives_seconds * LAST_SHARE)
                if row is None:
                    return None
                if row["is_due"]:
                    await connection.execute(SQL.prolong, digest, self.lives_seconds)
                return await self.sessions.new_access(connection, row["session_id"])

    async def sweep(self) -> None:
        """Forget what ended."""
        await self.pool.execute(SQL.sweep)
