"""Letting a device in, in words: who wants to come in, what to compare, how it ended. Pure: web and phone say it."""

from __future__ import annotations

from autopilot.contract import Pairing

ENDS = {
    "done": "It is in.",
    "declined": "It was not let in.",
    "expired": "Five minutes are over, and nothing came in. Begin anew.",
}
TAMPERED = "What the server says of this pairing does not add up. Nothing was let in. Begin anew."
OFFERING = "It is good once, for five minutes. Both screens then show the same four words."
ENTERING = (
    "That a browser shows under “Pair with a device that is signed in”, or “autopilot machine enroll” on a machine."
)
TYPE_IT = "Type this code there, under Sign in, “Pair with a device that is signed in”:"
WAITING = "Waiting for the other side…"
CONFIRMED = "You said yes. It comes in…"
QUESTION = "Does its screen show the same words, in this order?"


def who(pairing: Pairing) -> str:
    """What it calls itself."""
    return (pairing.device.device_name if pairing.device else None) or "A device"


def about(pairing: Pairing) -> str:
    """What it is, and from where; empty where nothing is known."""
    known = (pairing.device.device_platform if pairing.device else None, pairing.device_address)
    return ", ".join(one for one in known if one)


def warnings(pairing: Pairing) -> tuple[str, ...]:
    """What should make somebody look twice."""
    contested = "Somebody else came with the same secret, too late. Look twice at the words."
    guessed = f"Somebody tried {pairing.wrong_codes} wrong codes."
    return tuple(
        words for words, is_so in ((contested, pairing.contested), (guessed, bool(pairing.wrong_codes))) if is_so
    )
