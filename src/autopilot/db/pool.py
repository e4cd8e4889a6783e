"""Connections, and the pool: one a process and room, with the room's schema as its search path.

Relies on asyncpg. Never retries a statement: whether a commit was lost is for the caller to know.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import asyncpg

from autopilot.db.errors import AddressRefused

COMMAND_TIMEOUT_SECONDS = 30.0
"""No statement of ours takes long; one that does waits for a lock that nobody will release."""
ADDRESS_FORM = (
    "It has the form postgresql://user:password@host:port/database; characters such as @ : / in a name or password "
    "are percent-encoded."
)
IDLE_IN_TRANSACTION_MS = 60_000
"""A transaction that a dead or stuck client left open is ended by the server, and its locks with it."""


async def open_pool(
    dsn: str, *, min_size: int = 1, max_size: int = 10, schema: str | None = None, application_name: str = "autopilot"
) -> asyncpg.Pool:
    """Connect and return a pool; close it with `await pool.close()` or `async with`.

    `schema`: the room whose tables the statements name without a prefix ("runtime", "api").

    Raises:
        AddressRefused: `dsn` is no address.
        OSError, asyncpg.PostgresError: the server can't be reached or refuses us (db.away).
    """
    settings = {
        "application_name": application_name,
        "timezone": "UTC",
        "jit": "off",
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
    }
    if schema is not None:
        settings["search_path"] = schema
    with _addressed():
        return await asyncpg.create_pool(
            dsn, min_size=min_size, max_size=max_size, command_timeout=COMMAND_TIMEOUT_SECONDS, server_settings=settings
        )


async def connect(dsn: str, *, server_settings: Mapping[str, str] | None = None) -> asyncpg.Connection:
    """One connection by itself; close it.

    Raises:
        As `open_pool`.
    """
    with _addressed():
        return await asyncpg.connect(dsn, server_settings=dict(server_settings or {}))


@contextlib.contextmanager
def _addressed() -> Iterator[None]:
    """An address that can't be read is one of our refusals: the driver has three kinds of errors for it."""
    try:
        yield
    except (asyncpg.ClientConfigurationError, ValueError, OverflowError) as error:
        # What Python says of a host or port repeats it, and that may be half a password with an @ in it.
        said = f": {error}" if isinstance(error, asyncpg.ClientConfigurationError) else ""
        raise AddressRefused(f"DATABASE_URL is not an address of a Postgres{said}. {ADDRESS_FORM}") from error
