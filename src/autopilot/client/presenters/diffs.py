"""Changes of files as diffs that can be read: files, their lines with kinds and numbers, counts, and what is folded.

One reading for the changes of a timeline and of an approval. Hunks in unified form in, lines out; what is shown of many
is `shown`, whose texts are visible and as short as the caps say. Pure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from autopilot.client.presenters import visible
from autopilot.client.presenters.cuts import SHORT, Caps, lines_more, short
from autopilot.client.timeline_items import Change, clip
from autopilot.contract import ApprovalChange, ApprovalEvidence

MOST_CHARACTERS = 400_000
"""Of one diff that is read; a longer one keeps head and tail."""
ACTIONS = {"add": "added", "delete": "deleted"}
NO_LINES = "No lines of it are known"
NOT_ALL = "This is not all of it"
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,\d{1,9})? \+(\d{1,9})(?:,\d{1,9})? @@")
_GIT_FILE = re.compile(r"^diff --git a/(?P<old>.*?) b/(?P<new>.*)$", re.MULTILINE)
_HEADERS = ("--- ", "+++ ", "index ", "new file", "deleted file", "similarity ", "rename ", "old mode", "new mode")
_OPEN_LINES = 60
"""Files with so many changed lines in all are unfolded at first."""
_LONGEST_PATH = 400

LineKind = Literal["add", "del", "ctx", "hunk", "note"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a diff."""

    kind: LineKind
    text: str
    """With its sign."""
    old: int | None = None
    """Its number before; None where it was not there."""
    new: int | None = None

    @property
    def number(self) -> int | None:
        """The one to show: of what is gone the old one."""
        return self.old if self.kind == "del" else self.new


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What becomes of one file, line by line."""

    path: str
    action: str
    """`add`, `update`, `delete`, or a word of a later Codex."""
    lines: tuple[Line, ...]
    moved_to: str | None = None
    is_cut: bool = False
    """Whether whoever told of it left some out."""

    @property
    def added(self) -> int:
        """Lines that are new."""
        return sum(line.kind == "add" for line in self.lines)

    @property
    def removed(self) -> int:
        """Lines that are gone."""
        return sum(line.kind == "del" for line in self.lines)


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file as it is shown; its texts are ready."""

    folder: str
    """With its slash; empty where there is none."""
    name: str
    moved_to: str
    action: str
    """`added`, `deleted`; empty where it was changed, as most are."""
    added: int
    removed: int
    is_open: bool
    """Whether its lines are unfolded at first."""
    head: tuple[Line, ...]
    left_out: str
    """How much is not shown, between head and tail; empty where everything is."""
    tail: tuple[Line, ...]
    note: str
    """Said below its lines; empty where there is nothing to say."""

    @property
    def counts(self) -> str:
        """How much changes, in words."""
        return counts_words(self.added, self.removed)


@dataclass(frozen=True, slots=True)
class Shown:
    """The files that are shown."""

    files: tuple[ShownFile, ...]
    left_out: str = ""
    """How many files are not shown."""
    added: int = 0
    """In all files, also in those that are not shown."""
    removed: int = 0

    @property
    def counts(self) -> str:
        """How much changes in all, in words."""
        return counts_words(self.added, self.removed)


def counts_words(added: int, removed: int) -> str:
    """`3 added, 1 removed`."""
    return f"{added} added, {removed} removed"


def files_changed(number: int) -> str:
    """How many files, in words."""
    return "1 file changed" if number == 1 else f"{number} files changed"


def read(change: Change) -> FileDiff:
    """A change of Codex's: hunks of an update, the content of what was added or deleted."""
    return FileDiff(change.path, change.action, _lines_of(change.diff, change.action), change.moved_to)


def read_evidence(evidence: ApprovalEvidence) -> list[FileDiff]:
    """What an approval is about: its changes, or one diff where there are none."""
    if not evidence.changes:
        return read_git(evidence.diff or "")
    return [_asked(change) for change in evidence.changes]


def read_git(diff: str) -> list[FileDiff]:
    """A diff in git's style, of several files."""
    diff = clip(diff, MOST_CHARACTERS)
    starts = list(_GIT_FILE.finditer(diff))
    if not starts:
        return [FileDiff("", "update", tuple(_hunks(diff)))] if diff.strip() else []
    ends = [start.start() for start in starts[1:]] + [len(diff)]
    return [_git_file(start, diff[start.end() : end]) for start, end in zip(starts, ends, strict=True)]


def between(old: str, new: str) -> tuple[Line, ...]:
    """What is different in two texts, with three lines around each change; nothing where they are the same."""
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3))[2:]
    return tuple(_ready(_hunks("\n".join(lines)), SHORT))


def shown(found: Sequence[FileDiff], caps: Caps, *, unfolded: int | None = None) -> Shown:
    """What is shown of some files; `unfolded`: so many of them at first, else all where they are short together."""
    some = found[: caps.files]
    if unfolded is None:
        are_short = sum(one.added + one.removed for one in some) <= _OPEN_LINES
        unfolded = len(some) if are_short and sum(map(_runs, some)) <= caps.open_runs else 0
    more = len(found) - len(some)
    left_out = "" if more <= 0 else "1 file more" if more == 1 else f"{more:,} files more"
    return Shown(
        tuple(_shown(one, caps, is_open=number < unfolded) for number, one in enumerate(some)),
        left_out,
        sum(one.added for one in found),
        sum(one.removed for one in found),
    )


def _runs(one: FileDiff) -> int:
    return sum(1 for _ in groupby(one.lines, key=lambda line: line.kind))


def _shown(one: FileDiff, caps: Caps, *, is_open: bool) -> ShownFile:
    folder, slash, name = visible.line(one.path or "changes", _LONGEST_PATH).rpartition("/")
    head, tail, left_out = one.lines, (), ""
    if len(one.lines) > caps.diff_lines:
        first, last = caps.diff_lines * 2 // 3, caps.diff_lines // 3
        head, tail = one.lines[:first], one.lines[len(one.lines) - last :]
        left_out = lines_more(len(one.lines) - first - last)
    return ShownFile(
        folder=folder + slash,
        name=name,
        moved_to=visible.line(one.moved_to or ""),
        action=ACTIONS.get(one.action, ""),
        added=one.added,
        removed=one.removed,
        is_open=is_open,
        head=tuple(_ready(head, caps)),
        left_out=left_out,
        tail=tuple(_ready(tail, caps)),
        note=NO_LINES if not one.lines else NOT_ALL if one.is_cut else "",
    )


def _ready(lines: Iterable[Line], caps: Caps) -> Iterator[Line]:
    for line in lines:
        yield Line(line.kind, visible.code(short(line.text, caps)), line.old, line.new)


def _asked(change: ApprovalChange) -> FileDiff:
    lines = _lines_of(change.diff or "", change.kind)
    return FileDiff(change.path, change.kind, lines, change.move_path, change.truncated is True)


def _lines_of(diff: str, action: str) -> tuple[Line, ...]:
    diff = clip(diff, MOST_CHARACTERS)
    if action in ("add", "delete") and not _HUNK.match(diff):
        return tuple(_whole(diff, added=action == "add"))
    return tuple(_hunks(diff))


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
