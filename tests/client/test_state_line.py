"""One line says which layer is not well, the one that explains the others first, and since when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import autopilot.web
from autopilot.client.connection import ConnectionState
from autopilot.client.presenters.state_line import Standing, lines, state_line
from autopilot.contract import HealthFact
from autopilot.contract.errors import Forbidden
from autopilot.testing.principal import blank

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=3)
OK = HealthFact(state="ok", as_of="2026-01-01T12:00:00Z")
AWAY = HealthFact(state="unreachable", detail={"since": "2026-01-01T11:50:00.000000Z"})
LIVE = ConnectionState(kind="live", since=BEFORE, heard_at=NOW)
WAITING = ConnectionState(kind="waiting", since=BEFORE, heard_at=BEFORE)


def down(worker):
    return replace(
        worker, health=replace(worker.health, machine=HealthFact(state="down", as_of="2026-01-01T11:00:00Z"))
    )


@pytest.mark.parametrize(
    ("known", "layer", "text", "since"),
    [
        (Standing(LIVE, OK), "live", "Live", None),
        (
            Standing(replace(LIVE, kind="signed_out"), OK),
            "session",
            "You are signed out",
            "2026-01-01T11:57:00.000000Z",
        ),
        (Standing(replace(LIVE, kind="refused", error=Forbidden("no")), OK), "access", "You may not do this.", "2026-"),
        (Standing(replace(LIVE, kind="catching_up"), OK), "stream", "Catching up…", "2026-01-01T11:57:00.000000Z"),
        (Standing(replace(LIVE, heard_at=BEFORE), OK), "stream", "Connection stalled", "2026-01-01T11:57:00.000000Z"),
        (Standing(ConnectionState(kind="connecting", since=NOW), OK), "stream", "Connecting…", "2026-01-01T12:00:00"),
        (Standing(WAITING, OK), "stream", "Reconnecting…", "2026-01-01T11:57:00.000000Z"),
        (
            Standing(WAITING, AWAY, BEFORE, is_online=False),
            "network",
            "Offline: showing what was known 3 min ago",
            "2026-01-01T11:57",
        ),
        (
            Standing(WAITING, AWAY, BEFORE),
            "network",
            "No connection to the server: showing what was known 3 min ago",
            "2026-01-01T11:50:00.000000Z",
        ),
        (Standing(LIVE, OK, worker=down(blank("w"))), "machine", "Machine away", "2026-01-01T11:00:00Z"),
        (Standing(LIVE, OK, worker=blank("w")), "live", "Live", None),
    ],
)
def test_each_layer_has_its_words_and_its_since(known, layer, text, since):
    line = state_line(known, NOW)
    assert (line.layer, line.text) == (layer, text)
    assert (line.since or "").startswith(since or "")
    assert bool(line.since) == bool(since)


def test_several_layers_are_told_apart():
    known = Standing(replace(LIVE, heard_at=BEFORE), HealthFact(state="unavailable"), worker=down(blank("w")))
    assert [line.layer for line in lines(known, NOW)] == ["server", "stream", "machine"]


def test_the_words_are_those_of_the_webs_line():
    script = (Path(autopilot.web.__file__).parent / "static/js/30-live.js").read_text("utf-8")
    for words in (
        "Live",
        "Catching up…",
        "Connection stalled",
        "Connecting…",
        "Reconnecting…",
        "Offline: showing ",
        "No connection to the server: showing ",
        "what was known ",
    ):
        assert words in script
