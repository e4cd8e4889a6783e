"""What both sides of a pairing show: a code to type, a picture to scan, and the words to compare."""

from __future__ import annotations

import htpy as h
import segno
from markupsafe import Markup

from autopilot.web.parts.blocks import posts


def code_element(code: str) -> h.Element:
    """The short code, for typing."""
    return h.p(".pair-code", aria_label="Code", translate="no", dir="ltr")[code]


def picture(link: str) -> h.Element:
    """The link as a QR code, drawn here: dark on light in both themes, or cameras can't read it."""
    drawn = segno.make(link, error="m").svg_inline(scale=4, border=3, dark="#000", light="#fff", omitsize=True)
    return h.div(".qr", role="img", aria_label="QR code of the link")[Markup(drawn)]  # noqa: S704 - drawn by segno, of squares alone


def words_element(words: tuple[str, ...]) -> h.Element:
    """The words that must be on both screens."""
    return h.ol(".pair-words", aria_label="Words to compare", translate="no", dir="ltr")[(h.li[word] for word in words)]


def polling(path: str, state: str, body: h.Node) -> h.Element:
    """Asks how far it is every second, and hands over what this side knows; the answer takes its place."""
    every = {
        **posts(path),
        "hx-trigger": "every 1s",
        "hx-target": "this",
        "hx-swap": "outerHTML",
        "hx-select": "unset",
        "hx-boost": "false",
    }
    return h.form("#pairing", every)[h.input(type="hidden", name="state", value=state), body]
