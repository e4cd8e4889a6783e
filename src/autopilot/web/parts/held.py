"""The banner on every screen while somebody is held who came in without a passkey.

One element that the stream replaces as a whole: who is held no longer is in it no longer. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import htpy as h

from autopilot.client.presenters.recoveries import Hold, more_words
from autopilot.web.live import Put
from autopilot.web.parts.blocks import posting, when
from autopilot.web.parts.layout import BOOST, HELD_ID

PATH = "/recovery"
SHOWN = 2
"""The latest; somebody who comes in again and again does not fill the screen with it."""


def put_banner(holds: Sequence[Hold], csrf: str) -> Put:
    """The banner as it is now; empty where nobody is held."""
    return Put(HELD_ID, h.ul(id=HELD_ID, **BOOST)[(_line(hold, csrf) for hold in holds[:SHOWN]), _more(holds)])


def refuse(hold: Hold, csrf: str, *, primary: bool) -> h.Element:
    """The way out: it is signed out."""
    button = h.button(type="submit", class_=f"danger{' primary' if primary else ''}")["Refuse it"]
    return posting(f"{PATH}/{quote(hold.device_id, safe='')}/refuse", csrf, button)


def times(hold: Hold) -> h.Node:
    """Since when, and until when."""
    return ["came in ", when(hold.began_at) or "?", ", held until ", when(hold.held_until, exact=True)]


def _line(hold: Hold, csrf: str) -> h.Element:
    return h.li[
        h.b[hold.title],
        h.p[h.span(dir="auto")[f"{hold.name} ({hold.about}), "], times(hold), ". ", hold.advice],
        h.div(".buttons")[
            h.a(".button", href=PATH)["More"],
            None if hold.is_here else refuse(hold, csrf, primary=True),
        ],
    ]


def _more(holds: Sequence[Hold]) -> h.Node:
    more = len(holds) - SHOWN
    if more <= 0:
        return None
    return h.li[h.a(".button", href=PATH)[more_words(more)]]
