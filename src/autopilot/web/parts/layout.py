"""The frame around every screen: head, navigation, the line that says how things stand, the list beside.

Two panes where there is room: the list of workers stays while the screen beside it changes. A screen that htmx asks for
comes without the list. Never says what is known about a worker: screens do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import htpy as h

from autopilot.web.assets import Assets
from autopilot.web.looks import UNCHOSEN, Looks
from autopilot.web.parts.head import head
from autopilot.web.parts.icons import icon
from autopilot.web.parts.notices import unreached

BOOST = {"hx-boost": "true", "hx-target": "#screen", "hx-select": "#screen", "hx-swap": "outerHTML show:none"}
"""Links within change the screen only: the stream and the list stay."""
HELD_ID = "held"
"""Of the banner in the frame that tells who came in without a passkey; the stream fills it (parts/held.py)."""
TABS = (
    ("/", "workers", "Workers"),
    ("/inbox", "inbox", "Inbox"),
    ("/new", "new", "New"),
    ("/spend", "spend", "Spend"),
    ("/more", "more", "More"),
)


@dataclass(frozen=True, slots=True)
class Screen:
    """What a page shows."""

    name: str
    """Of the kind of screen: `worker`; CSS and scripts go by it."""
    title: str
    body: h.Node
    attributes: dict[str, str] = field(default_factory=dict)
    tab: str | None = None
    """The path of the tab that it belongs to."""
    status: int = 200
    """What it is answered with: of a form that comes back with what is wrong in it, 422."""
    path: str | None = None
    """Its address, where it is the answer to a form that has none to be gone back to."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What all pages of one browser have in common."""

    assets: Assets
    csrf: str
    session: str
    """Names this browser's session, and tells nothing: scripts see by it that another has begun."""
    user_key: str
    """Names what a browser may keep of this person."""
    list_pane: h.Node = None
    looks: Looks = UNCHOSEN


def screen_element(screen: Screen) -> h.Element:
    """The screen alone: what htmx swaps in."""
    attributes = {f"data-{name}": value for name, value in screen.attributes.items()}
    return h.div("#screen", {"data-screen": screen.name, "data-tab": screen.tab, "tabindex": "-1", **attributes})[
        screen.body
    ]


def page(screen: Screen, frame: Frame) -> h.Element:
    """A whole page of somebody who is signed in."""
    headers = f'{{"x-csrf":"{frame.csrf}"}}'
    return h.html({"lang": "en", **frame.looks.attributes()})[
        head(screen.title, frame.assets, frame.looks),
        h.body({"hx-headers": headers, **_of(frame)})[
            h.a(".skip", href="#screen")["Skip to content"],
            h.div("#app")[
                _state_line(),
                _tabs(screen.tab),
                h.main("#main")[
                    h.section("#list", {"aria-label": "Workers", **BOOST})[frame.list_pane],
                    screen_element(screen),
                ],
            ],
            h.div("#notices", role="status", aria_live="polite"),
            unreached(),
            h.dialog("#dialog", aria_label="Dialog"),
            h.dialog("#proof", aria_label="Is it you?"),
        ],
    ]


def _of(frame: Frame) -> dict[str, str]:
    """Whose page it is, and of which version."""
    return {"data-session": frame.session, "data-user": frame.user_key, "data-version": frame.assets.version}


def bare_page(title: str, assets: Assets, body: Iterable[h.Node] | h.Node, *, looks: Looks) -> h.Element:
    """A page of nobody: sign-in, and what is said to those who can't be let in."""
    return h.html({"lang": "en", **looks.attributes()})[
        head(title, assets, looks), h.body(".bare")[h.main("#screen", {"data-screen": "bare"})[h.div(".card")[body]]]
    ]


def bar(title: h.Node, *, back: str | None = None, actions: h.Node = None) -> h.Element:
    """The head of a screen; `back`: where its arrow leads on a phone."""
    return h.header(".bar" if back else ".bar.root")[
        h.a(".back", {"href": back, "aria-label": "Back", **BOOST})[icon("back")] if back else None,
        h.h1[title],
        h.div(".actions")[actions],
    ]


def _state_line() -> h.Element:
    return h.div("#bar")[
        h.p("#state", {"role": "status", "data-state": "connecting"})["Connecting…"],
        h.button("#resync", type="button", aria_label="Resync", title="Resync (r)")[icon("sync")],
        h.button(
            "#stop-all",
            {"type": "button", "hx-get": "/stop-all", "hx-target": "#dialog", "hx-swap": "innerHTML"},
            aria_label="Emergency stop",
            title="Emergency stop",
        )[icon("stop")],
        h.div(role="alert")[h.ul(id=HELD_ID)],
    ]


def _tabs(current: str | None) -> h.Element:
    return h.nav("#tabs", {"aria-label": "Main", **BOOST})[
        (
            h.a(href=path, aria_current="page" if path == current else None)[
                icon(name), h.span[label], h.b("#inbox-count", hidden=True) if name == "inbox" else None
            ]
            for path, name, label in TABS
        )
    ]
