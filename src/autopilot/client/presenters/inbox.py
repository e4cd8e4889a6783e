"""The inbox in words: what waits, the gravest first, and what ended lately. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from autopilot.client.overview import Overview
from autopilot.client.presenters import approvals, times
from autopilot.client.presenters.commands import plain
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.visible import line, prose
from autopilot.contract import Approval

NOTHING = "Nothing waits for you"
NOTHING_MEANS = "When Codex asks something, it is here and on your other devices at once."
WAITING, ENDED = "Waiting for you", "Ended lately"
MOST_ENDED = 20
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Row:
    """One question in a list."""

    approval_id: str
    title: str
    about: str
    """What it is about, in a line or two."""
    is_code: bool
    """Whether that is a command."""
    where: str
    """Since when, and on which machine."""
    label: Label
    """How grave it is; of an ended one, what became of it."""
    is_waiting: bool
    waits: str = ""
    """What stands in the way of an answer from here; empty where nothing does."""


def waiting(found: Iterable[Approval]) -> list[Approval]:
    """In the order to answer them: the gravest first, then the oldest."""
    return sorted(found, key=lambda one: (approvals.risk_order(one.risk), one.requested_at))


@dataclass(frozen=True, slots=True)
class Split:
    """What waits for a person, and what does not any more."""

    waiting: tuple[Approval, ...]
    others: tuple[Approval, ...]
    """Answered and on their way, the first ones; then those that ended, the last first."""


def split(overview: Overview) -> Split:
    """The questions of an overview, as the inbox shows them."""
    pending = overview.pending
    on_their_way = tuple(one for one in reversed(overview.approvals) if one.state != "pending")
    return Split(pending, (*on_their_way, *overview.ended_approvals))


def title(approval: Approval) -> str:
    """What is asked, on one line."""
    return line(approvals.title(approval), _LONGEST)


def headline(approval: Approval) -> str:
    """What is asked, on one line above its evidence."""
    return line(approvals.headline(approval), _LONGEST)


def rows(found: Sequence[Approval], names: Names, now: datetime) -> list[Row]:
    """Those that wait, in order."""
    return [_row(one, approvals.risk(one.risk), names, now) for one in waiting(found)]


def ended_rows(found: Sequence[Approval], names: Names, now: datetime) -> list[Row]:
    """Those that ended, or were answered and are on their way; the last first."""
    return [
        _row(one, approvals.became(approvals.course(one), names), names, now, since=one.ended_at)
        for one in found[:MOST_ENDED]
    ]


def where(approval: Approval, names: Names, now: datetime, *, since: str | None = None) -> str:
    """Since when, on which machine, and whether a sub-agent asks."""
    machine = approval.machine
    name = (machine.name or names.machines.get(machine.machine_id) or machine.machine_id) if machine else ""
    asked_by = "by a sub-agent" if approval.parent_thread_id else ""
    return " · ".join(part for part in (times.ago(since or approval.requested_at, now), line(name), asked_by) if part)


def _row(approval: Approval, label: Label, names: Names, now: datetime, *, since: str | None = None) -> Row:
    evidence = approval.evidence
    command = plain(evidence.command_line or " ".join(evidence.command)) if evidence else ""
    about = line(command, _LONGEST) if command else prose(_reason(approval))[:_LONGEST]
    course = approvals.course(approval)
    waits = approvals.in_the_way(course)
    return Row(
        approval.approval_id,
        title(approval),
        about,
        bool(command),
        where(approval, names, now, since=since),
        label,
        course.is_pending,
        waits.text if waits is not None and course.is_pending else "",
    )


def _reason(approval: Approval) -> str:
    evidence = approval.evidence
    if evidence is None:
        return ""
    texts = [evidence.reason or "", *(one.text for one in evidence.questions), *(one.path for one in evidence.changes)]
    return next((text for text in texts if text), "")
