"""Errors in words: for each status and reason what happened, in a plain sentence, and the way out of it.

Decided by status and `reason_code`, never by the server's message; a reason that nobody foresaw is told by its status,
and by what the server said. Source of the reasons: docs/protocol.md, "Errors".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from autopilot.client.handshake import HandshakeTimeout
from autopilot.client.presenters.labels import sentence
from autopilot.client.presenters.policies import PREFIX, reason_words
from autopilot.client.tokens import SignInAgain
from autopilot.contract.errors import AutopilotError, NetworkError, UnknownError

Way = Literal["sign_in", "step_up", "reload", "retry", "wait", "correct", "back", "none"]
"""
sign_in   sign in, and come back to the same place
step_up   prove again who you are
reload    read the state anew: what is on the screen is not true any more
retry     the same again, with the same ids, is safe
wait      the same again, after a while
correct   something that was entered doesn't fit
back      it is not here
none      another person has to do something, or nobody can
"""


_PASSING: frozenset[Way] = frozenset({"retry", "wait", "sign_in", "step_up"})
"""What refuses now, and not the thing itself."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a person is told."""

    sentence: str
    """What happened."""
    hint: str
    """What to do."""
    way: Way
    wait_seconds: int | None = None
    """After so long it is worth trying again, as the server said."""
    fields: tuple[tuple[str, str], ...] = ()
    """What was entered and does not fit: the field's name, and why."""
    reference: str | None = None
    """The call's request id, for a trace."""

    @property
    def may_send_again(self) -> bool:
        """Whether the same, sent once more, may be answered otherwise: later, or once the way out was gone."""
        return self.way in _PASSING


Said = tuple[str, str, Way]

BY_STATUS: dict[int, Said] = {
    400: (
        "The server did not understand this.",
        "Reload; if it comes again, this app and the server differ.",
        "reload",
    ),
    401: ("You are signed out.", "Sign in: you come back to this place.", "sign_in"),
    403: ("You may not do this.", "Ask whoever owns it.", "none"),
    404: ("This is not here (any more).", "Go back to the list.", "back"),
    405: ("The server does not know this call.", "This app and the server differ: update one of them.", "none"),
    408: ("The connection was too slow.", "Try again; nothing is done twice.", "retry"),
    409: ("Things have changed meanwhile.", "Look at how they stand now.", "reload"),
    410: ("The log does not go on from where you were.", "It is read anew.", "reload"),
    413: ("This is too large.", "Send less at once.", "correct"),
    415: (
        "The server did not understand this.",
        "Reload; if it comes again, this app and the server differ.",
        "reload",
    ),
    422: ("Something does not fit.", "Correct what is marked.", "correct"),
    429: ("Too much at once.", "Wait a moment.", "wait"),
    431: ("The request was too large.", "Reload.", "reload"),
    503: ("The server can't do this just now.", "Try again in a moment; nothing is done twice.", "wait"),
}
BY_REASON: dict[str, Said] = {
    # 400
    "nothing_said": ("There is nothing to send yet.", "Write something first.", "correct"),
    # 401
    "token_refused": (
        "You were signed out: the session ended or was revoked.",
        "Sign in: you come back to here.",
        "sign_in",
    ),
    "sign_in_again": ("Your session is over.", "Sign in: you come back to this place.", "sign_in"),
    "code_refused": (
        "That code is not right, or too old.",
        "Look at the newest mail, or ask for another code.",
        "correct",
    ),
    # no answer of a server's: the device itself
    "keychain_read": (
        "This device's Keychain can't be read.",
        "Unlock the device and open the app again; you stay signed in.",
        "retry",
    ),
    "keychain_write": (
        "This device's Keychain does not keep what it is given.",
        "All goes on until the app ends; then you may have to sign in again.",
        "retry",
    ),
    "keychain_remove": (
        "This device's Keychain does not forget what it was told to.",
        "The server was told; delete the app to be sure.",
        "retry",
    ),
    "answer_too_large": (
        "The answer is larger than this app takes.",
        "Look at the address, and at what stands between.",
        "retry",
    ),
    "keyring_remove": (
        "This system's keyring can't be emptied now.",
        "You are signed out, what it holds is not used any more, and is removed as soon as it answers.",
        "none",
    ),
    # 403
    "too_powerful": (
        "This sign-in may do more than a phone is to hold.",
        "Sign in by mail, or pair as a device.",
        "sign_in",
    ),
    "role": ("You may look here, but not change anything.", "Ask the owner to make you an operator.", "none"),
    "scope": ("This device may not do this.", "Use a device that has the right, or sign in anew.", "none"),
    "step_up_required": ("For this, prove again that it is you.", "Confirm with a passkey or a code.", "step_up"),
    "foreign_origin": ("This came from another site.", "Open the app itself, and do it there.", "none"),
    "event_type": ("This is not yours to write.", "Only the machine itself says this.", "none"),
    "recovery_hold": (
        "You came in by mail although your account has passkeys, and this browser is held for a day.",
        "Use a passkey, or confirm this browser on another device.",
        "none",
    ),
    "passkey_refused": ("That passkey signs nobody in here.", "Use another one, or another way.", "correct"),
    "link_refused": ("This link was used, ended, or is none.", "Ask for another one.", "none"),
    "guest": ("A guest looks, and changes nothing.", "Ask whoever invited you.", "none"),
    "no_such_pairing": (
        "No such code, or it is over: five minutes went by, or something else took it up.",
        "Begin anew, with another code.",
        "correct",
    ),
    # 404
    "no_such_worker": ("There is no such session.", "Go back to the list.", "back"),
    "no_such_approval": ("There is no such question.", "Go back to the inbox.", "back"),
    "no_such_machine": ("There is no such machine.", "Go back to the list.", "back"),
    "no_such_request": ("There is no such request.", "Go back to the session.", "back"),
    "no_such_item": ("This is not in the session's timeline.", "Go back to the session.", "back"),
    "no_such_event": ("There is no such event in this log.", "Go back to the session.", "back"),
    "artifact_pending": ("The rest has not arrived yet.", "It comes as soon as the machine is heard.", "wait"),
    "artifact_lost": (
        "The rest is lost: its machine will not bring it any more.",
        "What is shown is all there is.",
        "none",
    ),
    "artifact_pruned": (
        "The rest is gone: it was older than this installation keeps.",
        "What is shown is all there is.",
        "none",
    ),
    # 409
    "worker_stopped": ("This session is stopped.", "Open it again to go on.", "reload"),
    "worker_not_running": ("This session does not run.", "Open it again to go on.", "reload"),
    "turn_ended": ("That turn has ended meanwhile.", "What you wrote is still here: send it as a new turn.", "correct"),
    "no_turn_runs": ("No turn runs that could be interrupted.", "Look at how it stands now.", "reload"),
    "different_content": ("Something else was sent under the same name.", "Look at what was sent first.", "reload"),
    "answered_differently": ("Somebody else was faster, with another answer.", "Look at what was answered.", "reload"),
    "approval_ended": ("This is asked no more.", "Look at what became of it.", "reload"),
    "answer_at_the_computer": ("This can only be answered at the computer.", "Answer where Codex runs.", "none"),
    "leased": ("Another machine works on this session.", "Stop it there first, or wait.", "wait"),
    "fenced": ("Another machine has taken this session over.", "Look at how it stands now.", "reload"),
    "not_cancellable": ("It is too late to take this back.", "Look at how far it has come.", "reload"),
    "passkeys_off": ("This server has no name that passkeys could be for.", "Give it one, with https.", "none"),
    "too_many_passkeys": ("An account has at most twenty passkeys.", "Remove one first.", "correct"),
    "too_many_guests": ("You have as many guests as there can be.", "End one first.", "correct"),
    "last_owner": ("A team with others in it would have no owner.", "Make somebody else its owner first.", "correct"),
    "installation_owner": (
        "This account owns the installation.",
        "Only its machine can change that.",
        "none",
    ),
    "no_address": ("There is no address to mail a code to.", "Use a passkey, or the machine of the server.", "none"),
    # 410
    "below_floor": ("The beginning of this log is no longer kept.", "It is read from where it begins.", "reload"),
    "ahead_of_log": ("The server's log was taken back, by a restored backup.", "It is read anew.", "reload"),
    # 413
    "event_too_large": ("This is too large for one message.", "Send less at once.", "correct"),
    # 422
    "turn_id_required": ("The turn is over that this was meant for.", "Look at how it stands now.", "reload"),
    # 429
    "session_rate": ("This device asks too much at once.", "Wait a moment.", "wait"),
    "user_rate": ("Your devices ask too much at once.", "Wait a moment.", "wait"),
    "sign_in_rate": ("Too many attempts to sign in.", "Wait a while before the next.", "wait"),
    "too_many_streams": ("Too many tabs or devices follow at once.", "Close some.", "wait"),
    # 503
    "runtime_unreachable": ("The ledger can't be reached.", "It is tried again; nothing is lost.", "wait"),
    "database_unreachable": ("The database can't be reached.", "It is tried again; nothing is lost.", "wait"),
    "internal_error": ("Something went wrong on the server.", "Try again; nothing is done twice.", "retry"),
}
NO_ROLE: Said = ("This is not shared with you.", "Ask its owner to share the machine with a team of yours.", "none")
"""Of what can't even be read; a viewer may look."""
NETWORK: Said = (
    "The server can't be reached.",
    "Look at your connection; it is tried again, and nothing is done twice.",
    "retry",
)
SIGNED_OUT: Said = ("You are signed out.", "Sign in: you come back to this place.", "sign_in")
UNHEARD: Said = (
    "Nobody answered the handshake in time.",
    "Look whether the machine is on and the companion runs.",
    "retry",
)
NOT_OURS: Said = (
    "Something answered that is not Autopilot.",
    "Look at the address, and at what stands between.",
    "retry",
)
UNKNOWN: Said = ("That did not work.", "Try again; nothing is done twice.", "retry")
_BY_KIND: tuple[tuple[type[AutopilotError], Said], ...] = (
    (SignInAgain, SIGNED_OUT),
    (HandshakeTimeout, UNHEARD),
    (NetworkError, NETWORK),
)
"""What is no answer of a server's has no status."""
_MOST_FIELDS = 20


def trouble(error: AutopilotError, *, reading: bool = False) -> Trouble:
    """What to tell a person about this error, and the way out; `reading`: they only wanted to look."""
    words, hint, way = NO_ROLE if reading and error.reason_code == "role" else _said(error)
    wait = error.retry_after_seconds
    if way == "wait" and wait:
        hint = f"Try again in {_wait(wait)}."
    fields = _fields(error) if way == "correct" else ()
    if way == "correct" and error.reason_code not in BY_REASON:
        hint = sentence(error.message)  # which nobody can say better than who refused it
    return Trouble(words, hint, way, math.ceil(wait) if wait else None, fields, error.request_id)


def words(error: AutopilotError) -> str:
    """Both sentences in one line."""
    told = trouble(error)
    return f"{told.sentence} {told.hint}"


def _said(error: AutopilotError) -> Said:
    for kind, said in _BY_KIND:
        if isinstance(error, kind):
            return said
    reason = error.reason_code if isinstance(error.reason_code, str) else ""
    if reason.startswith(PREFIX):
        return f"{reason_words(reason)}.", "Whoever wrote the policy can change it.", "none"
    if reason in BY_REASON:
        return BY_REASON[reason]
    if error.status in BY_STATUS and not isinstance(error, UnknownError):
        return BY_STATUS[error.status]
    return NOT_OURS if error.status else UNKNOWN


def _fields(error: AutopilotError) -> tuple[tuple[str, str], ...]:
    """The fields that do not fit; what the server says of one, else its reason."""
    named = [detail for detail in error.details if isinstance(detail.get("field"), str)]
    return tuple(
        (detail["field"], sentence(str(detail.get("message") or detail.get("reason_code") or "").replace("_", " ")))
        for detail in named[:_MOST_FIELDS]
    )


def _wait(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{math.ceil(seconds)} s" if minutes <= 1 else f"{minutes} min"
