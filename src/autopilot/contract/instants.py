"""Times as the contract writes them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def instant(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds and `Z`."""
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
