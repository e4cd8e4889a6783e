"""Changes of files as elements: one fold a file, line numbers, counts. What is shown: `presenters.diffs`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import htpy as h
from markupsafe import Markup, escape

from autopilot.client.presenters.diffs import Line, Shown, ShownFile
from autopilot.web.timeline.frame import left_out, mono


def files(shown: Shown, whole: str | None = None) -> Iterator[h.Node]:
    """Each file with its lines folded under its name; `whole`: where all of it is."""
    for one in shown.files:
        yield h.details(".file", open=one.is_open)[_summary(one), _body(one, whole)]
    if shown.left_out:
        yield left_out(shown.left_out, whole)


def counts(of: Shown | ShownFile) -> h.Element:
    """The counts, for eyes and ears."""
    return h.span(".counts", aria_label=of.counts, role="img")[
        h.span(".plus")[f"+{of.added}"], h.span(".minus")[f"−{of.removed}"]  # noqa: RUF001 - the sign, not a hyphen
    ]


def _summary(one: ShownFile) -> h.Element:
    return h.summary[
        h.bdi(".mono.path")[h.span(".folder")[h.bdi(dir="ltr")[one.folder]] if one.folder else None, h.b[one.name]],
        h.span(".moved")["→ ", mono(one.moved_to)] if one.moved_to else None,
        h.span(".action")[one.action] if one.action else None,
        counts(one),
    ]


def _body(one: ShownFile, whole: str | None) -> h.Node:
    return [
        block(one.head) if one.head else None,
        left_out(one.left_out, whole) if one.left_out else None,
        block(one.tail) if one.tail else None,
        left_out(one.note, None) if one.note else None,
    ]


def block(lines: Iterable[Line], **attributes: str) -> h.Element:
    """Some lines."""
    return h.pre(".diff", tabindex="0", dir="ltr", **attributes)[h.code[_lines(lines)]]


def _lines(lines: Iterable[Line]) -> Markup:
    """Written directly, as the pieces of an output are: a diff has hundreds of lines."""
    return Markup("".join(_line(line) for line in lines))  # noqa: S704 - each line is escaped; the rest is ours


def _line(line: Line) -> str:
    numbers = f' data-o="{line.old or ""}" data-n="{line.new or ""}"' if line.kind in ("add", "del", "ctx") else ""
    return f'<span class="l {line.kind}"{numbers}>{escape(line.text)}\n</span>'
