"""What it means when the database of accounts can't be asked, or whoever asks is in it no more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import asyncpg

from autopilot.contract.errors import Unauthorized, Unavailable
from autopilot.db.away import AWAY

WHOSE = ("_user_id_fkey", "_invited_by_fkey", "_device_id_fkey", "_session_id_fkey", "_guest_id_fkey")
"""Ends of the names of constraints: in whose name a row is written."""


@contextlib.contextmanager
def answering(*, outcome: str = "unknown") -> Iterator[None]:
    """Within it, a database that doesn't answer is an answer of the contract, and so is one whose caller is gone.

    Raises:
        Unauthorized: the account, or the session, ended while the call was under way; nothing was done.
        Unavailable: with `outcome`: whether what was asked took effect.
    """
    try:
        yield
    except AWAY as error:
        raise Unavailable(
            "accounts can't be read at the moment",
            reason_code="database_unreachable",
            outcome=outcome,
            retry_after_seconds=1.0,
        ) from error
    except asyncpg.ForeignKeyViolationError as error:
        if not (error.constraint_name or "").endswith(WHOSE):
            raise
        raise Unauthorized("this account or sign-in ended meanwhile", reason_code="token_refused") from error
