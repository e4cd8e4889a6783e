"""Who there is: accounts, and the owner of the installation.

Relies on the schema `api` (migrations/0001_accounts.sql). The owner is whom the settings name (`up` settles it before
anybody can sign in), never whoever comes first. An installation may have an owner before anyone signed in (its
companion needs one): that one has no address yet, and `owner_email` claims it. Never decides what an account may do
with a worker: that is the runtime's. Source: docs/guide/sign-in.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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

    `owner_email`: whose the installation becomes, where nobody has it yet. None: nobody's, whoever is first.

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
    may_own = owner_email is not None and folded_email(owner_email) == email_key
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


@dataclass(frozen=True, slots=True)
class SignUp:
    """Who may have an account at all: what the settings say."""

    is_open: bool
    owner_email: str | None

    async def admits(self, connection: Any, email: str) -> bool:
        """Whether somebody who reads the mails of this address may sign in.

        Those are: whoever has an account, the owner that the settings name, whoever is invited into a team; where
        sign-up is open, everybody.
        """
        if self.is_open or self.is_for_owner(email):
            return True
        return bool(await connection.fetchval(SQL.is_expected, folded_email(email)))

    def is_for_owner(self, email: str) -> bool:
        """Whether it is the address of the owner that the settings name."""
        return self.owner_email is not None and folded_email(self.owner_email) == folded_email(email)
