"""Whose account it is that the provider speaks of: known by issuer and subject, linked by address.

Relies on the schema `api`. The address must be verified by the provider, and of a domain that the settings name, at
each sign-in: whoever may choose addresses at a provider that is believed about all of them could have any account here,
or make one for somebody who comes later. A subject that is known is its account, whatever its address is by now; one
that is not gets the account of its address, or a new one. An account that a subject of this issuer has is no other
subject's: addresses are given to somebody else at times. Never decides whether the provider's word is genuine.
Source: docs/decisions/0021-single-sign-on.md.
"""

from __future__ import annotations

from typing import Any

from autopilot.api import accounts, audit
from autopilot.api.accounts import Account, SignUp
from autopilot.api.address import folded_email
from autopilot.api.audit import Actor, Caller
from autopilot.api.oidc_client import OidcClient
from autopilot.api.oidc_id_token import NotProved
from autopilot.api.oidc_provider import Proof
from autopilot.db.queries import load

SQL = load("autopilot.api", "oidc")


async def account_of(connection: Any, proof: Proof, client: OidcClient, sign_up: SignUp, caller: Caller) -> Account:
    """The account, made or linked at its first sign-in; within the caller's transaction.

    Raises:
        NotProved: there is none for them, and why; nothing was changed.
    """
    email = _checked(proof, client)
    known = await connection.fetchrow(SQL.find_identity, client.issuer, proof.subject)
    if known is not None:
        await connection.execute(SQL.used, client.issuer, proof.subject)
        return Account(known["user_id"], known["email"], known["is_owner"])
    account = await accounts.find_or_create(connection, email, owner_email=sign_up.owner_email)
    if await connection.fetchval(SQL.link, client.issuer, proof.subject, account.user_id) is None:
        raise NotProved(
            "other_subject",
            "the account of this address is somebody else's at the provider: ask whoever runs this server",
        )
    actor, detail = Actor(user_id=account.user_id), {"issuer": client.issuer}
    await audit.record(connection, "sso_linked", caller, actor=actor, detail=detail)
    return account


def _checked(proof: Proof, client: OidcClient) -> str:
    if proof.email is None or not proof.email_verified:
        raise NotProved("email_unverified", "the provider has not verified your e-mail address")
    try:
        email_key = folded_email(proof.email)
    except ValueError:
        raise NotProved("email", "the provider names no e-mail address that can be one") from None
    if not client.allows(email_key):
        raise NotProved("domain", "people of your address's domain do not sign in here this way")
    return proof.email
