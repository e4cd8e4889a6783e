"""What a run with --endurance puts on record: of each test how many seeds ran, of which commit, and which failed.

With BENCH_RECORD=1 it is kept in bench/results/endurance.json; a run of some tests leaves what is there of the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from bench import figures

NAME = "endurance"


@dataclass
class Tally:
    """What became of one test."""

    ids: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def told(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            **figures.origin(),
            "passed": len(self.ids) - len(self.failed),
            "failed": self.failed,
            "seconds": round(self.seconds, 1),
        }


class Record:
    """Listens to a whole run (pytest's hooks); with xdist on the controller only."""

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test: setting up, the test, tearing down."""
        name, _, variant = report.nodeid.partition("[")
        tally = self._tallies.setdefault(name, Tally())
        tally.seconds += report.duration
        if report.when == "call":
            tally.ids.append(variant.rstrip("]"))
        if report.failed and report.nodeid not in tally.failed:
            tally.failed.append(report.nodeid)
            if report.when == "setup":
                tally.ids.append(variant.rstrip("]"))

    def pytest_sessionfinish(self) -> None:
        """Keep it, where that is wanted."""
        if figures.wanted() and self._tallies:
            figures.keep(NAME, merged(figures.kept(NAME), self._tallies.items()))


def merged(before: dict[str, Any], ran: Iterable[tuple[str, Tally]]) -> str:
    """The record with what ran now in the place of what had run before."""
    return json.dumps(dict(sorted({**before, **{name: tally.told() for name, tally in ran}}.items())), indent=2)
