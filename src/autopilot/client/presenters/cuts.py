"""How much of a thing is shown: long texts cut to head, folded middle and tail, so that none breaks a screen. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_SLACK_LINES = 4
"""So few lines more than head and tail are not worth folding."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How much of one item is shown. What is left out is said, with a way to the whole."""

    head_lines: int = 12
    tail_lines: int = 12
    folded_lines: int = 150
    """Between head and tail, folded away."""
    characters: int = 24_000
    """Of one text, in all."""
    line_characters: int = 1500
    markdown_characters: int = 12_000
    files: int = 20
    diff_lines: int = 240
    """Of one file."""
    open_runs: int = 10_000
    """Lines of one kind that stand together are drawn as one: files with more of these are folded at first."""
    entries: int = 40
    """Of one list: steps of a plan, findings, facts."""


SHORT = Caps()
"""In a list of many."""
PHONE = Caps(
    head_lines=8,
    tail_lines=10,
    folded_lines=120,
    characters=12_000,
    line_characters=800,
    diff_lines=120,
    open_runs=30,
)
"""In a list on a phone, where drawing is what costs."""
PHONE_WHOLE = Caps(
    head_lines=6000,
    tail_lines=0,
    folded_lines=0,
    characters=200_000,
    line_characters=4000,
    markdown_characters=60_000,
    files=100,
    diff_lines=3000,
)
"""On a page of its own on a phone."""
WHOLE = Caps(
    head_lines=20_000,
    tail_lines=0,
    folded_lines=0,
    characters=400_000,
    line_characters=20_000,
    files=200,
    diff_lines=8000,
)
"""On a page of its own."""


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

    @property
    def left_out(self) -> str:
        """What is not shown at all, in words; empty where everything is."""
        parts = [lines_more(self.left_out_lines)] if self.left_out_lines else []
        parts += [f"{self.left_out_characters:,} characters more"] if self.left_out_characters else []
        return " and ".join(parts)


def cut(text: str, caps: Caps) -> Cut:
    """Head, middle and tail of a text within its caps; a line end at its end makes no line."""
    left_out = max(0, len(text) - caps.characters)
    if left_out:
        half = caps.characters // 2
        text = text[:half] + "\n" + text[-half:]
    lines = text.removesuffix("\n").split("\n")
    if len(lines) <= caps.head_lines + caps.tail_lines + _SLACK_LINES and not left_out:
        return Cut(tuple(short(line, caps) for line in lines))
    head, tail = lines[: caps.head_lines], lines[len(lines) - caps.tail_lines :] if caps.tail_lines else []
    middle = lines[len(head) : max(len(head), len(lines) - len(tail))]
    tail = tail if len(lines) >= len(head) + len(tail) else lines[len(head) :]
    folded = middle[: caps.folded_lines]
    return Cut(
        tuple(short(line, caps) for line in head),
        tuple(short(line, caps) for line in folded),
        tuple(short(line, caps) for line in tail),
        len(middle) - len(folded),
        left_out,
    )


def lines_more(lines: int) -> str:
    """How many lines are folded or left out."""
    return f"{lines:,} line more" if lines == 1 else f"{lines:,} lines more"


def short(line: str, caps: Caps) -> str:
    """A line, and how much of it is not shown."""
    most = caps.line_characters
    return line if len(line) <= most else f"{line[:most]} … {len(line) - most} characters more"
