"""What a check says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; nothing is wrong."""
    WARNING = "warning"
    """It works, but not as well as it should."""
    PROBLEM = "problem"
    """Something doesn't work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    about: str
    verdict: Verdict
    says: str
    advice: str | None = None
    """What to do about it."""


Check = Callable[[], Awaitable[list[Finding]]]


def ok(about: str, says: str) -> Finding:
    """Nothing to do."""
    return Finding(about, Verdict.OK, says)


def note(about: str, says: str, advice: str | None = None) -> Finding:
    """Worth knowing."""
    return Finding(about, Verdict.NOTE, says, advice)


def warning(about: str, says: str, advice: str | None = None) -> Finding:
    """It works, but."""
    return Finding(about, Verdict.WARNING, says, advice)


def problem(about: str, says: str, advice: str | None = None) -> Finding:
    """It doesn't work."""
    return Finding(about, Verdict.PROBLEM, says, advice)
