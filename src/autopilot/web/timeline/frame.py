"""What every item's element has: its id, its place, its name for a screen reader, and the line of who and when.

Texts are those of a view (`presenters.timeline`): visible and bounded already; htpy escapes them.
"""

from __future__ import annotations

import hashlib
from typing import get_args

import htpy as h

from autopilot.client.presenters import times, visible
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.timeline import View
from autopilot.client.timeline_items import Item, Status
from autopilot.web.timeline.look import Look

STATUSES = frozenset(get_args(Status))


def element_id(item: Item) -> str:
    """The id of an item's element, whatever its key is made of."""
    return "i" + hashlib.blake2b(item.key.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()


def article(item: Item, view: View, content: h.Node) -> h.Element:
    """The element of an item."""
    status = item.status if item.status in STATUSES else "other"
    emphasis = f" {view.emphasis}" if view.emphasis else ""
    return h.article(
        id=element_id(item),
        class_=f"item k-{item.kind} is-{status}{emphasis}" + (" preview" if item.preview else ""),
        data_key=visible.line(item.key),
        data_seq=str(item.seq),
        data_at=str(item.seq),
        aria_label=view.frame.label,
    )[content]


def moment(at: str | None) -> h.Node:
    """A time of the ledger's; the page's script says it relatively, and exactly on demand."""
    said = times.parsed(at)
    return h.time(datetime=visible.line(at or ""))[times.clock(at)] if said else None


def chip(label: Label) -> h.Element:
    """A few words with a colour that means the same."""
    return h.span(class_=f"chip tone-{label.tone}")[label.text]


def mono(text: str) -> h.Element:
    """A name of a program's, a path, an id: isolated, so that its direction stays its own."""
    return h.bdi(".mono")[text]


def words(text: str) -> h.Node:
    """Some words of somebody's, with their line ends, isolated; nothing where there are none."""
    return h.p(".words", dir="auto")[text] if text else None


def folder(path: str) -> h.Node:
    """Where something was done."""
    return h.p(".cwd")["in ", mono(path)] if path else None


def by(who: str) -> h.Node:
    """Who it was, on which device."""
    return h.bdi(".by")[who] if who else None


def left_out(said: str, whole: str | None) -> h.Node:
    """What is not shown, and where all of it is; nothing where everything is."""
    return h.p(".left-out")[said, [" ", h.a(href=whole)["Show all"]] if whole else None] if said else None


def wholes(view: View, look: Look) -> h.Node:
    """Where the whole of what is shown in part can be read."""
    if not view.frame.wholes:
        return None
    links = [h.a(href=look.artifact(one.artifact_id))[one.words] for one in view.frame.wholes]
    return h.p(".wholes")[links, h.span[view.frame.wholes_more] if view.frame.wholes_more else None]
