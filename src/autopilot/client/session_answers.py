"""What the sign-in calls answer, looked at before it is believed: sessions, and what an authenticator hands over."""

from __future__ import annotations

from typing import Any

from autopilot.client.calls import M
from autopilot.contract import GuestSession, SignedIn, decode
from autopilot.contract.errors import UnknownError, Unprocessable

LONGEST_LIFE_SECONDS = 366 * 86_400
"""No installation says that an access token lives for longer."""


def message_of(kind: type[M], value: Any) -> M:
    """What an app hands over, as a message.

    Raises:
        Unprocessable: it is none.
    """
    try:
        return decode(kind, value)
    except ValueError as error:
        raise Unprocessable(f"no answer of an authenticator: {error}", reason_code="invalid_value") from error


def guest_session(body: Any) -> GuestSession:
    """A guest's session.

    Raises:
        UnknownError: it is none.
    """
    try:
        entered = decode(GuestSession, body)
    except ValueError as error:
        raise UnknownError(f"the answer is no session: {error}", reason_code="malformed_answer") from error
    if not 0 <= entered.expires_in <= LONGEST_LIFE_SECONDS:
        raise UnknownError("no session lives that long", reason_code="malformed_answer")
    return entered


def signed_in(body: Any) -> SignedIn:
    """A user's session.

    Raises:
        UnknownError: it is none.
    """
    try:
        session = decode(SignedIn, body)
    except ValueError as error:
        raise UnknownError(f"the answer is no session: {error}", reason_code="malformed_answer") from error
    if not 0 <= session.expires_in <= LONGEST_LIFE_SECONDS:
        raise UnknownError("no session lives that long", reason_code="malformed_answer")
    return session
