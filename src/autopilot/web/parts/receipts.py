"""A receipt on the screen: what was asked, how far it has come, and what one can still do about it.

The same element wherever it is shown; the stream replaces it as it moves. Never says more than the receipt does.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import htpy as h

from autopilot.client.presenters import receipts
from autopilot.contract import Receipt
from autopilot.web.live import Put
from autopilot.web.parts.icons import icon
from autopilot.web.visitors import path_for

WORDS = 160
EFFECTS = {
    "started_turn": "started a turn",
    "steered_running_turn": "went into the running turn",
    "interrupted_turn": "interrupted the turn",
    "queued": "in the queue, for when the turn ends",
}
ENDS = frozenset({"completed", "failed", "rejected", "expired", "cancelled", "indeterminate"})


def receipt_id(request_id: str) -> str:
    """The id of its element, whatever the request's id is made of."""
    return "r" + hashlib.blake2b(request_id.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()


def put_receipt(one: Receipt, *, is_here: bool) -> Put:
    """As it moves, where it is shown; one that waits for a machine also on the screen of its worker (`is_here`)."""
    waits = one.machine_unreachable is True and one.state == "accepted"
    return Put(receipt_id(one.request_id), receipt(one), into="receipts" if waits and is_here else None)


def receipt(one: Receipt) -> h.Element:
    """The element."""
    label, has_ended = receipts.receipt_state(one), one.state in ENDS
    words = said_in(one.params)
    return h.li(
        id=receipt_id(one.request_id),
        class_=f"receipt {label.tone}",
        data_state=one.state,
        data_ended="" if has_ended else None,
    )[
        h.div(".what")[_name(one), h.span(".words", dir="auto")[words] if words else None],
        h.p(".state")[
            _way(one.state), label.text, _effect(one), " · ", h.time(datetime=one.ended_at or one.created_at)
        ],
        h.div(".doings")[
            cancel(one) if one.state == "accepted" and one.worker_id else None,
            h.button({"type": "button", "data-dismiss": True, "aria-label": "Dismiss"})[icon("close")]
            if has_ended
            else None,
        ],
    ]


def _name(one: Receipt) -> h.Element:
    asked = receipts.asked(one.method)
    return h.a(href=receipt_path(one), title=f"Receipt of {one.request_id}")[asked] if one.worker_id else h.b[asked]


def receipt_path(one: Receipt) -> str:
    """Where all of it is."""
    return path_for(one.worker_id or "", "receipts", one.request_id)


def cancel(one: Receipt) -> h.Element:
    """Take it back, while no machine has it; the style sheet hides it from who may only watch."""
    path = path_for(one.worker_id or "", "requests", one.request_id, "cancel")
    target = f"#{receipt_id(one.request_id)}"
    return h.button(".take-back", {"type": "button", "hx-post": path, "hx-target": target, "hx-swap": "outerHTML"})[
        "Take back"
    ]


def said_in(params: dict[str, Any] | None) -> str:
    """The words of a message in it, in short."""
    parts = (params or {}).get("input")
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    words = " ".join(text for text in texts if isinstance(text, str)).strip()
    return words if len(words) <= WORDS else words[:WORDS] + "…"


def json_block(value: Any, label: str) -> h.Element:
    """JSON as a person reads it."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return h.pre(".json", {"tabindex": "0", "aria-label": label, "dir": "ltr"})[text]


def _way(state: str) -> h.Element:
    """The steps: those it came to are full."""
    at = receipts.WAY.index(state) if state in receipts.WAY else len(receipts.WAY) - 1
    return h.span(".progress", aria_hidden="true")[
        (h.i(class_="on" if number <= at else None) for number in range(len(receipts.WAY)))
    ]


def _effect(one: Receipt) -> str:
    told = one.response.get("autopilot") if isinstance(one.response, dict) else None
    effect = told.get("effect") if isinstance(told, dict) else None
    return f": {EFFECTS[effect]}" if effect in EFFECTS else ""
