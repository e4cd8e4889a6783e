"""What it means when the database of accounts can't be asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from autopilot.contract.errors import Unavailable
from autopilot.db.away import AWAY


@contextlib.contextmanager
def answering(*, outcome: str = "unknown") -> Iterator[None]:
    """Within it, a database that doesn't answer is an answer of the contract.

    Raises:
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
