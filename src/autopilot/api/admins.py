"""Who manages the installation: its owner, and whom somebody at the machine named beside them.

Relies on the schema `api` alone. Every change takes the database at hand: nothing here is reachable over the network.
A token's scope `admin` speaks for a user only while they are one of these (`grants.py`). Each change is audited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg

from autopilot.api import audit
from autopilot.api.address import folded_email, plain_email
from autopilot.api.audit import Caller
from autopilot.contract.errors import Conflict, NotFound, Unprocessable
from autopilot.db.queries import load

SQL = load("autopilot.api", "admins")
AT_THE_MACHINE = Caller(surface="cli")


@dataclass(frozen=True, slots=True)
class Admin:
    """One of them."""

    user_id: int
    email: str | None
    """None: the owner, whom nobody has named yet."""
    is_owner: bool


async def everybody(pool: asyncpg.Pool) -> list[Admin]:
    """The owner first."""
    return [Admin(row["user_id"], row["email"], row["is_owner"]) for row in await pool.fetch(SQL.everybody)]


async def grant(pool: asyncpg.Pool, email: str) -> bool:
    """Let a user manage the installation; False: they did.

    Raises:
        NotFound: nobody has this address.
        Unprocessable: it is none.
    """
    return await _set(pool, email, "admin_granted", is_admin=True)


async def revoke(pool: asyncpg.Pool, email: str) -> bool:
    """Let them no longer; their tokens lose the scope within a second. False: they did not.

    Raises:
        NotFound, Unprocessable: as `grant`.
        Conflict: the owner does by being it.
    """
    return await _set(pool, email, "admin_revoked", is_admin=False)


async def hand_over(pool: asyncpg.Pool, email: str) -> None:
    """Make another user the owner; who was it keeps their account, and nothing else.

    Raises:
        NotFound, Unprocessable: as `grant`.
        Conflict: the owner has no address, so that they would be nobody.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL.lock)
        heir = await _found(connection, email)
        before = await connection.fetchrow(SQL.owner)
        if heir["is_owner"]:
            return
        if before is not None and before["email"] is None:
            raise Conflict("the owner has no address yet: give them this one", reason_code="no_address")
        await connection.execute(SQL.disown)
        await connection.execute(SQL.own, heir["user_id"])
        detail = {"from_user_id": before["user_id"] if before else None}
        await audit.record(
            connection, "owner_changed", AT_THE_MACHINE, subject=f"user:{heir['user_id']}", detail=detail
        )


async def rename_owner(pool: asyncpg.Pool, email: str) -> None:
    """Give the owner another address: where their codes go from now on.

    Raises:
        Conflict: it is somebody else's, or there is no owner yet.
        Unprocessable: it is none.
    """
    email_key = _key(email)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL.lock)
        found = await connection.fetchrow(SQL.find, email_key)
        if found is not None and not found["is_owner"]:
            raise Conflict("somebody else has this address", reason_code="address_taken")
        user_id = await connection.fetchval(SQL.rename_owner, plain_email(email), email_key)
        if user_id is None:
            raise Conflict("there is no owner yet: start the installation once", reason_code="no_owner")
        await audit.record(connection, "owner_renamed", AT_THE_MACHINE, subject=f"user:{user_id}")


async def _set(pool: asyncpg.Pool, email: str, action: audit.Action, *, is_admin: bool) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL.lock)
        found = await _found(connection, email)
        if found["is_owner"]:
            if is_admin:
                return False
            raise Conflict("the owner manages the installation: hand it over first", reason_code="installation_owner")
        if found["is_admin"] == is_admin:
            return False
        await connection.execute(SQL.set_admin, found["user_id"], is_admin)
        await audit.record(connection, action, AT_THE_MACHINE, subject=f"user:{found['user_id']}")
        return True


async def _found(connection: Any, email: str) -> Any:
    found = await connection.fetchrow(SQL.find, _key(email))
    if found is None:
        raise NotFound("nobody here has this address: they sign in once first", reason_code="no_such_user")
    return found


def _key(email: str) -> str:
    try:
        return folded_email(email)
    except ValueError:
        raise Unprocessable("this is no mail address", reason_code="invalid_value", field="email") from None
