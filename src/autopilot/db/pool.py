"""The connection pool: one a process and room, with the room's schema as its search path.

Relies on asyncpg. Never retries a statement: whether a commit was lost is for the caller to know.
"""

from __future__ import annotations

import asyncpg

COMMAND_TIMEOUT_SECONDS = 30.0
"""No statement of ours takes long; one that does waits for a lock that nobody will release."""
IDLE_IN_TRANSACTION_MS = 60_000
"""A transaction that a dead or stuck client left open is ended by the server, and its locks with it."""


async def open_pool(
    dsn: str, *, min_size: int = 1, max_size: int = 10, schema: str | None = None, application_name: str = "autopilot"
) -> asyncpg.Pool:
    """Connect and return a pool; close it with `await pool.close()` or `async with`.

    `schema`: the room whose tables the statements name without a prefix ("runtime", "api").

    Raises:
        OSError, asyncpg.PostgresError: the server can't be reached or refuses us.
    """
    settings = {
        "application_name": application_name,
        "timezone": "UTC",
        "jit": "off",
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
    }
    if schema is not None:
        settings["search_path"] = schema
    return await asyncpg.create_pool(
        dsn, min_size=min_size, max_size=max_size, command_timeout=COMMAND_TIMEOUT_SECONDS, server_settings=settings
    )
