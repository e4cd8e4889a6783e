"""What others wrote, so that it can't steer the terminal of whoever reads it. Pure."""

from __future__ import annotations

import re

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
"""ANSI sequences: colors and cursor moves (CSI), titles and links (OSC), the short ones."""
CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """`text` without escape sequences and control characters; carriage returns become line ends."""
    text = ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return text.translate(CONTROLS)


def printable_markup(text: str) -> str:
    """The same of text in markup: of a sequence only the control characters go.

    A backslash behind one may be what makes a bracket that others wrote no markup, and stays.
    """
    return text.translate(CONTROLS)
