"""The end of a request is made where it is in nobody's way."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest
from tests.companion.test_approvals_file import bench

from autopilot.companion import desk, outcomes
from autopilot.companion.desk import Desk
from autopilot.companion.inbox import Request
from autopilot.companion.outcomes import Outcome


@pytest.mark.parametrize("target", ["worker", "machine"])
async def test_a_large_answer_is_cut_beside_the_loop_that_everything_else_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    threads: list[int] = []

    def noted(whole: Any) -> Any:
        def runs(*arguments: Any) -> Any:
            threads.append(threading.get_ident())
            return whole(*arguments)

        return runs

    monkeypatch.setattr(desk, "told", noted(outcomes.told))
    monkeypatch.setattr(desk, "reported", noted(outcomes.reported))
    async with bench(tmp_path, "t") as made:
        parts: dict[str, Any] = dict.fromkeys(("execution", "leases", "stops"))
        kept = {"database": made.database, "threads": made.threads, "recorder": made.recorder, "clock": made.clock}
        made_desk = Desk(cast("Any", None), cast("Any", None), **parts, **kept)
        monkeypatch.setattr(made_desk, "_keep_and_report", _nothing)
        worker_id = "desktopw:t" if target == "worker" else ""
        request = Request(
            target=target, worker_id=worker_id, request_id="r", method="thread/read", params={}, state="executing"
        )
        await made_desk._finish(request, Outcome("completed", {"text": "x" * 2_000_000}))

    assert threads
    assert threading.get_ident() not in threads


async def _nothing(*_arguments: Any) -> None:
    """Tells nobody."""
