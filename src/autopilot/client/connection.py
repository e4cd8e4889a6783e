"""What is known of a follower's connection, as a value that never says more than is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from autopilot.contract.errors import AutopilotError

Kind = Literal["idle", "connecting", "catching_up", "live", "waiting", "signed_out", "stale", "refused", "closed"]
"""
idle          nothing was asked of it yet
connecting    a stream is being opened; nothing was heard
catching_up   the server answered; it has not said, and we can't tell, that we have everything
live          the server said that we have everything, and was heard lately
waiting       the last attempt failed (`error`); the next is at `retry_at`, or on `poke()`
signed_out    a person has to sign in again; the cursor is kept
stale         the log doesn't go on from the cursor: start again from the snapshot
refused       the server says no, and repeating won't help (`error`)
closed        `aclose()` was called
"""

Delivery = Literal["stream", "long_poll"]


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """One moment of a connection."""

    kind: Kind = "idle"
    since: datetime | None = None
    """When `kind` began, by this device's clock."""
    heard_at: datetime | None = None
    """When the last byte came from the server, by this device's clock; None: never."""
    delivery: Delivery = "stream"
    """`long_poll`: something on the way buffers streams; events come in batches."""
    openings: int = 0
    """How often it was opened; what is beyond the first are reconnections."""
    attempt: int = 0
    """Failures in a row."""
    retry_at: datetime | None = None
    """Kind `waiting`: when the next attempt is made."""
    latest_seq: int | None = None
    """The end of the log as the server told at the opening; None: not told."""
    error: AutopilotError | None = None
    """Why it is not connected, or was not the last time."""


Listener = Callable[[ConnectionState], None]
