"""Sign-in codes: eight digits, good once, for ten minutes and five guesses.

Relies on the schema `api`. What guessing takes is counted in docs/protocol.md, "Sign-in". A sign-in that names no
e-mail is only looked for among the codes asked for from the same network address, and a wrong guess counts against all
of them. Never tells whether an address has an account: every refusal is the same.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncpg

from autopilot.api import audit, opaque
from autopilot.api.address import folded_email, plain_email
from autopilot.api.alarm import Alarm
from autopilot.api.audit import NOBODY, Action, Actor, Caller
from autopilot.contract.errors import RateLimited, Unauthorized
from autopilot.db.queries import load

SQL = load("autopilot.api", "codes")

WINDOW_SECONDS = 3600.0
AT_THE_MACHINE_ATTEMPTS = 100
"""Wrong guesses that a code bears which was shown at the machine: one chance in a million, for all its life."""


@dataclass(frozen=True, slots=True)
class Codes:
    """Sends out and takes back sign-in codes."""

    pool: asyncpg.Pool
    keys: Callable[[], tuple[bytes, ...]]
    """Key the digests, asked at each: the first makes them, all are accepted."""
    life_seconds: float
    attempts: int
    per_hour: int
    alarm: Alarm | None = None
    """Told of every refusal, where codes are taken back."""

    async def issue(self, email: str, caller: Caller, *, actor: Actor = NOBODY, at_the_machine: bool = False) -> str:
        """A new code for an address (which may have no account), to be mailed.

        With the actor of a session it signs nobody in, and steps up that session alone. `at_the_machine`: it is shown
        to whoever has the database at hand, whom nobody locks out by asking for too many, or by a few wrong guesses.

        Raises:
            ValueError: it can't be a mail address.
            RateLimited: the address was sent its codes of this hour.
        """
        email_key = folded_email(email)
        code = opaque.sign_in_code()
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL.lock_email, email_key)
            recent = await connection.fetchrow(SQL.count_recent, email_key, WINDOW_SECONDS, actor.session_id)
            assert recent is not None
            if recent["sent"] >= self.per_hour and not at_the_machine:
                raise RateLimited(
                    "this address was sent too many codes",
                    reason_code="too_many_codes",
                    retry_after_seconds=max(1.0, recent["oldest_forgotten_in_seconds"]),
                )
            digest = opaque.code_digest(self.keys()[0], email_key, code)
            attempts = AT_THE_MACHINE_ATTEMPTS if at_the_machine else self.attempts
            good_for = (self.life_seconds, attempts, actor.session_id)
            await connection.execute(SQL.create_code, plain_email(email), email_key, digest, caller.address, *good_for)
            await audit.record(
                connection,
                "code_requested",
                caller,
                actor=actor,
                subject=audit.address_subject(self.keys()[0], email_key),
            )
        return code

    async def take(
        self, connection: Any, code: str, *, email: str | None, caller: Caller, actor: Actor = NOBODY
    ) -> str | None:
        """Use up a code: the e-mail address that it proves, or None where it proves nothing.

        Runs within the caller's transaction, which must be committed in either case: a wrong guess counts.
        """
        rows = await self._candidates(connection, email, caller, actor.session_id)
        written = opaque.folded_code(code)
        hits = [row for row in rows if self._matches(row, written)]
        if len({row["email_key"] for row in hits}) == 1:
            await connection.execute(SQL.use_codes, hits[0]["email_key"], actor.session_id)
            return str(hits[0]["email"])
        await connection.execute(SQL.count_attempt, [row["code_no"] for row in rows])
        tried = _key_or_none(email)
        subject = audit.address_subject(self.keys()[0], tried) if tried else None
        action: Action = "code_refused" if actor.session_id is None else "step_up_refused"
        await audit.record(connection, action, caller, actor=actor, outcome="refused", subject=subject)
        if self.alarm is not None:
            self.alarm.refused(caller, subject)
        return None

    async def sweep(self) -> None:
        """Forget codes that count for nothing any more."""
        await self.pool.execute(SQL.sweep)

    async def _candidates(
        self, connection: Any, email: str | None, caller: Caller, session_id: str | None
    ) -> list[Any]:
        if email is None:
            return list(await connection.fetch(SQL.live_of_address, caller.address))
        email_key = _key_or_none(email)
        return list(await connection.fetch(SQL.live_of_email, email_key, session_id)) if email_key else []

    def _matches(self, row: Any, written: str) -> bool:
        digests = [opaque.code_digest(key, row["email_key"], written) for key in self.keys()]
        return any(hmac.compare_digest(row["code_digest"], digest) for digest in digests)


def refusal() -> Unauthorized:
    """The one answer to a code that proves nothing: wrong, used, too old, guessed too often, or never sent."""
    return Unauthorized("this code does not sign you in; ask for a new one", reason_code="code_refused")


def _key_or_none(email: str | None) -> str | None:
    try:
        return folded_email(email) if email is not None else None
    except ValueError:
        return None
