"""The companion with real Codex, over the real API, runtime and Postgres."""

from __future__ import annotations

import pytest
from tests.companion.installation import Installation, assert_sound, item, method, methods, of_type

pytestmark = pytest.mark.e2e


async def test_a_turn_with_a_command_and_a_patch_is_in_the_ledger_in_order(installation: Installation) -> None:
    patch = "*** Begin Patch\n*** Update File: hello.txt\n@@\n-hello\n+good morning\n*** End Patch\n"
    async with installation.companion():
        worker = await installation.start_thread()
        outcome = await installation.turn(
            worker, {"say": "I will look", "shell": "cat hello.txt"}, {"patch": patch}, {"say": "done"}
        )
        log = await installation.log_until(worker, method("turn/completed"))

    assert outcome.state == "completed"
    assert outcome.response["autopilot"]["effect"] == "started_turn"
    assert_sound(log)
    told = [event for event in log if item("x")(event) or event.payload.get("method") == "item/completed"]
    assert [event.payload["params"]["item"]["type"] for event in told] == [
        "userMessage",
        "agentMessage",
        "commandExecution",
        "fileChange",
        "agentMessage",
    ]
    assert methods(log)[0] == "worker.started"
    assert log[0].eventType == "worker.started"
    assert (installation.project / "hello.txt").read_text() == "good morning\n"
    snapshot = await installation.owner.worker(worker)
    assert (snapshot.adapter, snapshot.workspace_ref) == ("desktop_bridge", f"desktop://{installation.project}")
    assert of_type("worker.response")(next(event for event in log if event.eventId.startswith("response:")))
