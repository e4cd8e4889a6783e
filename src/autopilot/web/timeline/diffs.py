"""Changes of files as diffs that can be read: one fold a file, line numbers, counts. Unified hunks in, elements out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import htpy as h

from autopilot.client.timeline_items import Change, clip
from autopilot.web.timeline import safe
from autopilot.web.timeline.frame import left_out, mono
from autopilot.web.timeline.look import Caps

MOST_CHARACTERS = 400_000
"""Of one diff that is read; a longer one keeps head and tail."""
ACTIONS = {"add": "added", "delete": "deleted", "update": "changed"}
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,\d{1,9})? \+(\d{1,9})(?:,\d{1,9})? @@")
_GIT_FILE = re.compile(r"^diff --git a/(?P<old>.*?) b/(?P<new>.*)$", re.MULTILINE)
_HEADERS = ("--- ", "+++ ", "index ", "new file", "deleted file", "similarity ", "rename ", "old mode", "new mode")
_OPEN_LINES = 60
"""Files with so many changed lines in all are unfolded at first."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a diff."""

    kind: str
    """`add`, `del`, `ctx`, `hunk` or `note`."""
    text: str
    old: int | None = None
    new: int | None = None


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What becomes of one file, line by line."""

    path: str
    action: str
    lines: tuple[Line, ...]
    moved_to: str | None = None

    @property
    def added(self) -> int:
        """Lines that are new."""
        return sum(line.kind == "add" for line in self.lines)

    @property
    def removed(self) -> int:
        """Lines that are gone."""
        return sum(line.kind == "del" for line in self.lines)


def read(change: Change) -> FileDiff:
    """A change of Codex's: hunks of an update, the content of what was added or deleted."""
    diff = clip(change.diff, MOST_CHARACTERS)
    if change.action in ("add", "delete") and not _HUNK.match(diff):
        lines = tuple(_whole(diff, added=change.action == "add"))
    else:
        lines = tuple(_hunks(diff))
    return FileDiff(change.path, change.action, lines, change.moved_to)


def read_git(diff: str) -> list[FileDiff]:
    """A diff in git's style, of several files."""
    diff = clip(diff, MOST_CHARACTERS)
    starts = list(_GIT_FILE.finditer(diff))
    if not starts:
        return [FileDiff("", "update", tuple(_hunks(diff)))] if diff.strip() else []
    ends = [start.start() for start in starts[1:]] + [len(diff)]
    return [_git_file(start, diff[start.end() : end]) for start, end in zip(starts, ends, strict=True)]


def files(found: Sequence[FileDiff], caps: Caps, *, folded: bool = False, whole: str | None = None) -> Iterator[h.Node]:
    """Each file with its lines folded under its name; `folded`: all of them at first; `whole`: where all of it is."""
    shown = found[: caps.files]
    small = sum(one.added + one.removed for one in shown) <= _OPEN_LINES
    for one in shown:
        yield h.details(".file", open=small and not folded)[_summary(one), _body(one, caps, whole)]
    if len(found) > len(shown):
        yield left_out(f"{len(found) - len(shown):,} files more", whole)


def counts(found: Iterable[FileDiff]) -> tuple[int, int]:
    """Lines added and removed in all."""
    found = list(found)
    return sum(one.added for one in found), sum(one.removed for one in found)


def count_words(added: int, removed: int) -> h.Element:
    """The counts, for eyes and ears."""
    return h.span(".counts", aria_label=f"{added} added, {removed} removed", role="img")[
        h.span(".plus")[f"+{added}"], h.span(".minus")[f"−{removed}"]  # noqa: RUF001 - the sign, not a hyphen
    ]


def _summary(one: FileDiff) -> h.Element:
    folder, slash, name = safe.line(one.path or "changes", 400).rpartition("/")
    return h.summary[
        h.bdi(".mono.path")[h.span(".folder")[h.bdi(dir="ltr")[folder + slash]] if slash else None, h.b[name]],
        h.span(".moved")["→ ", mono(one.moved_to)] if one.moved_to else None,
        h.span(f".action.{one.action}")[ACTIONS[one.action]] if one.action in ("add", "delete") else None,
        count_words(one.added, one.removed),
    ]


def _body(one: FileDiff, caps: Caps, whole: str | None) -> h.Node:
    if not one.lines:
        return h.p(".left-out")["No lines of it are known"]
    if len(one.lines) <= caps.diff_lines:
        return _block(one.lines, caps)
    head, end = caps.diff_lines * 2 // 3, caps.diff_lines // 3
    return [
        _block(one.lines[:head], caps),
        left_out(f"{len(one.lines) - head - end:,} lines more", whole),
        _block(one.lines[len(one.lines) - end :], caps),
    ]


def _block(lines: Iterable[Line], caps: Caps) -> h.Element:
    return h.pre(".diff", tabindex="0", dir="ltr")[h.code[(_line(line, caps.line_characters) for line in lines)]]


def _line(line: Line, most: int) -> h.Element:
    text = line.text if len(line.text) <= most else f"{line.text[:most]} … {len(line.text) - most} characters more"
    numbers = (
        {"data-o": str(line.old or ""), "data-n": str(line.new or "")} if line.kind in ("add", "del", "ctx") else {}
    )
    return h.span({"class": f"l {line.kind}", **numbers})[safe.code(text) + "\n"]


def _whole(content: str, *, added: bool) -> Iterator[Line]:
    for number, text in enumerate(content.removesuffix("\n").split("\n"), 1) if content else ():
        yield Line("add", f"+{text}", None, number) if added else Line("del", f"-{text}", number, None)


def _hunks(diff: str) -> Iterator[Line]:
    old = new = 0
    in_hunk = False
    for text in diff.removesuffix("\n").split("\n") if diff else ():
        hunk = _HUNK.match(text)
        if hunk:
            old, new, in_hunk = int(hunk[1]), int(hunk[2]), True
            yield Line("hunk", text)
        elif not in_hunk and text.startswith(_HEADERS):
            continue
        elif text.startswith("+"):
            yield Line("add", text, None, new)
            new += 1
        elif text.startswith("-"):
            yield Line("del", text, old, None)
            old += 1
        elif text.startswith("\\") or not in_hunk:
            yield Line("note", text)
        else:
            yield Line("ctx", text, old, new)
            old, new = old + 1, new + 1


def _git_file(start: re.Match[str], body: str) -> FileDiff:
    head = body.partition("\n@@")[0]
    action = "add" if "\nnew file" in head else "delete" if "\ndeleted file" in head else "update"
    moved = start["new"] if start["new"] != start["old"] else None
    return FileDiff(start["old"], action, tuple(_hunks(body.lstrip("\n"))), moved)
