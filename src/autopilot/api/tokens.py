"""Tokens made by the operator at the machine itself: for scripts, and for the local companion.

What the command line calls; it needs the database, not the API process. Never reachable over the network.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import asyncpg

from autopilot.api import accounts, audit, step_up
from autopilot.api.accounts import Account
from autopilot.api.admins import SQL as ADMINS_SQL
from autopilot.api.audit import Caller
from autopilot.api.sessions import DeviceNote, Lifetimes, Sessions, Tokens
from autopilot.contract import SignedIn, User

SCOPES = frozenset({"observe", "administer", "execute", "admin"})
SURFACES = frozenset({"ios", "web", "cli", "sdk", "companion"})


async def mint(
    pool: asyncpg.Pool,
    *,
    email: str | None = None,
    scopes: Iterable[str],
    machine_id: str | None = None,
    surface: str = "cli",
    name: str = "",
    lifetimes: Lifetimes | None = None,
    owner_email: str | None = None,
) -> SignedIn:
    """A new session of a user, as if signed in, stepped up unless it is a machine's; the account is made on first use.

    `email` None means the owner of the installation (made without an address if nobody signed in yet). `owner_email`:
    who the owner will be where there is none yet.

    Raises:
        ValueError: an unknown scope or surface, a bad address, `execute` without a machine (or the reverse), or `admin`
            for a user who does not manage the installation.
    """
    asked = frozenset(scopes)
    _check(asked, machine_id, surface)
    sessions = Sessions(pool, lifetimes or Lifetimes())
    async with pool.acquire() as connection, connection.transaction():
        account = await _account(connection, email, owner_email)
        if "admin" in asked and not await connection.fetchval(ADMINS_SQL.may_manage, account.user_id):
            raise ValueError(
                "only the owner, and whom `autopilot admins grant` names, gets a token with the scope admin"
            )
        tokens = await sessions.open(
            connection, account, DeviceNote(surface=surface, name=name), scopes=asked, machine_id=machine_id
        )
        if machine_id is None:
            await step_up.mark(connection, tokens.session_id, "local")
        detail = {"scopes": sorted(asked), "machine_id": machine_id}
        await audit.record(connection, "token_minted", Caller(surface=surface), actor=tokens.actor, detail=detail)
    return signed_in(tokens)


async def _account(connection: Any, email: str | None, owner_email: str | None) -> Account:
    if email is None:
        return await accounts.owner(connection)
    return await accounts.find_or_create(connection, email, owner_email=owner_email)


def signed_in(tokens: Tokens) -> SignedIn:
    """The contract's answer to a sign-in."""
    user_id = tokens.account.user_id
    return SignedIn(
        ok=True,
        userId=user_id,
        user=User(id=user_id, email=tokens.account.email or ""),
        token=tokens.access,
        refresh_token=tokens.refresh,
        expires_in=tokens.expires_in,
    )


def _check(scopes: frozenset[str], machine_id: str | None, surface: str) -> None:
    if not scopes or scopes - SCOPES:
        raise ValueError(f"scopes are {', '.join(sorted(SCOPES))}")
    if ("execute" in scopes) != (machine_id is not None):
        raise ValueError("an execute token is bound to one machine, and only such a token is")
    if surface not in SURFACES:
        raise ValueError(f"surfaces are {', '.join(sorted(SURFACES))}")
