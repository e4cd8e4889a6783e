"""What a passkey is good for: signing in without a name, and stepping a session up.

Relies on `Ceremonies` and `passkey_proofs`. An answer for a credential that nobody has takes the same steps as any
other, signature included, and ends in the same words. A counter that went back means that there is a copy of the key:
that passkey proves nothing from then on, and its owner is told. Never opens a session.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from webauthn import base64url_to_bytes, generate_authentication_options, options_to_json
from webauthn.helpers import encode_cbor
from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

from autopilot.api import audit, opaque, passkey_proofs, step_up
from autopilot.api.accounts import Account
from autopilot.api.alarm import Alarm
from autopilot.api.audit import NOBODY, Actor, Caller
from autopilot.api.ceremonies import SQL, Ceremonies, Kind
from autopilot.api.passkey_proofs import NoProof, Proved, Question
from autopilot.api.passkeys import MILLISECONDS, descriptors, open_site
from autopilot.api.relying_party import RelyingParty
from autopilot.contract import AssertionCredential, PasskeyCeremony
from autopilot.contract.errors import Unauthorized
from autopilot.ops.log import get_logger

KTY, OKP, ALG, EDDSA, CRV, ED25519, X = 1, 1, 3, -8, -1, 6, -2
"""Of a COSE key (RFC 9053)."""

log = get_logger("autopilot.api")


def _nobodys_key() -> bytes:
    """A key whose other half was thrown away: what answers for credentials that nobody has are compared with."""
    x = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return encode_cbor({KTY: OKP, ALG: EDDSA, CRV: ED25519, X: x})


NOBODYS_KEY = _nobodys_key()


@dataclass(frozen=True, slots=True)
class Used:
    """Whose passkey proved something."""

    account: Account
    passkey_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It proved nothing."""

    copied: Used | None = None
    """The passkey of which there is a copy, noticed just now."""


@dataclass(frozen=True, slots=True)
class PasskeyUses:
    """Asks authenticators, and takes their answers."""

    ceremonies: Ceremonies
    site: RelyingParty | None
    alarm: Alarm

    async def begin_sign_in(self, caller: Caller) -> PasskeyCeremony:
        """The question for whoever is there.

        Raises:
            Conflict: `passkeys_off`.
            RateLimited: too many are open of this network address.
        """
        return await self._begin("sign_in", None, None, caller.address)

    async def begin_step_up(self, actor: Actor) -> PasskeyCeremony:
        """The question for the user of this session.

        Raises:
            Conflict: `passkeys_off`.
            RateLimited: too many are open of the actor's user.
        """
        rows = await self.ceremonies.pool.fetch(SQL.of_user, actor.user_id, None)
        known = descriptors([row for row in rows if row["suspected_at"] is None], open_site(self.site).rp_id)
        return await self._begin("step_up", actor.session_id, known, f"user {actor.user_id}")

    async def has_any(self, actor: Actor) -> bool:
        """Whether the actor's user could step up by one here."""
        if self.site is None:
            return False
        return await self.ceremonies.pool.fetchval(SQL.count_of_session, actor.session_id, self.site.rp_id) > 0

    async def end(
        self, kind: Kind, actor: Actor, ceremony: str, credential: AssertionCredential, origins: Collection[str]
    ) -> Question | None:
        """The question that this answers, which is over with this; None: there is none.

        Raises:
            Conflict: `passkeys_off`.
            Unprocessable: the answer is of no form.
        """
        site = open_site(self.site)
        passkey_proofs.check_assertion(credential)
        challenge = await self.ceremonies.end(ceremony, kind, actor.session_id)
        return None if challenge is None else Question(challenge, site.rp_id, origins)

    async def take(
        self,
        connection: Any,
        credential: AssertionCredential,
        question: Question,
        caller: Caller,
        actor: Actor = NOBODY,
    ) -> Used | Refused:
        """Whose passkey answered; with an actor, only their own.

        Runs within the caller's transaction, which must be committed in either case: a refusal leaves a line.
        """
        row = await connection.fetchrow(SQL.lock_credential, base64url_to_bytes(credential.rawId))
        found = _proof(credential, question, NOBODYS_KEY if row is None else row["public_key"])
        if row is None or found is None or not _fits(row, found, credential, question, actor):
            await self.refuse(connection, caller, actor)
            return Refused()
        used = Used(Account(row["user_id"], row["email"], row["is_owner"]), row["passkey_id"], row["name"])
        if max(found.sign_count, row["sign_count"]) > 0 and found.sign_count <= row["sign_count"]:
            await self._suspect(connection, row, found, caller, actor)
            return Refused(used)
        await connection.execute(SQL.used, row["passkey_id"], found.sign_count, found.backed_up)
        return used

    async def step_up(self, connection: Any, actor: Actor, used: Used, caller: Caller) -> None:
        """Count the proof, within the caller's transaction."""
        assert actor.session_id is not None
        await step_up.mark(connection, actor.session_id, "passkey")
        subject, detail = f"passkey:{used.passkey_id}", {"method": "passkey"}
        await audit.record(connection, "stepped_up", caller, actor=actor, subject=subject, detail=detail)

    async def refuse(self, connection: Any, caller: Caller, actor: Actor) -> None:
        """Leave the line of a refusal; within a transaction."""
        action: audit.Action = "passkey_refused" if actor.session_id is None else "step_up_refused"
        detail = {"method": "passkey"}
        await audit.record(connection, action, caller, actor=actor, outcome="refused", detail=detail)
        self.alarm.refused(caller, None)

    async def _suspect(self, connection: Any, row: Any, found: Proved, caller: Caller, actor: Actor) -> None:
        """There are two that hold this key: which of them has the user, nobody can know here."""
        await connection.execute(SQL.suspect, row["passkey_id"])
        owner = Actor(user_id=row["user_id"], device_id=actor.device_id, session_id=actor.session_id)
        detail = {"name": row["name"], "counter": found.sign_count, "before": row["sign_count"]}
        await audit.record(
            connection,
            "passkey_cloned",
            caller,
            actor=owner,
            outcome="refused",
            subject=f"passkey:{row['passkey_id']}",
            detail=detail,
        )
        log.warning("passkey.cloned", passkey_id=row["passkey_id"], user_id=row["user_id"])

    async def _begin(
        self, kind: Kind, session_id: str | None, known: list[PublicKeyCredentialDescriptor] | None, whose: str
    ) -> PasskeyCeremony:
        site = open_site(self.site)
        ceremony, challenge = await self.ceremonies.begin(kind, session_id, whose)
        options = generate_authentication_options(
            rp_id=site.rp_id,
            challenge=challenge,
            timeout=int(self.ceremonies.life_seconds * MILLISECONDS),
            allow_credentials=known,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return self.ceremonies.shown(ceremony, json.loads(options_to_json(options)))


def refusal() -> Unauthorized:
    """The one answer to a passkey that proves nothing: unknown, another's, copied, or an answer to something else."""
    return Unauthorized("this passkey does not sign you in; begin again", reason_code="passkey_refused")


def _proof(credential: AssertionCredential, question: Question, public_key: bytes) -> Proved | None:
    try:
        return passkey_proofs.proved(credential, question, public_key)
    except NoProof as problem:
        log.info("passkey.no_proof", problem=str(problem))
        return None


def _fits(row: Any, found: Proved, credential: AssertionCredential, question: Question, actor: Actor) -> bool:
    """Whether it is of this site and of whom it says, is what it was, and has no copy."""
    if row["suspected_at"] is not None:
        return False
    handle = credential.response.userHandle
    if actor.user_id is None:
        is_theirs = opaque.same(row["passkey_handle"], base64url_to_bytes(handle or ""))
    else:
        is_theirs = row["user_id"] == actor.user_id
        if handle is not None:
            is_theirs = is_theirs and opaque.same(row["passkey_handle"], base64url_to_bytes(handle))
    return is_theirs and row["rp_id"] == question.rp_id and row["backup_eligible"] == found.backup_eligible
