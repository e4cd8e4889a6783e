"""Who there is: accounts, and the owner of the installation.

Relies on the schema `api` (migrations/0001_accounts.sql). The first account is the owner. An installation may have an
owner before anyone signed in (its companion needs one): that owner has no address yet, and whoever signs in first, or
`owner_email` where it is set, claims it. Never decides what an account may do with a worker: that is the runtime's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg

from autopilot.api.address import folded_email, plain_email
from autopilot.db.queries import load

SQL = load("autopilot.api", "accounts")


@dataclass(frozen=True, slots=True)
class Account:
    """One person."""

    user_id: int
    email: str | None
    """None: the owner nobody has claimed by signing in."""
    is_owner: bool


def _account(row: Any) -> Account:
    return Account(user_id=row["user_id"], email=row["email"], is_owner=row["is_owner"])


async def find(connection: Any, email: str) -> Account | None:
    """The account of an address, if there is one."""
    row = await connection.fetchrow(SQL.find_by_email, folded_email(email))
    return _account(row) if row else None


async def find_or_create(connection: Any, email: str, *, owner_email: str | None = None) -> Account:
    """The account of an address, made if there is none; within the caller's transaction.

    Raises:
        ValueError: it can't be a mail address.
    """
    known = await find(connection, email)
    if known:
        return known
    await connection.execute(SQL.lock_sign_up)
    return await find(connection, email) or await _create(connection, email, owner_email)


async def _create(connection: Any, email: str, owner_email: str | None) -> Account:
    email_key = folded_email(email)
    may_own = owner_email is None or folded_email(owner_email) == email_key
    if may_own:
        claimed = await connection.fetchrow(SQL.claim_owner, plain_email(email), email_key)
        if claimed:
            return _account(claimed)
    is_owner = may_own and await connection.fetchrow(SQL.find_owner) is None
    return _account(await connection.fetchrow(SQL.create_user, plain_email(email), email_key, is_owner))


async def owner(connection: Any) -> Account:
    """The owner of the installation, made without an address if nobody signed in yet; within a transaction."""
    row = await connection.fetchrow(SQL.find_owner)
    if row is None:
        await connection.execute(SQL.lock_sign_up)
        row = await connection.fetchrow(SQL.find_owner) or await connection.fetchrow(SQL.create_user, None, None, True)
    return _account(row)


async def may_sign_up(pool: asyncpg.Pool, email: str, *, sign_up: str, owner_email: str | None) -> bool:
    """Whether a code goes to this address."""
    if sign_up == "open" or await find(pool, email) is not None:
        return True
    if owner_email is not None:
        return folded_email(owner_email) == folded_email(email)
    first = await pool.fetchrow(SQL.find_owner)
    return first is None or first["email"] is None
