"""The end of a pairing: what was let in fetches its tokens, once.

Relies on `Pairings` for everything before, and on `Sessions`. The tokens are computed from the ticket and a stored
salt, so that a client whose answer was lost may ask again and gets the very same ones, until it has used them. A device
or machine that is signed in already stays the one it is: its session is replaced. Never stores a token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from autopilot.api import audit, opaque, pairing_secrets
from autopilot.api.accounts import Account
from autopilot.api.audit import Caller
from autopilot.api.pairing import COLLECT_SECONDS, SQL, Pairings, no_such_pairing, shown
from autopilot.api.sessions import PERSON_SCOPES, DeviceNote, Sessions, Tokens
from autopilot.api.sessions import SQL as SESSIONS_SQL
from autopilot.contract.errors import Conflict

MACHINE_SCOPES = frozenset({"execute"})


@dataclass(frozen=True, slots=True)
class Collected:
    """What was made."""

    tokens: Tokens
    replaced: list[str]
    """The sessions that ended for it."""


@dataclass(frozen=True, slots=True)
class Collector:
    """Hands out the tokens of confirmed pairings."""

    pairings: Pairings
    sessions: Sessions

    async def collect(
        self, ticket: str, credential: str, caller: Caller, proved: Callable[[bytes], object]
    ) -> Collected:
        """The tokens of a confirmed pairing; the very same call again: the very same ones.

        `proved`: whether the call is signed by the key that the device brought; raises where it isn't.

        Raises:
            Unauthorized: as `proved`.
            NotFound: not this ticket or secret, declined, over, or the tokens were used.
            Conflict: it is not confirmed yet.
        """
        collected: Collected | None = None
        async with self.sessions.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(SQL.lock_by_ticket, opaque.token_digest(ticket), COLLECT_SECONDS)
            if row is not None and row["is_collectable"] and self._is_of(row, credential):
                state = shown(row).state
                if state in {"open", "claimed", "answered", "compared"}:
                    raise Conflict("nobody has confirmed it yet", reason_code="not_confirmed", state=state)
                if row["public_key"] is not None:
                    proved(row["public_key"])
                if state == "confirmed":
                    collected = await self._open(connection, row, ticket, caller)
                elif state == "done":
                    collected = await self._again(connection, row, ticket)
            if collected is None and row is not None:  # a ticket of chance is worth no line that stays for ever
                subject = f"pairing:{row['pairing_id']}"
                await audit.record(connection, "pairing_refused", caller, outcome="refused", subject=subject)
        if collected is None:
            raise no_such_pairing()
        return collected

    def _is_of(self, row: Any, credential: str) -> bool:
        code = pairing_secrets.read_code(credential)
        if code is None:
            return opaque.same(row["secret_digest"], opaque.token_digest(credential))
        return any(opaque.same(row["code_digest"], code.digest(key)) for key in self.pairings.code_keys())

    async def _open(self, connection: Any, row: Any, ticket: str, caller: Caller) -> Collected:
        account = await _account(connection, row)
        device_id, replaced = await self._device(connection, row, account)
        salt = pairing_secrets.new_salt()
        tokens = await self.sessions.open_on(
            connection,
            account,
            device_id,
            pairing_secrets.tokens_of(ticket, salt),
            scopes=MACHINE_SCOPES if row["kind"] == "machine" else PERSON_SCOPES,
            machine_id=row["machine_id"],
        )
        await connection.execute(SQL.finish, row["pairing_id"], tokens.session_id, salt)
        actor = replace(tokens.actor, machine_id=row["machine_id"])
        detail = {"name": row["device_name"], "kind": row["kind"], "replaced": bool(replaced)}
        detail["signs"] = row["public_key"] is not None
        subject = f"pairing:{row['pairing_id']}"
        await audit.record(connection, "paired", caller, actor=actor, subject=subject, detail=detail)
        return Collected(tokens, replaced)

    async def _device(self, connection: Any, row: Any, account: Account) -> tuple[str, list[str]]:
        """The device that this is (a new one, where it was not signed in), and the sessions that ended for it."""
        installation_id, machine_id = row["installation_id"], row["machine_id"]
        device_id = None
        if installation_id is not None or machine_id is not None:
            device_id = await connection.fetchval(SQL.known_device, account.user_id, installation_id, machine_id)
        note = DeviceNote(row["surface"], row["device_name"], row["device_platform"], row["device_address"])
        said = (note.name, note.surface, note.platform, note.address)
        replaced: list[str] = []
        if device_id is None:
            device_id = opaque.identifier("dev_")
            await connection.execute(SESSIONS_SQL.create_device, device_id, account.user_id, *said, row["public_key"])
        else:
            replaced = [one["session_id"] for one in await connection.fetch(SQL.replace_sessions, device_id)]
            await connection.execute(SQL.redescribe_device, device_id, *said, row["public_key"])
        await connection.execute(SQL.remember_installation, device_id, installation_id)
        return device_id, replaced

    async def _again(self, connection: Any, row: Any, ticket: str) -> Collected | None:
        """The tokens that were made before; None once they were used, or ended."""
        access, refresh = pairing_secrets.tokens_of(ticket, row["token_salt"])
        digests = (opaque.token_digest(refresh), opaque.token_digest(access))
        made = await connection.fetchrow(SQL.made_tokens, row["session_id"], *digests)
        if made is None:
            return None
        account = await _account(connection, row)
        seconds = int(made["seconds_left"])
        return Collected(Tokens(account, made["device_id"], made["session_id"], access, refresh, seconds), [])


async def _account(connection: Any, row: Any) -> Account:
    found = await connection.fetchrow(SQL.lock_user, row["user_id"])
    return Account(user_id=found["user_id"], email=found["email"], is_owner=found["is_owner"])
