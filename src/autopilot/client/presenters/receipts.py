"""Requests and their receipts in words: what is asked, how far it has come, and what that means."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Literal

from autopilot.client.presenters.labels import Label, sentence, spelled
from autopilot.contract import Receipt

METHODS = {
    "turn/start": "New turn",
    "turn/steer": "Steer the turn",
    "turn/interrupt": "Interrupt",
    "thread/start": "New session",
    "thread/fork": "Fork the session",
    "thread/resume": "Take over the session",
    "thread/read": "Read the session",
    "thread/turns/list": "Read the turns",
    "thread/items/list": "Read the items",
    "thread/list": "List sessions",
    "thread/loaded/list": "List open sessions",
    "thread/name/set": "Rename",
    "thread/archive": "Archive",
    "thread/unarchive": "Take out of the archive",
    "thread/compact/start": "Compact the context",
    "thread/settings/update": "Change the settings",
    "thread/queue/add": "Queue a message",
    "thread/queue/update": "Change the queue",
    "thread/queue/reorder": "Reorder the queue",
    "thread/queue/delete": "Take a message from the queue",
    "thread/queue/start": "Begin the queue",
    "thread/queue/list": "Read the queue",
    "review/start": "Review changes",
    "model/list": "List models",
    "permissionProfile/list": "List permission profiles",
    "skills/list": "List skills",
    "mcpServerStatus/list": "List tool servers",
    "account/read": "Read the account",
    "account/rateLimits/read": "Read the rate limits",
    "worker/stop": "Stop",
}
STATES: dict[str, Label] = {
    "accepted": Label("Waiting for the machine", "busy"),
    "delivered": Label("On the machine", "busy"),
    "acknowledged": Label("With Codex", "busy"),
    "completed": Label("Done", "good"),
    "failed": Label("Refused by Codex", "bad"),
    "rejected": Label("Not carried out", "bad"),
    "expired": Label("Expired: the machine did not take it in time", "warn"),
    "cancelled": Label("Taken back", "quiet"),
    "indeterminate": Label("Unknown whether Codex acted on it", "warn"),
}
STEPS = {
    "accepted": "accepted",
    "delivered": "delivered",
    "acknowledged": "acknowledged",
    "completed": "done",
    "failed": "refused",
    "rejected": "rejected",
    "expired": "expired",
    "cancelled": "taken back",
    "indeterminate": "unknown",
}
WAY = ("accepted", "delivered", "acknowledged", "completed")
"""The steps of a request that goes as it should."""
_WAITING = "The machine is away: it waits there"


def asked(method: str) -> str:
    """What is asked, in a few words; an unknown method as it is."""
    return METHODS.get(method, method)


def state_of(state: str, *, machine_unreachable: bool = False) -> Label:
    """How far it has come."""
    if machine_unreachable and state == "accepted":
        return Label(_WAITING, "warn")
    return STATES.get(state) or Label(sentence(spelled(state)))


Dot = Literal["on", "off", "ill"]


def dots(state: str, come_to: AbstractSet[str] = frozenset()) -> tuple[Dot, ...]:
    """One dot a step of the way: those that were come to are on, the last is ill where it did not end well."""
    furthest = max((number for number, one in enumerate(WAY) if one in come_to or one == state), default=-1)
    shown: list[Dot] = ["on" if number <= furthest else "off" for number in range(len(WAY))]
    return tuple(shown) if state in WAY else (*shown[:-1], "ill")


def step(state: str) -> str:
    """A step of the way, in a word."""
    return STEPS.get(state, state)


def receipt_state(receipt: Receipt) -> Label:
    """How far a receipt has come, with why it did not end well."""
    label = state_of(receipt.state, machine_unreachable=receipt.machine_unreachable is True)
    message = (receipt.error or {}).get("message")
    return Label(f"{label.text}: {message}", label.tone) if isinstance(message, str) and message else label
