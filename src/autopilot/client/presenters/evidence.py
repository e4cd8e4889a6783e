"""What a question of Codex is about, as it is shown: command, folder, reason, facts, files, questions, a page.

Of the approval itself, and of its item in a timeline. Every text is visible and bounded. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from autopilot.client.presenters import diffs, visible
from autopilot.client.presenters.commands import plain
from autopilot.client.presenters.cuts import Caps
from autopilot.client.timeline_records import Asked
from autopilot.contract import Approval, ApprovalEvidence

_LONGEST_VALUE = 600
_LONGEST_ADDRESS = 4000
_UNFOLDED = 3
"""So many files are shown unfolded: what one decides on is in sight."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact about a question."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Question:
    """One of several questions."""

    header: str
    text: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one decides on; what there is none of is empty."""

    reason: str
    command: str
    folder: str
    facts: tuple[Fact, ...]
    files: diffs.Shown
    questions: tuple[Question, ...]
    page: str
    """The address of a page to open; shown whole."""

    @property
    def may_open(self) -> bool:
        """Whether the page is one that a browser may be sent to."""
        return self.page.lower().startswith(("https://", "http://"))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look at."""
        return not any(
            (self.reason, self.command, self.folder, self.facts, self.files.files, self.questions, self.page)
        )


class _Told(NamedTuple):
    """What the one or the other tells, as it came."""

    reason: str
    command: str
    folder: str
    page: str
    facts: list[tuple[str, str]]
    files: list[diffs.FileDiff]
    questions: list[Question]


def evidence(of: Approval | Asked, caps: Caps, *, with_files: bool = True) -> Evidence:
    """What it is about; what stands elsewhere in it already is no fact of its own."""
    told = _of_item(of) if isinstance(of, Asked) else _of_approval(of, with_files=with_files)
    said = {told.reason, told.command, told.folder, told.page}
    return Evidence(
        visible.words(told.reason),
        visible.code(told.command[: caps.characters]),
        visible.line(told.folder),
        tuple(_fact(label, value) for label, value in told.facts if value not in said),
        diffs.shown(told.files, caps, unfolded=_UNFOLDED),
        tuple(told.questions),
        visible.line(told.page, _LONGEST_ADDRESS),
    )


def _of_item(item: Asked) -> _Told:
    return _Told(
        item.reason or "",
        plain(item.command or ""),
        item.cwd or "",
        item.url or "",
        [(fact.label, fact.value) for fact in item.facts],
        [diffs.read(change) for change in item.changes],
        [_question(one.header, one.text, one.choices) for one in item.questions],
    )


def _of_approval(approval: Approval, *, with_files: bool) -> _Told:
    told = approval.evidence or ApprovalEvidence()
    return _Told(
        told.reason or "",
        plain(told.command_line or " ".join(told.command)),
        told.cwd or "",
        approval.url or "",
        [(fact.label, fact.value) for fact in approval.facts],
        diffs.read_evidence(told) if with_files else [],
        [_question(one.header or "", one.text, (option.label for option in one.options)) for one in told.questions],
    )


def _fact(label: str, value: str) -> Fact:
    return Fact(visible.line(label), visible.line(value, _LONGEST_VALUE))


def _question(header: str, text: str, choices: Iterable[str]) -> Question:
    return Question(visible.line(header), visible.words(text), tuple(visible.line(choice) for choice in choices))
