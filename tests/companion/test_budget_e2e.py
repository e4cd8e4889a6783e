"""A budget over real Codex: the turn that crosses it is the last one, or is cut; a replay tells the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.companion.installation import POLICY, Installation, method

from autopilot.contract.errors import Forbidden
from autopilot.runtime import policy_reading, policy_store, spend_rebuild
from autopilot.runtime.policy_document import Budget, Subject
from autopilot.testing.spend import spent

pytestmark = pytest.mark.e2e


async def limit(installation: Installation, tokens: int, on_exhausted: str) -> None:
    """One budget for everybody, in force from here on."""
    budget = Budget("small", "user", "day", tokens, on_exhausted=on_exhausted)
    contents = replace(policy_reading.read(POLICY, "toml"), budgets=(budget,))
    await policy_store.add(
        installation.served.runtime.pool,
        *(Subject("installation"), "toml", POLICY, contents),
        expected_version=1,
        actor="{}",
        x_request_id=None,
    )


async def test_the_turn_that_crosses_a_budget_is_the_last_one_and_a_replay_gives_the_same_spend(
    installation: Installation,
) -> None:
    await limit(installation, 1, "refuse")
    async with installation.companion():
        worker = await installation.start_thread()
        await installation.turn(worker, {"shell": "echo one"}, {"say": "crossed"})
        log = await installation.log_until(worker, method("turn/completed"))
        with pytest.raises(Forbidden) as refused:
            await installation.turn(worker, {"say": "one too many"})

    reports = [one.payload["params"] for one in log if one.payload.get("method") == "thread/tokenUsage/updated"]
    total = reports[-1]["tokenUsage"]["total"]["totalTokens"]
    runtime = installation.served.runtime
    assert refused.value.reason_code == "policy_denied.budget_exhausted"
    assert refused.value.details[0]["used"] == total
    assert log[-1].payload["params"]["turn"]["status"] == "completed"
    before = await spent(runtime, "worker_id", "model", "machine_id")
    assert before == {(worker, "autopilot-demo", installation.machine_id): total}
    await runtime.pool.execute("truncate spend_day, spend_thread")
    await spend_rebuild.rebuild(runtime.pool)
    assert await spent(runtime, "worker_id", "model", "machine_id") == before


async def test_a_budget_that_interrupts_cuts_the_turn_that_crosses_it(installation: Installation) -> None:
    await limit(installation, 1, "interrupt")
    async with installation.companion():
        worker = await installation.start_thread()
        await installation.turn(worker, {"shell": "echo one"}, {"say": "a half, and another", "gate": "never opened"})
        log = await installation.log_until(worker, method("turn/completed"))

    end = next(one for one in log if one.payload.get("method") == "turn/completed")
    asked = [one.payload for one in log if one.eventType == "worker.request.received"]
    cut = [one["params"] for one in asked if one["request_id"].startswith("budget:")]
    assert end.payload["params"]["turn"]["status"] == "interrupted"
    assert cut == [{"turnId": end.payload["params"]["turn"]["id"]}]
