"""What every item's element has: its id, its place, its name for a screen reader, and the line of who and when."""

from __future__ import annotations

import hashlib
from typing import get_args

import htpy as h

from autopilot.client.presenters import times, visible
from autopilot.client.presenters.labels import Label
from autopilot.client.timeline_items import Item, Status
from autopilot.web.timeline.look import Look

STATUSES = frozenset(get_args(Status))
_LONGEST_NAME = 160


def element_id(item: Item) -> str:
    """The id of an item's element, whatever its key is made of."""
    return "i" + hashlib.blake2b(item.key.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()


def article(item: Item, name: str, *content: h.Node, also: str = "") -> h.Element:
    """The element of an item; `name`: what it is, for who can't see it; `also`: more classes, of ours."""
    status = item.status if item.status in STATUSES else "other"
    classes = f"item k-{item.kind} is-{status}" + (f" {also}" if also else "") + (" preview" if item.preview else "")
    return h.article(
        id=element_id(item),
        class_=classes,
        data_key=visible.line(item.key),
        data_seq=str(item.seq),
        data_at=str(item.seq),
        aria_label=visible.line(name, _LONGEST_NAME),
    )[content]


def moment(at: str | None) -> h.Node:
    """A time of the ledger's; the page's script says it relatively, and exactly on demand."""
    said = times.parsed(at)
    return h.time(datetime=visible.line(at or ""))[times.clock(at)] if said else None


def chip(label: Label) -> h.Element:
    """A few words with a colour that means the same."""
    return h.span(class_=f"chip tone-{label.tone}")[visible.line(label.text)]


def mono(text: str, limit: int = 300) -> h.Element:
    """A name of a program's, a path, an id: isolated, so that its direction stays its own."""
    return h.bdi(".mono")[visible.line(text, limit)]


def words(text: str, limit: int = 4000) -> h.Element:
    """Some words of somebody's, with their line ends, isolated."""
    return h.p(".words", dir="auto")[visible.prose(text if len(text) <= limit else text[:limit] + "…")]


def left_out(said: str, whole: str | None) -> h.Element:
    """What is not shown, and where all of it is."""
    return h.p(".left-out")[said, [" ", h.a(href=whole)["Show all"]] if whole else None]


def wholes(item: Item, look: Look) -> h.Node:
    """Where the whole of what is shown in part can be read."""
    if not item.wholes:
        return None
    shown = item.wholes[: look.caps.entries]
    links = [h.a(href=look.artifact(whole.artifact_id))[f"Whole: {times.size(whole.bytes)}"] for whole in shown]
    more = len(item.wholes) - len(shown)
    return h.p(".wholes")[links, h.span[f"and {more} more"] if more else None]
