"""How the items of a timeline look."""

from __future__ import annotations

import hashlib

import htpy as h

from autopilot.client.timeline_items import Item


def element_id(item: Item) -> str:
    """The id of an item's element, whatever its key is made of."""
    return "i" + hashlib.blake2b(item.key.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()


def render(item: Item) -> h.Element:
    """An item."""
    text = getattr(item, "text", "") or getattr(item, "command", "") or item.status
    return h.article(
        class_=f"item {item.kind}",
        id=element_id(item),
        data_seq=str(item.seq),
        data_at=str(item.seq),
        aria_label=item.kind,
    )[h.p(dir="auto")[text]]
