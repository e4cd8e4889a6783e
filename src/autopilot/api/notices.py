"""What an account's owner is told by mail when something happened to it: in plain words, with what to do about it.

Relies on `Postman.tell`: nobody waits for these, and one that can't be queued is in the log. Who has no address is told
nothing. Never says a secret, and never asks anybody to follow a link.
"""

from __future__ import annotations

from autopilot.api.audit import Caller
from autopilot.api.mail import NoticeMail, Postman
from autopilot.api.passkey_uses import Used
from autopilot.api.sessions import DeviceNote, Tokens

WHAT_NOW = (
    "If that was not you: `autopilot devices list` shows what is signed in for you, and\n"
    "`autopilot devices revoke` signs it out.\n"
)


def tell_registered(postman: Postman, email: str | None, name: str, caller: Caller) -> None:
    """A passkey was added."""
    text = f"The passkey {name!r} was registered for your account, from {caller.address}.\n\n"
    _tell(postman, email, "A passkey was added to your account", text + WHAT_NOW)


def tell_removed(postman: Postman, email: str | None, name: str, caller: Caller) -> None:
    """A passkey is gone."""
    text = f"The passkey {name!r} was removed from your account, from {caller.address}.\n\n"
    _tell(postman, email, "A passkey was removed from your account", text + WHAT_NOW)


def tell_copied(postman: Postman, used: Used, caller: Caller) -> None:
    """There are two that hold the key of a passkey."""
    text = (
        f"Your passkey {used.name!r} was refused: it counts its uses, and the count went back. Somebody may have a\n"
        f"copy of it. It was used from {caller.address}, and proves nothing any more. Remove it with\n\n"
        f"    autopilot passkeys remove {used.passkey_id}\n\n"
        "and register another one. Sign in with a code from your mail meanwhile.\n"
    )
    _tell(postman, used.account.email, "A passkey of yours may have been copied", text)


def tell_recovery(postman: Postman, tokens: Tokens, device: DeviceNote) -> None:
    """Somebody came in without a passkey, although there are some; nothing is told of any other session."""
    if tokens.held_until is None:
        return
    what = device.name or "a device without a name"
    text = (
        f"Somebody signed in to your account without a passkey, on {what!r}, from {device.address}.\n"
        "You have passkeys, so this may be somebody else. Until\n\n"
        f"    {tokens.held_until}\n\n"
        "that device can't remove a passkey, sign out another device, or do what takes a fresh proof.\n\n"
        "If it was not you, sign it out, from a device of yours:\n\n"
        f"    autopilot devices revoke {tokens.device_id}\n\n"
        "and see who else reads this mail box. If it was you, and you don't want to wait:\n\n"
        f"    autopilot devices confirm {tokens.device_id}\n"
    )
    _tell(postman, tokens.account.email, "Somebody signed in to your account without a passkey", text)


def _tell(postman: Postman, email: str | None, subject: str, text: str) -> None:
    if email is not None:
        postman.tell(NoticeMail(email, subject, text))
