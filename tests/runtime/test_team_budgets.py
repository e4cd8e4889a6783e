"""A team's budget is of what was used for the team, whoever owns the worker; a worker counts for the team it is in."""

from __future__ import annotations

from datetime import date
from itertools import count

import pytest

from autopilot.contract.port import Claims
from autopilot.runtime import policy_store, spend_budgets, spend_rebuild
from autopilot.runtime.policy_document import INSTALLATION, TEAM, Budget, Contents, Subject
from autopilot.runtime.spend import SQL
from autopilot.testing.machines import Companion, ask
from autopilot.testing.runtime import OWNER, STRANGER, call, frames, insert_worker
from autopilot.testing.spend import spent, thread, turn, usage

CREW = Subject(TEAM, "team_crew")
OWN = policy_store.subject_of(OWNER.user_id, None)
numbers = count(1)


async def limit(runtime, tokens=1000, *, subject=CREW, version=0, **more):
    """Put one budget in force."""
    budget = Budget(**{"name": "daily", "per": "team", "period": "day", "tokens": tokens, **more})
    options = {"expected_version": version, "actor": "{}", "x_request_id": None}
    await policy_store.add(runtime.pool, subject, "toml", "", Contents(budgets=(budget,)), **options)


async def working(runtime, worker_id, claims=OWNER, team_id=CREW.id) -> Companion:
    """A worker with a machine of its own, which a team shares."""
    await insert_worker(runtime, worker_id, claims)
    companion = Companion(runtime, f"m-{worker_id}", claims.user_id)
    await companion.register()
    await companion.claim(worker_id)
    await moved(runtime, worker_id, team_id)
    await tell(companion, worker_id, thread(worker_id, model=worker_id), turn("u", worker_id))
    return companion


async def moved(runtime, worker_id, team_id):
    await runtime.pool.execute("update worker set team_id = $2 where worker_id = $1", worker_id, team_id)
    await runtime.pool.execute("update machine set team_id = $2 where machine_id = $1", f"m-{worker_id}", team_id)


async def tell(companion, worker_id, *payloads):
    for payload in payloads:
        answer = await companion.append(worker_id, "worker.event", f"n{next(numbers)}", **payload)
        assert answer.status == 202, answer.body


async def use(companion, worker_id, total, last):
    await tell(companion, worker_id, usage(total, last, turn_id="u", thread_id=worker_id))


async def start(runtime, worker_id, claims=OWNER):
    return await ask(
        runtime, "turn/start", f"r{next(numbers)}", {"input": []}, path=f"/workers/{worker_id}", claims=claims
    )


async def refused(runtime, worker_id, claims=OWNER):
    answer = await start(runtime, worker_id, claims)
    return answer.status == 403 and answer.reason == "policy_denied.budget_exhausted"


async def told(runtime, worker_id):
    return [one["payload"] for one in await frames(runtime, worker_id) if one["eventType"] == spend_budgets.REACHED]


async def test_what_all_of_a_team_s_workers_use_together_crosses_its_budget_and_the_refusal_names_the_team(runtime):
    ours, theirs = await working(runtime, "a"), await working(runtime, "b", STRANGER)
    await working(runtime, "alone", team_id=None)
    await limit(runtime, warn_at=0.5)

    await use(ours, "a", 600, 600)
    assert [one["level"] for one in await told(runtime, "a")] == ["warning"]
    assert not await refused(runtime, "b", STRANGER)
    await use(theirs, "b", 400, 400)

    answer = await start(runtime, "a")
    (detail,) = answer.json["error"]["details"]
    expected = {"document": "team", "team_id": CREW.id, "version": 1, "rule_id": "budget[0]", "per": "team"}
    assert (answer.status, answer.reason) == (403, "policy_denied.budget_exhausted")
    assert detail.items() >= {**expected, "per_id": CREW.id, "used": 1000, "limit": 1000}.items()
    assert [(one["level"], one["team_id"]) for one in await told(runtime, "b")] == [("exhausted", CREW.id)]
    assert await refused(runtime, "b", STRANGER)
    assert not await refused(runtime, "alone")
    (denied,) = [one for one in await frames(runtime, "a") if one["eventType"] == "worker.policy.denied"]
    assert (denied["payload"]["document"], denied["payload"]["team_id"]) == ("team", CREW.id)


async def test_both_the_owner_s_and_the_team_s_budget_must_leave_something(runtime):
    companion = await working(runtime, "a")
    await working(runtime, "alone", team_id=None)
    await limit(runtime, 1000)
    await limit(runtime, 500, subject=OWN, per="user")

    await use(companion, "a", 600, 600)

    answer = await start(runtime, "a")
    assert (answer.status, answer.json["error"]["details"][0]["document"]) == (403, "user")
    assert await refused(runtime, "alone")
    await limit(runtime, 5000, subject=OWN, per="user", version=1)
    assert not await refused(runtime, "a")
    await use(companion, "a", 1000, 400)
    assert (await start(runtime, "a")).json["error"]["details"][0]["document"] == "team"
    assert not await refused(runtime, "alone")


async def test_a_team_s_budget_is_reached_while_its_turn_runs_and_the_turn_is_interrupted(runtime):
    ours, theirs = await working(runtime, "a"), await working(runtime, "b", STRANGER)
    await limit(runtime, on_exhausted="interrupt")

    await use(ours, "a", 999, 999)
    await use(theirs, "b", 1, 1)

    asked = await runtime.pool.fetch("select target_id, method from receipt where request_id like 'budget:%'")
    assert [tuple(row) for row in asked] == [("b", "turn/interrupt")]
    await use(ours, "a", 1009, 10)
    asked = await runtime.pool.fetch("select target_id from receipt where request_id like 'budget:%' order by 1")
    assert [row[0] for row in asked] == ["a", "b"]


@pytest.mark.parametrize(("per", "other"), [("user", True), ("worker", True), ("machine", True), ("model", True)])
async def test_within_a_team_each_of_what_a_budget_is_per_has_it_for_itself(runtime, per, other):
    ours, theirs = await working(runtime, "a"), await working(runtime, "b", STRANGER)
    await limit(runtime, per=per)

    await use(ours, "a", 1000, 1000)
    await use(theirs, "b", 999, 999)

    assert await refused(runtime, "a")
    assert (not await refused(runtime, "b", STRANGER)) is other


async def test_the_installation_gives_each_team_a_budget_and_none_to_workers_of_no_team(runtime):
    ours = await working(runtime, "a")
    other = await working(runtime, "b", STRANGER, "team_other")
    alone = await working(runtime, "alone", team_id=None)
    await limit(runtime, subject=Subject(INSTALLATION))

    await use(ours, "a", 1000, 1000)
    await use(other, "b", 999, 999)
    await use(alone, "alone", 5000, 5000)

    assert await refused(runtime, "a")
    assert not await refused(runtime, "b", STRANGER)
    assert not await refused(runtime, "alone")


async def test_a_worker_counts_for_the_team_it_is_in_when_it_reports_and_a_rebuild_says_the_same(runtime):
    companion = await working(runtime, "a")
    await limit(runtime)
    await use(companion, "a", 700, 700)
    await moved(runtime, "a", "team_other")
    await use(companion, "a", 1200, 500)
    await moved(runtime, "a", None)
    await use(companion, "a", 1230, 30)

    by_team = {CREW.id: 700, "team_other": 500, "": 30}
    assert await spent(runtime, "spend_day.team_id") == by_team
    reports = [one for one in await frames(runtime, "a") if one["payload"].get("method", "").endswith("/updated")]
    assert [one.get("teamId") for one in reports] == [CREW.id, "team_other", None]
    rebuilt = await spend_rebuild.rebuild(runtime.pool)
    await runtime.pool.execute("truncate spend_day, spend_thread")
    await spend_rebuild.rebuild(runtime.pool)
    assert rebuilt.changed == 0
    assert await spent(runtime, "spend_day.team_id") == by_team
    await moved(runtime, "a", CREW.id)
    assert not await refused(runtime, "a")


LEAD = Claims(user_id=7, device_id="device-7", scopes=frozenset({"observe"}), roles={CREW.id: "owner"})


async def shown(runtime, by, claims=LEAD):
    answer = await call(runtime, "GET", "/spend", query=f"by={by}", claims=claims)
    assert answer.status == 200, answer.body
    names = ("user_id", "team_id", "worker_id", "thread_id", "machine_id")
    groups = [
        (*(one[name] for name in names if one[name] is not None), one["tokens"]["total_tokens"])
        for one in answer.data["groups"]
    ]
    assert answer.data["totals"]["total_tokens"] == sum(group[-1] for group in groups)
    return groups


async def test_spend_is_shown_by_user_and_team_of_one_s_own_and_of_one_s_teams(runtime):
    ours, theirs = await working(runtime, "a"), await working(runtime, "b", STRANGER)
    await use(ours, "a", 100, 100)
    await use(theirs, "b", 40, 40)
    await moved(runtime, "a", None)
    await use(ours, "a", 107, 7)

    assert await shown(runtime, "team") == [(CREW.id, 140)]
    assert await shown(runtime, "user") == [(1, 100), (2, 40)]
    assert await shown(runtime, "team", OWNER) == [(CREW.id, 100), (7,)]
    assert await shown(runtime, "user", OWNER) == [(1, 107)]
    assert await shown(runtime, "user", Claims(user_id=8, scopes=frozenset({"observe"}))) == []


async def test_of_a_worker_that_left_the_team_its_use_stays_and_its_name_goes(runtime):
    ours, theirs = await working(runtime, "a"), await working(runtime, "b", STRANGER)
    await use(ours, "a", 100, 100)
    await use(theirs, "b", 40, 40)
    await moved(runtime, "a", None)

    assert await shown(runtime, "worker") == [(100,), ("b", 40)]
    assert await shown(runtime, "thread") == [(100,), ("b", "b", 40)]
    assert await shown(runtime, "machine") == [(100,), ("m-b", 40)]
    assert await shown(runtime, "worker", OWNER) == [("a", 100)]


@pytest.mark.parametrize("query", ["report", "unpriced"])
async def test_what_is_shown_of_spend_is_found_by_owner_and_team_and_not_among_everybody_s(runtime, query):
    day, teams = date(2026, 11, 23), ["team_a"]
    asked = {"report": (1, None, day, day, "day", 10, 1, teams), "unpriced": (1, None, day, day, 1, 10, teams)}
    async with runtime.pool.acquire() as conn:
        await conn.execute("set enable_seqscan = off")  # the tables are too small for an index to be worth it
        found = await conn.fetch(f"explain {getattr(SQL, query)}", *asked[query])

    plan = "\n".join(row[0] for row in found)
    assert "worker_owner_user" in plan, plan
    assert "spend_day_team" in plan, plan
