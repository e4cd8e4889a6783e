"""Devices in words: what one is called, what it is, what signing it out means. Pure: the web and the phone say it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import surface_words
from autopilot.client.presenters.times import ago, exact
from autopilot.contract import Device, Revoked

LONGEST_NAME = 100
NOWHERE_ELSE = "You are signed in nowhere else."
HELD_ONE = "A device came in by mail although your account has passkeys. Confirm it, or sign it out."
SIGN_OUT_OTHERS = "Every other device, machines too, is signed out at once."
REVOKED = Label("It is signed out. What it asked for and nobody began is taken back.", "good")


def name(device: Device, machines: Mapping[str, str] | None = None) -> str:
    """What it is called; `machines`: their names, by id, where they are known."""
    machine = (machines or {}).get(device.machine_id or "")
    return device.name or machine or device.platform or surface_words(device.surface)


def about(device: Device) -> str:
    """What it is, and where it was seen: `ios · iPhone app · 203.0.113.7`."""
    kind = "machine" if device.machine_id else surface_words(device.surface)
    parts = [device.platform if device.platform != device.name else None, kind, device.address]
    return " · ".join(part for part in parts if part)


def seen(device: Device, now: datetime) -> str:
    """When it was heard last, and since when it is known."""
    return f"Last seen {ago(device.last_seen_at, now) or 'never'} · since {ago(device.created_at, now) or '?'}"


def held(device: Device) -> str | None:
    """Why it may do nothing yet; None: it may."""
    return f"Held until {exact(device.held_until)}: it came in by mail." if device.held_until else None


def leaving(device: Device) -> str:
    """What happens when it is signed out."""
    if device.machine_id:
        return "Its companion carries out nothing more until it is paired again."
    return "Its tokens end at once, and what it asked for and nobody began is taken back."


def renamed(to: str) -> Label:
    """What was done."""
    return Label(f"It is called {to} now.", "good")


def confirmed(device: Device) -> Label:
    """What was done."""
    return Label(f"{name(device)} is confirmed.", "good")


def revoked_others(done: Revoked) -> Label:
    """What was done."""
    others = "Nothing else was" if not done.revoked else "1 device is" if done.revoked == 1 else f"{done.revoked} are"
    guests = f" {done.guests} of its guests with it." if done.guests else ""
    return Label(f"{others} signed out.{guests}", "good")
