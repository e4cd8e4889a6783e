# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Stopping everything: what is asked, and what it came to."""

from dataclasses import dataclass

from autopilot.contract._generated.errors import ErrorInfo

__all__ = ["StopAll", "StopAllWorker", "StoppedAll"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAll:
    """Body of a stop of everything."""

    reason: str | None = None
    """Why, for people."""
    force: bool | None = None
    """Close every log at once, without waiting for the executors; recorded as `verified: false`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAllWorker:
    """What the stop of everything came to for one worker."""

    worker_id: str
    """Which worker."""
    status: str | None = None
    """`stopping` or `stopped`; null where it could not be asked. (`WorkerStatus`)"""
    request_id: str | None = None
    """The stop's own request: its receipt tells what becomes of it. Null where no machine is asked."""
    machine_unreachable: bool
    """True when its machine has not been heard: it is not done yet, and done first when the machine returns."""
    idempotent_replay: bool
    """True when it was stopping or stopped already, and nothing was appended."""
    error: ErrorInfo | None = None
    """Why it could not be asked; null where it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedAll:
    """Answer to a stop of everything."""

    workers: tuple[StopAllWorker, ...] = ()
    """Every worker that was open and that the caller may stop, in the order of their ids."""
    stopped: int
    """How many are stopped."""
    stopping: int
    """How many are stopping: their machines were asked."""
