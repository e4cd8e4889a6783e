"""Long texts cut to head, folded middle and tail, so that no output breaks a page. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from autopilot.web.timeline.look import Caps

_SLACK_LINES = 4
"""So few lines more than head and tail are not worth folding."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The lines of a text that are shown, and how much is not."""

    head: tuple[str, ...]
    folded: tuple[str, ...] = ()
    """Between head and tail; shown when a person asks."""
    tail: tuple[str, ...] = ()
    left_out_lines: int = 0
    """Not shown at all, after the folded ones."""
    left_out_characters: int = 0
    """Not shown at all, because the text is too long to be looked at; in the middle."""

    @property
    def is_whole(self) -> bool:
        """Whether everything is there, at least folded."""
        return not (self.left_out_lines or self.left_out_characters)


def cut(text: str, caps: Caps) -> Cut:
    """Head, middle and tail of a text within its caps; a line end at its end makes no line."""
    left_out = max(0, len(text) - caps.characters)
    if left_out:
        half = caps.characters // 2
        text = text[:half] + "\n" + text[-half:]
    lines = text.removesuffix("\n").split("\n")
    if len(lines) <= caps.head_lines + caps.tail_lines + _SLACK_LINES and not left_out:
        return Cut(tuple(_short(line, caps) for line in lines))
    head, tail = lines[: caps.head_lines], lines[len(lines) - caps.tail_lines :] if caps.tail_lines else []
    middle = lines[len(head) : max(len(head), len(lines) - len(tail))]
    tail = tail if len(lines) >= len(head) + len(tail) else lines[len(head) :]
    folded = middle[: caps.folded_lines]
    return Cut(
        tuple(_short(line, caps) for line in head),
        tuple(_short(line, caps) for line in folded),
        tuple(_short(line, caps) for line in tail),
        len(middle) - len(folded),
        left_out,
    )


def _short(line: str, caps: Caps) -> str:
    most = caps.line_characters
    return line if len(line) <= most else f"{line[:most]} … {len(line) - most} characters more"
