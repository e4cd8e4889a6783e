"""What budgets leave: told to those whom they bind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.runtime.test_budgets import limit, tell

from autopilot.contract.port import Claims
from autopilot.runtime import budgets_routes
from autopilot.runtime.app import Runtime
from autopilot.runtime.policy_document import INSTALLATION, Subject
from autopilot.testing.machines import leased
from autopilot.testing.runtime import OWNER, STRANGER, call
from autopilot.testing.spend import thread, turn, usage


async def left(runtime: Runtime, claims: Claims = OWNER) -> list[dict[str, Any]]:
    answer = await call(runtime, "GET", "/budgets", claims=claims)
    assert answer.status == 200, answer.body
    return answer.data


async def test_each_budget_says_what_is_left_of_it(runtime: Runtime) -> None:
    companion = await leased(runtime)
    await limit(runtime, warn_at=0.8)
    (before,) = await left(runtime)
    assert (before["used"], before["left"], before["level"], before["per_id"]) == (0, 1000, None, str(OWNER.user_id))

    await tell(companion, thread(), turn("u1"), usage(900, turn_id="u1"))

    (after,) = await left(runtime)
    assert (after["used"], after["left"], after["level"], after["warn_at_tokens"]) == (900, 100, "warning", 800)
    assert (after["budget"], after["period"], after["document"], after["version"]) == ("daily", "day", "user", 1)
    assert after["resets_at"] > after["starts_on"]
    await tell(companion, usage(1100, 200, turn_id="u1"))
    assert [(one["left"], one["level"]) for one in await left(runtime)] == [(0, "exhausted")]
    assert await left(runtime, STRANGER) == []


async def test_of_many_with_the_same_amount_those_that_used_most_are_told(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets_routes, "MOST_EACH", 2)
    await limit(runtime, per="worker", subject=Subject(INSTALLATION), period="ever")
    assert [(one["per_id"], one["left"]) for one in await left(runtime)] == [(None, 1000)]
    for number, used in enumerate((10, 30, 20)):
        companion = await leased(runtime, f"w{number}")
        await tell(companion, thread(), turn("u1"), usage(used, turn_id="u1"), worker_id=f"w{number}")

    found = await left(runtime)

    assert [(one["per_id"], one["used"]) for one in found] == [("w1", 30), ("w2", 20)]
    assert {(one["document"], one["resets_at"]) for one in found} == {("installation", None)}


async def test_a_team_s_budget_is_told_to_its_members_alone(runtime: Runtime) -> None:
    await limit(runtime, per="user", subject=Subject("team", "crew"))
    member = replace(STRANGER, roles={"crew": "viewer"})

    assert [(one["team_id"], one["document"], one["left"]) for one in await left(runtime, member)] == [
        ("crew", "team", 1000)
    ]
    assert await left(runtime, OWNER) == []


async def test_lines_are_bounded(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets_routes, "MOST_LINES", 1)
    await limit(runtime)
    await limit(runtime, subject=Subject(INSTALLATION))
    assert len(await left(runtime)) == 1
