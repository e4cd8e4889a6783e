"""Who did something: a name, and the device and surface it came through.

The contract's actor has ids only; whoever shows it knows some names. What nobody knows is shown by its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autopilot.contract import Actor

SURFACES = {
    "ios": "iPhone app",
    "web": "web",
    "cli": "terminal",
    "sdk": "SDK",
    "companion": "companion",
    "runtime": "Autopilot",
    "gateway": "gateway",
}
SHORT_ID = 11
"""Characters of an id that tell it from others well enough."""


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """The names that a screen knows. Compared by identity: another one is made where a name changes."""

    me: int | None = None
    """The user who looks."""
    device: str | None = None
    """The device they look with."""
    users: Mapping[int, str] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)
    machines: Mapping[str, str] = field(default_factory=dict)
    teams: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Who:
    """Who did something."""

    name: str
    """`You`, `ada@example.org`, `MacBook`, `Autopilot`."""
    through: str
    """The device and the surface: `Ada's iPhone, iPhone app`; empty where the name says it all."""

    @property
    def words(self) -> str:
        """All of it, in a line."""
        return f"{self.name} · {self.through}" if self.through else self.name


def who(actor: Actor | None, names: Names) -> Who | None:
    """The words for an actor; None for none."""
    if actor is None:
        return None
    surface = surface_words(actor.surface)
    if actor.machine_id is not None:
        return Who(names.machines.get(actor.machine_id) or short(actor.machine_id), surface)
    if actor.guest_scope is not None:
        return Who("A guest", _through(actor, names, surface))
    if actor.user_id is None:
        return Who(sentence_of(surface), "")
    name = "You" if actor.user_id == names.me else names.users.get(actor.user_id) or f"User {actor.user_id}"
    return Who(name, _through(actor, names, surface))


def is_known(actor: Actor | None, names: Names) -> bool:
    """Whether nothing of an actor that can have a name is still without one; of others' devices nobody hears names."""
    if actor is None or actor.guest_scope is not None:
        return True
    if actor.machine_id is not None:
        return actor.machine_id in names.machines
    if actor.user_id is None:
        return True
    if actor.user_id == names.me:
        return actor.device_id is None or actor.device_id in names.devices
    return actor.user_id in names.users


def surface_words(surface: str) -> str:
    """What a surface is called; an unknown one as it is."""
    return SURFACES.get(surface, surface)


def short(identifier: str) -> str:
    """As much of an id as is worth reading."""
    return identifier if len(identifier) <= SHORT_ID else f"{identifier[:SHORT_ID]}…"


def sentence_of(surface: str) -> str:
    """A surface where it stands for itself."""
    return surface[:1].upper() + surface[1:]


def _through(actor: Actor, names: Names, surface: str) -> str:
    device = names.devices.get(actor.device_id) if actor.device_id else None
    return ", ".join(part for part in (device, surface) if part)
