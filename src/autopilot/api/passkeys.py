"""Passkeys of an account: registered, listed, renamed, removed. What one is good for: `passkey_uses`.

Relies on the schema `api`, on `Ceremonies` for the one-time questions and on `passkey_proofs` for what an answer is
worth. An account has at most twenty; a credential belongs to one account, and who registers it is not told whose it is.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from webauthn import generate_registration_options, options_to_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from autopilot.api import audit, opaque, passkey_proofs
from autopilot.api.audit import Actor, Caller
from autopilot.api.ceremonies import SQL, Ceremonies
from autopilot.api.passkey_proofs import Made, NoProof, Question
from autopilot.api.relying_party import RelyingParty
from autopilot.contract import Passkey, PasskeyCeremony, RegisterPasskey, RegistrationCredential
from autopilot.contract.errors import Conflict, NotFound, Unprocessable
from autopilot.contract.instants import instant
from autopilot.ops.log import get_logger

SITE_NAME = "Autopilot"
DEFAULT_NAME = "Passkey"
HANDLE_BYTES = 32
MILLISECONDS = 1000

log = get_logger("autopilot.api")


@dataclass(frozen=True, slots=True)
class Passkeys:
    """The passkeys of the actor's user."""

    ceremonies: Ceremonies
    site: RelyingParty | None
    most: int

    async def of(self, actor: Actor) -> list[Passkey]:
        """All of them."""
        return [shown(row) for row in await self.ceremonies.pool.fetch(SQL.of_user, actor.user_id, None)]

    async def begin(self, actor: Actor, email: str | None) -> PasskeyCeremony:
        """What an authenticator needs to make another one.

        Raises:
            Conflict: `passkeys_off`, `too_many_passkeys`.
        """
        site = open_site(self.site)
        async with self.ceremonies.pool.acquire() as connection, connection.transaction():
            handle, known = await self._locked(connection, actor)
        ceremony, challenge = await self.ceremonies.begin("register", actor.session_id, f"user {actor.user_id}")
        options = generate_registration_options(
            rp_id=site.rp_id,
            rp_name=SITE_NAME,
            user_id=handle,
            user_name=email or "owner",
            challenge=challenge,
            timeout=int(self.ceremonies.life_seconds * MILLISECONDS),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=descriptors(known, site.rp_id),
            supported_pub_key_algs=passkey_proofs.ALGORITHMS,
        )
        return self.ceremonies.shown(ceremony, json.loads(options_to_json(options)))

    async def finish(self, actor: Actor, said: RegisterPasskey, caller: Caller, origins: Collection[str]) -> Passkey:
        """Keep what the authenticator made.

        Raises:
            Unprocessable: `passkey_refused`: it does not answer that question, or belongs to somebody.
            Conflict: as `begin`.
        """
        site = open_site(self.site)
        passkey_proofs.check_registration(said.credential)
        challenge = await self.ceremonies.end(said.ceremony, "register", actor.session_id)
        made = _made(said.credential, challenge, site.rp_id, origins)
        passkey_id, name, kept = opaque.identifier("pk_"), said.name or DEFAULT_NAME, None
        async with self.ceremonies.pool.acquire() as connection, connection.transaction():
            await self._locked(connection, actor)
            if made is not None:
                kept = await connection.fetchval(
                    SQL.add,
                    passkey_id,
                    actor.user_id,
                    made.credential_id,
                    made.public_key,
                    site.rp_id,
                    name,
                    made.sign_count,
                    made.backup_eligible,
                    made.backed_up,
                    list(made.transports),
                )
            if kept is not None:
                subject, detail = f"passkey:{passkey_id}", {"name": name}
                await audit.record(
                    connection, "passkey_registered", caller, actor=actor, subject=subject, detail=detail
                )
            else:
                detail = {"while": "registering"}
                await audit.record(connection, "passkey_refused", caller, actor=actor, outcome="refused", detail=detail)
        if kept is None:
            raise Unprocessable(
                "this passkey can't be registered; begin again", reason_code="passkey_refused", field="credential"
            )
        return await self._one(actor, passkey_id)

    async def rename(self, actor: Actor, passkey_id: str, name: str, caller: Caller) -> Passkey:
        """Call one `name`.

        Raises:
            NotFound: no passkey of this user.
        """
        async with self.ceremonies.pool.acquire() as connection, connection.transaction():
            if await connection.fetchrow(SQL.rename, actor.user_id, passkey_id, name) is None:
                raise no_such_passkey()
            subject = f"passkey:{passkey_id}"
            await audit.record(
                connection, "passkey_renamed", caller, actor=actor, subject=subject, detail={"name": name}
            )
        return await self._one(actor, passkey_id)

    async def remove(self, actor: Actor, passkey_id: str, caller: Caller) -> str:
        """Have it prove nothing any more; what it was called.

        Raises:
            NotFound: no passkey of this user.
        """
        async with self.ceremonies.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(SQL.remove, actor.user_id, passkey_id)
            if row is None:
                raise no_such_passkey()
            subject, detail = f"passkey:{passkey_id}", {"name": row["name"]}
            await audit.record(connection, "passkey_removed", caller, actor=actor, subject=subject, detail=detail)
        return str(row["name"])

    async def _locked(self, connection: Any, actor: Actor) -> tuple[bytes, list[Any]]:
        """The account's handle and passkeys, where there is room for another.

        Raises:
            Conflict: `too_many_passkeys`.
        """
        handle = await connection.fetchval(SQL.lock_user, actor.user_id, secrets.token_bytes(HANDLE_BYTES))
        known = await connection.fetch(SQL.of_user, actor.user_id, None)
        if len(known) >= self.most:
            raise Conflict("you have as many passkeys as one may: remove one", reason_code="too_many_passkeys")
        return handle, known

    async def _one(self, actor: Actor, passkey_id: str) -> Passkey:
        row = await self.ceremonies.pool.fetchrow(SQL.of_user, actor.user_id, passkey_id)
        if row is None:
            raise no_such_passkey()
        return shown(row)


def open_site(site: RelyingParty | None) -> RelyingParty:
    """The site that passkeys are for.

    Raises:
        Conflict: `passkeys_off`.
    """
    if site is None:
        raise Conflict(
            "passkeys need a server with a name and HTTPS: AUTOPILOT_PUBLIC_URL says which", reason_code="passkeys_off"
        )
    return site


def descriptors(rows: Collection[Any], rp_id: str) -> list[PublicKeyCredentialDescriptor]:
    """Those of this site, as an authenticator is told of them."""
    known = {one.value: one for one in AuthenticatorTransport}
    return [
        PublicKeyCredentialDescriptor(
            id=row["credential_id"], transports=[known[one] for one in row["transports"] if one in known] or None
        )
        for row in rows
        if row["rp_id"] == rp_id
    ]


def no_such_passkey() -> NotFound:
    """The one answer about a passkey that is none, or somebody else's."""
    return NotFound("you have no such passkey", reason_code="no_such_passkey")


def shown(row: Any) -> Passkey:
    """A passkey as the contract has it."""
    return Passkey(
        passkey_id=row["passkey_id"],
        name=row["name"],
        created_at=instant(row["created_at"]),
        last_used_at=instant(row["last_used_at"]) if row["last_used_at"] else None,
        backup_eligible=row["backup_eligible"],
        backed_up=row["backed_up"],
        transports=tuple(row["transports"]),
        rp_id=row["rp_id"],
        suspected_at=instant(row["suspected_at"]) if row["suspected_at"] else None,
    )


def _made(
    credential: RegistrationCredential, challenge: bytes | None, rp_id: str, origins: Collection[str]
) -> Made | None:
    if challenge is None:
        return None
    try:
        return passkey_proofs.registered(credential, Question(challenge, rp_id, origins))
    except NoProof as problem:
        log.info("passkey.not_registered", problem=str(problem))
        return None
