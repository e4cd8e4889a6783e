from __future__ import annotations

from typing import Any, cast

import pytest

from autopilot.cli.ask import running_turn
from autopilot.client import RuntimeCodexClient
from autopilot.contract import Envelope, decode

STARTED = {"method": "turn/started", "params": {"turn": {"id": "t1"}}}
COMPLETED = {"method": "turn/completed", "params": {"turn": {"id": "t1"}}}


class Log:
    """A worker's log of one page."""

    def __init__(self, payloads: list[dict[str, Any]]) -> None:
        self._page = [envelope(seq, payload) for seq, payload in enumerate(payloads, 1)]

    async def events(self, _worker_id: str, *, before: int | None, limit: int) -> list[Envelope]:
        assert before is None
        return self._page[-limit:]


def envelope(seq: int, payload: dict[str, Any]) -> Envelope:
    said = {"workerId": "w", "seq": seq, "eventType": "worker.event", "payload": payload, "eventId": f"e{seq}"}
    return decode(Envelope, {**said, "occurredAt": "2026-11-22T07:16:00Z", "actor": {"surface": "companion"}})


@pytest.mark.parametrize(
    ("payloads", "turn"),
    [
        ([STARTED], "t1"),
        ([STARTED, COMPLETED], None),
        ([STARTED, {"method": "turn/started", "pruned": True}], "t1"),
        ([STARTED, {"method": "turn/completed", "params": ["mine"]}], "t1"),
        ([{"method": "turn/started", "params": {"turn": "mine"}}], None),
        ([], None),
    ],
)
async def test_the_running_turn_is_the_last_one_started_whatever_else_the_log_holds(
    payloads: list[dict[str, Any]], turn: str | None
) -> None:
    assert await running_turn(cast("RuntimeCodexClient", Log(payloads)), "w") == turn
