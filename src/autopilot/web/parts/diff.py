"""A change of a file, line by line: what goes and what comes."""

from __future__ import annotations

from collections.abc import Iterator

import htpy as h

from autopilot.contract import ApprovalChange

MOST_LINES = 400
MOST_CHARACTERS = 60_000
WORDS = {"add": "New file", "delete": "Deleted", "update": "Changed"}


def change_element(change: ApprovalChange, *, is_open: bool) -> h.Element:
    """One file, folded or not."""
    lines = list(_lines(change))
    added = sum(kind == "add" for kind, _ in lines)
    gone = sum(kind == "del" for kind, _ in lines)
    moved = f" → {change.move_path}" if change.move_path else ""
    return h.details(".change", open=is_open)[
        h.summary[
            h.b(dir="auto")[f"{change.path}{moved}"],
            h.span(".counts")[
                f"{WORDS.get(change.kind, change.kind)} ",
                h.ins(aria_label=f"{added} lines added")[f"+{added}"] if added else None,
                " ",
                h.del_(aria_label=f"{gone} lines removed")[f"-{gone}"] if gone else None,
            ],
        ],
        h.pre(".diff", tabindex="0", aria_label=f"Diff of {change.path}", dir="ltr")[
            (h.code(class_=kind or None)[line, "\n"] for kind, line in lines[:MOST_LINES])
        ]
        if lines
        else None,
        h.p(".cut")["This is not all of it."] if change.truncated or len(lines) > MOST_LINES else None,
    ]


def _lines(change: ApprovalChange) -> Iterator[tuple[str, str]]:
    text = (change.diff or "")[:MOST_CHARACTERS]
    for line in text.removesuffix("\n").split("\n") if text else ():
        if change.kind in {"add", "delete"}:
            yield ("add" if change.kind == "add" else "del"), line
        elif line.startswith("@@"):
            yield "hunk", line
        else:
            yield {"+": "add", "-": "del"}.get(line[:1], ""), line
