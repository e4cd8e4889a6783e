"""On which line of a TOML text something stands, as far as its headers and keys show it: for messages only. Pure.

The standard library's reader keeps no places. This walks the lines for `[section]`, `[[section]]` and `key =`; what it
mistakes (a header within a text of several lines) costs a wrong line in a message, and nothing else.
"""

from __future__ import annotations

import re
from collections import defaultdict

_HEADER = re.compile(r"\s*(?P<many>\[\[|\[)\s*(?P<path>[A-Za-z0-9_.\- ]+?)\s*\]")
_KEY = re.compile(r"\s*\"?(?P<key>[A-Za-z0-9_.\-]+)\"?\s*=")


def of_toml(text: str) -> dict[str, int]:
    """Path -> line, from 1: `folders.allow`, `approvals.rule[0].command`."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = defaultdict(int)
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            section = header["path"].replace(" ", "")
            if header["many"] == "[[":
                counts[section] += 1
                section = f"{section}[{counts[section] - 1}]"
            lines.setdefault(section, number)
        elif key := _KEY.match(line):
            lines.setdefault(f"{section}.{key['key']}" if section else key["key"], number)
    return lines


def line_of(lines: dict[str, int], path: str) -> int | None:
    """The line of `path`, or of the closest thing around it; None where nothing is known."""
    while path:
        if path in lines:
            return lines[path]
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return None
