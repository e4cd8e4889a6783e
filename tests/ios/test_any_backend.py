"""Where a worker runs changes a word on the phone, and nothing else: also for a kind of place nobody has heard of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.ios.phone import walk

from autopilot.client.presenters import details, standing
from autopilot.client.presenters.people import Names
from autopilot.contract import Backend, BackendKind, WorkerSnapshot, decode, encode
from autopilot.testing.principal import blank
from autopilot_ios.screens.workers import Row, WorkersScreen, row_of

NOW = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
KINDS = [*(str(kind) for kind in BackendKind), "a_kind_of_tomorrow"]
STATES = ("ready", "provisioning", "degraded", "unreachable", "gone", "unknown")


def worker_on(kind: str, state: str):
    backend = Backend(kind=kind, display_name="The place", state=state)
    return replace(blank("w"), backend=backend)


def words_of(row: Row) -> list[str]:
    screen = WorkersScreen.__new__(WorkersScreen)
    return [text for control in walk(screen._row(row)) if isinstance(text := getattr(control, "value", None), str)]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_differs_in_the_name_of_its_backend_only(kind: str, state: str):
    here, there = (row_of(worker_on(one, state), Names(), NOW) for one in ("desktop", kind))
    name, other = standing.backend(worker_on("desktop", state)), standing.backend(worker_on(kind, state))
    assert [text.replace(name, other) for text in words_of(here)] == words_of(there)
    assert replace(here, where="") == replace(there, where="")


@pytest.mark.parametrize("kind", KINDS)
def test_so_do_the_details(kind: str):
    def facts(one: str) -> list[tuple[str, str]]:
        worker = decode(WorkerSnapshot, encode(worker_on(one, "degraded")))
        said = (*details.about(worker, Names()), *details.identity(worker), *details.lease(worker, Names()))
        return [(fact.name, fact.value.replace(standing.backend(worker), "…")) for fact in said]

    assert facts(kind) == facts("desktop")


def test_no_backend_at_all_is_shown_as_none():
    assert standing.backend(blank("w")) == ""
    assert "Desktop" not in " ".join(words_of(row_of(blank("w"), Names(), NOW)))
