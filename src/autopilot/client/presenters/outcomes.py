"""How an item of Codex stands or ended, and what a turn used, in a few words."""

from __future__ import annotations

from autopilot.client.presenters.labels import Label, Tone, sentence, spelled
from autopilot.client.timeline_items import CommandExecution, Usage

STATUSES: dict[str, Label] = {
    "open": Label("Running", "busy"),
    "completed": Label("Done", "good"),
    "failed": Label("Failed", "bad"),
    "declined": Label("Declined", "warn"),
    "interrupted": Label("Interrupted", "warn"),
    "unfinished": Label("Still running", "busy"),
}
"""Of `Item.status`."""


def item_status(status: str) -> Label:
    """How an item stands; a word of a later Codex as it is."""
    return STATUSES.get(status) or Label(sentence(spelled(status)))


def command_end(item: CommandExecution) -> Label:
    """How a command ended, or that it runs."""
    if item.status in ("open", "unfinished", "declined", "interrupted") or item.exit_code is None:
        return item_status(item.status)
    tone: Tone = "bad" if item.exit_code else "good"
    return Label(f"exit {item.exit_code}", tone)


def context_used(usage: Usage) -> str:
    """How much of the model's context the thread fills; empty where that is not known."""
    if not usage.context_window:
        return ""
    return f"{min(100, 100 * usage.thread.total // usage.context_window)} % of the context"


def tokens(count: int) -> str:
    """So many tokens, short: `812`, `12.4k`, `3.1M`."""
    for unit, size in (("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)
