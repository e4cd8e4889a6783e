"""The few icons, drawn here: 24 by 24, strokes in the colour of the text. All are decoration: names are in words."""

from __future__ import annotations

import htpy as h
from markupsafe import Markup

PATHS = {
    "workers": '<path d="M4 5h16v11H4zM9 20h6M12 16v4"/>',
    "inbox": '<path d="M3 13h5l1.5 3h5L16 13h5M5 5h14l2 8v6H3v-6z"/>',
    "new": '<path d="M12 5v14M5 12h14"/>',
    "machines": '<path d="M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01"/>',
    "spend": '<path d="M4 20V10M10 20V4M16 20v-7M21 20H3"/>',
    "audit": '<path d="M6 3h9l4 4v14H6zM9 12h7M9 16h7M9 8h3"/>',
    "policy": '<path d="M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6z"/>',
    "teams": (
        '<path d="M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.4-3.6 3-5.5 6.5-5.5s6.1 1.9 6.5 5.5"/>'
        '<path d="M16 4.4a3.4 3.4 0 0 1 0 6.3M18.3 15c1.9.8 3 2.5 3.2 5"/>'
    ),
    "devices": '<path d="M7 3h10v18H7zM11 18h2"/>',
    "settings": '<path d="M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4"/>',
    "more": '<path d="M5 12h.01M12 12h.01M19 12h.01"/>',
    "stop": '<path d="M8 3h8l5 5v8l-5 5H8l-5-5V8zM12 8v5M12 16h.01"/>',
    "back": '<path d="M15 5l-7 7 7 7"/>',
    "down": '<path d="M6 9l6 6 6-6"/>',
    "send": '<path d="M12 20V5M6 11l6-6 6 6"/>',
    "sync": '<path d="M20 11a8 8 0 0 0-14-5L3 9M3 4v5h5M4 13a8 8 0 0 0 14 5l3-3M21 20v-5h-5"/>',
    "check": '<path d="M5 12l5 5 9-10"/>',
    "close": '<path d="M6 6l12 12M18 6L6 18"/>',
    "link": '<path d="M10 14l4-4M8 12l-3 3a3.5 3.5 0 0 0 5 5l3-3M16 12l3-3a3.5 3.5 0 0 0-5-5l-3 3"/>',
    "info": '<path d="M12 11v6M12 7h.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z"/>',
    "copy": '<path d="M9 9h11v11H9zM15 9V4H4v11h5"/>',
    "search": '<path d="M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM20 20l-4-4"/>',
}


def icon(name: str) -> h.Element:
    """One icon."""
    return h.svg(".icon", viewBox="0 0 24 24", aria_hidden="true", focusable="false")[Markup(PATHS[name])]  # noqa: S704 - drawn above, not data
