"""Who came in without a passkey, and is held: what that means, and what to do about it, in words.

Pure. Both sources say the same: the frame `codex.state.recovery`, and the list of devices.
Source: docs/protocol.md, "Recovery".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import surface_words
from autopilot.client.presenters.times import ago, exact, left
from autopilot.contract import Device, StateRecovery

REFUSED = Label("It is refused and signed out. What it asked for and nobody began is taken back.", "good")
CONFIRMED = Label("It is confirmed, and held no longer.", "good")
NOBODY = "Nobody is held who came in without a passkey."
REFUSING = "It is signed out at once, and what it asked for and nobody began is taken back."
CONFIRMING = "It may do everything that you may, from now on. Confirm only what you have before you."
COULD = "It sees and steers your sessions until then, and changes neither passkeys, nor devices, nor policies."


@dataclass(frozen=True, slots=True)
class Hold:
    """A device that is held."""

    device_id: str
    name: str
    """What it called itself, else what it is."""
    about: str
    """What it is, and from where: `web, from 192.0.2.7`."""
    began_at: str | None
    """Since when: RFC 3339."""
    held_until: str
    is_here: bool
    """Whether it is the very device that shows this."""

    @property
    def title(self) -> str:
        """What happened."""
        if self.is_here:
            return "You came in here without a passkey"
        return "Somebody recovered access to this account without a passkey"

    @property
    def advice(self) -> str:
        """What to do."""
        if self.is_here:
            return "Your passkey ends that, and so does another device of yours that confirms this one."
        return "Is it not you? Refuse it: it is signed out at once. If it is you, confirm it, and it is held no longer."


@dataclass(frozen=True, slots=True)
class Banner:
    """What stands on every screen while somebody is held: the latest of them, and how many more there are.

    Nothing in it moves with the time: it is read out whenever it is another.
    """

    title: str
    detail: str
    more: str
    """Empty where there are none."""
    refusable: str | None
    """The device that can be refused; None: it is the very one that shows this."""


def banner(holds: Sequence[Hold]) -> Banner | None:
    """The banner of these, the latest first; None: nobody is held."""
    if not holds:
        return None
    hold, more = holds[0], len(holds) - 1
    return Banner(
        title=hold.title,
        detail=f"{hold.name} ({hold.about}).",
        more=f"{more_words(more)}." if more else "",
        refusable=None if hold.is_here else hold.device_id,
    )


def facts(hold: Hold, now: datetime) -> tuple[tuple[str, str], ...]:
    """Who it is, from where, and when the hold ends by itself; the name of each fact, and what is so."""
    return (
        ("Device", hold.name),
        ("What, and from where", hold.about),
        ("Came in", ago(hold.began_at, now) or "?"),
        ("Held until", f"{exact(hold.held_until)}, {left(hold.held_until, now)} from now"),
    )


def of_frames(told: Iterable[StateRecovery], here: str | None) -> tuple[Hold, ...]:
    """What the stream tells, the latest first; `here`: the device that shows it."""
    held = [one for one in told if one.state == "held"]
    return tuple(
        _hold(one.device_id, one.device_name, one, one.began_at, one.held_until, is_here=one.device_id == here)
        for one in sorted(held, key=lambda one: one.began_at, reverse=True)
    )


def of_devices(devices: Iterable[Device]) -> tuple[Hold, ...]:
    """What the list of devices says, the latest first."""
    found = [
        _hold(one.device_id, one.name, one, one.created_at, one.held_until, is_here=one.current is True)
        for one in devices
        if one.held_until
    ]
    return tuple(sorted(found, key=lambda hold: hold.began_at or "", reverse=True))


def more_words(more: int) -> str:
    """So many are held besides those that are shown."""
    return f"{more} more {'device is' if more == 1 else 'devices are'} held"


def _hold(
    device_id: str, name: str | None, of: Device | StateRecovery, began: str | None, until: str, *, is_here: bool
) -> Hold:
    surface = surface_words(of.surface)
    about = surface + (f", from {of.address}" if of.address else "")
    return Hold(device_id, name or of.platform or surface, about, began, until, is_here)
