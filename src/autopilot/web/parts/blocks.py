"""What screens of records are built of: sections, facts, menus, tables that become cards, forms that carry their proof.

Pure: from what is known to htpy elements. A table's cells carry the name of their column, so that a phone can show each
row as a card (static/css/70-records.css).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import htpy as h

from autopilot.web.parts.icons import icon
from autopilot.web.parts.layout import BOOST
from autopilot.web.visitors import CSRF_FIELD

INTO_SCREEN = {"hx-target": "#screen", "hx-select": "unset", "hx-swap": "outerHTML show:none", "hx-push-url": "true"}
"""Where the answer to a form goes: in the place of the screen; what can't be done is told beside it (problems.py)."""


def records(*sections: h.Node) -> h.Element:
    """The body of a screen of records, below its bar."""
    return h.div(".records", {**BOOST})[sections]


def section(title: str, *body: h.Node, about: h.Node = None, id_: str | None = None) -> h.Element:
    """A part of a screen, with its heading."""
    return h.section(".block", id=id_)[h.h2[title], h.p(".about")[about] if about else None, body]


def menu(rows: Iterable[tuple[str, str, str, str]]) -> h.Element:
    """Links to other screens: path, icon, name, and what is there in a few words."""
    return h.ul(".menu")[
        (
            h.li[h.a(href=path)[icon(name), h.div[h.b[label], h.small[words]], h.span(".chevron", aria_hidden="true")]]
            for path, name, label, words in rows
        )
    ]


def facts(rows: Iterable[tuple[str, h.Node]]) -> h.Element:
    """Names and what they are."""
    return h.dl(".facts")[(h.div[h.dt[name], h.dd[value]] for name, value in rows)]


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[h.Node]], *, numbers: int = 0) -> h.Element:
    """A table; on a phone each row is a card. The last `numbers` columns are of numbers."""
    first_number = len(columns) - numbers
    kinds = ["number" if index >= first_number else None for index in range(len(columns))]
    return h.div(".scroll", {"role": "region", "aria-label": caption, "tabindex": "0"})[
        h.table(".cards")[
            h.caption(".unseen")[caption],
            h.thead[h.tr[(h.th(scope="col", class_=kind)[name] for name, kind in zip(columns, kinds, strict=True))]],
            h.tbody[
                (
                    h.tr[
                        (
                            h.td({"data-label": name}, class_=kind)[h.div(".cell")[cell]]
                            for name, kind, cell in zip(columns, kinds, row, strict=True)
                        )
                    ]
                    for row in rows
                )
            ],
        ]
    ]


def empty(icon_name: str, *words: h.Node) -> h.Element:
    """There is nothing, and that is not a failure."""
    return h.div(".nothing")[icon(icon_name), h.p[words]]


def when(moment: str | None, *, exact: bool = False) -> h.Node:
    """A time: scripts say how long ago; without them it is the time itself."""
    if moment is None:
        return None
    return h.time(datetime=moment, class_="exact" if exact else None)[f"{moment[:19].replace('T', ' ')} UTC"]


def choices(label: str, options: Iterable[tuple[str, str, bool]]) -> h.Element:
    """A row of links of which one is chosen: path, name, whether it is."""
    return h.nav(".choices", aria_label=label)[
        (h.a(href=path, aria_current="true" if chosen else None)[name] for path, name, chosen in options)
    ]


def posts(path: str) -> dict[str, str]:
    """Where a form goes; without scripts too, so that nothing of it is ever put into an address."""
    return {"action": path, "method": "post", "hx-post": path}


def posting(path: str, csrf: str, *body: h.Node, **attributes: str) -> h.Element:
    """A form that is posted; with scripts only the screen changes, without them the page.

    What is typed into it stays until it was sent (static/js/06-drafts.js), as the draft of where it goes: `data_draft`
    names it otherwise where several forms go there. What nobody may find in a browser has `data-secret`.
    """
    return h.form({"data-draft": path, **posts(path), **INTO_SCREEN}, **attributes)[proof(csrf), body]


def drafted(words: str) -> h.Element:
    """Says that what a form shows is what was written, not what holds; for one that shows both in the same fields."""
    return h.p(".about.drafted", role="status", hidden=True)[words, " ", h.button(type="button")["Start over"]]


def plain_form(path: str, csrf: str, *body: h.Node, **attributes: str) -> h.Element:
    """A form after which the whole page is another: a sign-out, another look."""
    return h.form({"action": path, "method": "post", "hx-boost": "false"}, **attributes)[proof(csrf), body]


def proof(csrf: str) -> h.Node:
    """What shows that a form is ours."""
    return h.input(type="hidden", name=CSRF_FIELD, value=csrf)


def meter(share: float, *, words: str, kind: str = "") -> h.Element:
    """How much of something is used: `share` from 0 on; what is over 1 is full."""
    width = round(max(0.0, min(1.0, share)) * 100, 2)
    return h.svg(
        ".meter",
        {"viewBox": "0 0 100 6", "preserveAspectRatio": "none", "role": "img", "aria-label": words},
        class_=kind or None,
    )[h.rect(".track", width="100", height="6", rx="3"), h.rect(".fill", width=f"{width:g}", height="6", rx="3")]
