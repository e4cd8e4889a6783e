"""What it looks like when the database is away: one table, for everybody who has to tell that from a refusal.

Relies on asyncpg, whose errors have three roots: what the server said (`PostgresError`), what the driver says of itself
(`InterfaceError`), and what it did not expect to hear (`InternalClientError`: a connection that the server has just
ended, used before anybody noticed). Never retries; whether what was asked took effect is for the caller to know.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import asyncpg

from autopilot.db.errors import DatabaseAway, DatabaseUnfit

AWAY: tuple[type[Exception], ...] = (
    OSError,  # refused, reset, no such host, timed out
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it is shut down, starting, has crashed, or its operator ended this session
    asyncpg.InsufficientResourcesError,  # no connection, memory or disk is left
    asyncpg.IdleInTransactionSessionTimeoutError,  # it ended this session
    asyncpg.ReadOnlySQLTransactionError,  # it is a replica since the last failover
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""A statement that ends so says nothing about what was asked."""


@contextlib.contextmanager
def reached(*, beside_files: bool = False) -> Iterator[None]:
    """Within it, a database that can't be used is a sentence for the person at the terminal.

    `beside_files`: much is read and written in it, so that an OSError says nothing about the database; one that names
    a file never does.

    Raises:
        DatabaseAway: it doesn't answer, or can't at the moment.
        DatabaseUnfit: it doesn't let us in, or refuses what we do.
    """
    try:
        yield
    except AWAY as error:
        if isinstance(error, OSError) and (beside_files or error.filename):
            raise
        raise DatabaseAway(f"The database is not available: {words(error)}") from error
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise DatabaseUnfit(f"The database does not let us in: {error}. Look at DATABASE_URL.") from error
    except asyncpg.PostgresError as error:
        raise DatabaseUnfit(f"The database refuses: {error}") from error


def words(error: Exception) -> str:
    """What the error says; some say nothing."""
    return str(error) or ("it did not answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
