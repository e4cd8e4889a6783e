"""The audit: who did what, where from, and what was refused. One line an act, in the transaction of the act.

Owns `api.audit`, which the database itself lets nobody change, and the closed set of actions. A new kind of act gets
its word in `Action` and calls `record`. What lies here is handed to the runtime (`audit_outbox`), whose audit log is
sealed. Never holds a secret: details are redacted, and small.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from autopilot.api import opaque
from autopilot.contract.port import Claims
from autopilot.contract.redaction import redact
from autopilot.db.queries import load

SQL = load("autopilot.api", "audit")

Action = Literal[
    "code_requested",
    "code_refused",
    "signed_in",
    "signed_out",
    "refresh_reused",
    "token_minted",
    "sso_refused",
    "sso_linked",
    "account_deleted",
    "admin_granted",
    "admin_revoked",
    "owner_changed",
    "owner_renamed",
    "device_renamed",
    "device_revoked",
    "device_key_registered",
    "passkey_registered",
    "passkey_renamed",
    "passkey_removed",
    "passkey_refused",
    "passkey_cloned",
    "recovery_begun",
    "device_confirmed",
    "write_refused",
    "pairing_started",
    "pairing_claimed",
    "pairing_refused",
    "pairing_guessed",
    "pairing_contested",
    "pairing_confirmed",
    "pairing_declined",
    "paired",
    "stepped_up",
    "step_up_refused",
    "guessing_noticed",
    "call_refused",
    "team_created",
    "team_invited",
    "team_invitation_withdrawn",
    "team_joined",
    "team_left",
    "team_member_removed",
    "team_role_changed",
    "team_deleted",
    "guest_invited",
    "guest_entered",
    "guest_refused",
    "guest_revoked",
    "push_subscribed",
    "push_unsubscribed",
    "push_ended",
    "push_answered",
]
Outcome = Literal["done", "refused"]

DETAIL_BYTES = 4096
ADDRESS_DIGITS = 24
NO_DETAIL: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a call comes from, for the audit."""

    address: str = "local"
    surface: str = "sdk"
    x_request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it, as far as it is known: nobody yet, where somebody tries to sign in."""

    user_id: int | None = None
    guest_scope: str | None = None
    device_id: str | None = None
    session_id: str | None = None
    machine_id: str | None = None

    @classmethod
    def of(cls, claims: Claims) -> Actor:
        """The actor behind a token."""
        return cls(
            user_id=claims.user_id,
            guest_scope=claims.guest_scope,
            device_id=claims.device_id,
            session_id=claims.session_id,
            machine_id=claims.machine_id,
        )


NOBODY = Actor()


def address_subject(key: bytes, email_key: str) -> str:
    """How a mail address stands in the audit, which is never altered: as a keyed digest, from which nobody reads it.

    The same address is the same digest, for as long as the key is (that of sign-in codes).
    """
    made = hmac.new(key, b"autopilot audit address\0" + email_key.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return f"email:{made.hexdigest()[:ADDRESS_DIGITS]}"


async def record(
    connection: Any,
    action: Action,
    caller: Caller,
    *,
    actor: Actor = NOBODY,
    outcome: Outcome = "done",
    subject: str | None = None,
    detail: Mapping[str, Any] = NO_DETAIL,
) -> None:
    """Write one line, within the transaction of what it tells of.

    `subject`: what it was done to, as `kind:name`. `detail`: a few plain facts; more than 4 KiB of them are left out.
    """
    text = json.dumps(redact(dict(detail)), separators=(",", ":"))
    await connection.execute(
        SQL.add,
        opaque.identifier("aud_"),
        action,
        outcome,
        actor.user_id,
        actor.guest_scope,
        actor.device_id,
        actor.session_id,
        actor.machine_id,
        caller.surface,
        caller.address,
        caller.x_request_id,
        subject,
        text if len(text) <= DETAIL_BYTES else '{"left_out":true}',
    )
