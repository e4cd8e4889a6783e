"""Whether what failed may have been recorded all the same. Pure.

One failure alone may say that nothing was; after an attempt of which nobody knows what became, only the word of whoever
keeps the records says it: it looks for the id first. Source: docs/protocol.md, "Errors" (`outcome`).
"""

from __future__ import annotations

from autopilot.contract.errors import (
    AutopilotError,
    Conflict,
    InvalidRequest,
    NetworkError,
    NotFound,
    PayloadTooLarge,
    Problem,
    Unavailable,
    Unprocessable,
)

UNKNOWN = "unknown"
_SERVER_TROUBLE = 500
_DECIDED = (InvalidRequest, NotFound, Conflict, PayloadTooLarge, Unprocessable)
"""Refusals of the thing itself: who had it recorded would have answered with its receipt."""


def leaves_doubt(error: AutopilotError) -> bool:
    """Whether, after this attempt alone, it may be recorded."""
    outcome = error.fact("outcome")
    if outcome == UNKNOWN:
        return True
    if isinstance(error, NetworkError | Unavailable):
        return outcome != "not_recorded"
    return not isinstance(error, Problem) or (error.status or _SERVER_TROUBLE) >= _SERVER_TROUBLE


def ends_doubt(error: AutopilotError) -> bool:
    """Whether this refusal says that no attempt before it was recorded either."""
    return isinstance(error, _DECIDED)


def stays_in_doubt(error: AutopilotError, *, before: bool) -> bool:
    """Whether it may be recorded after this attempt, by this one or by one `before`: it keeps its id then."""
    return leaves_doubt(error) or (before and not ends_doubt(error))


def doubted(error: AutopilotError) -> AutopilotError:
    """The same error, which says that nobody knows: an attempt before it may have been recorded."""
    known = error.details[0] if error.details else {}
    error.details[:1] = [{**known, "outcome": UNKNOWN}]
    return error
