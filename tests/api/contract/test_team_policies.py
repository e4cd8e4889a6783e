"""A team's policy, budget and spend through the SDK, over a real server as one process and as two."""

from __future__ import annotations

import pytest
from tests.api.contract.test_team_roles import Shared, put_into, shared
from tests.api.contract.world import Person, error

from autopilot.client import RuntimeCodexClient
from autopilot.contract import SetPolicy
from autopilot.contract.errors import Forbidden, NotFound
from autopilot.testing.spend import thread, turn, usage

BUDGET = "[[budget]]\nname = 'ours'\nper = 'team'\nperiod = 'day'\ntokens = 1000\n"


def client_of(person: Person) -> RuntimeCodexClient:
    return RuntimeCodexClient(str(person.world.api.client.base_url), person.token)


def ours(case: Shared, text: str, expected: int = 0) -> SetPolicy:
    return SetPolicy(subject="team", team_id=case.team_id, format="toml", text=text, expected_version=expected)


async def test_a_team_s_policy_is_tried_set_shown_and_obeyed_by_whoever_asks(ada: Person, eve: Person) -> None:
    case = await shared(ada)
    draft = ours(case, "[methods]\ndeny = ['thread/fork']\n")

    async with client_of(case.team["owner"]) as client:
        assert (await client.try_policy("thread/fork", team_id=case.team_id)).allowed
        tried = await client.try_policy("thread/fork", worker_id=case.worker_id, instead=draft)
        assert tried.denial is not None
        assert (tried.denial.document, tried.denial.team_id, tried.denial.version) == ("team", case.team_id, 0)
        made = await client.set_policy(draft)
        assert (made.subject, made.team_id, made.version) == ("team", case.team_id, 1)
    for role in ("operator", "viewer"):
        async with client_of(case.team[role]) as client:
            (document,) = (await client.policies(case.team_id)).documents
            (change,) = await client.policy_history("team", team_id=case.team_id)
            assert (document.text, change.version, change.in_force) == (draft.text, 1, True)
            with pytest.raises(Forbidden) as refused:
                await client.set_policy(ours(case, "", 1))
            assert refused.value.reason_code == "role"
    for person in (ada, case.team["operator"]):
        async with client_of(person) as client:
            with pytest.raises(Forbidden) as denied:
                await client.request(case.worker_id, "thread/fork", request_id=f"of-{person.user_id}", wait_ms=0)
            told = {name: denied.value.fact(name) for name in ("document", "team_id", "version", "rule_id")}
            expected = {"document": "team", "team_id": case.team_id, "version": 1, "rule_id": "methods.deny[0]"}
            assert (denied.value.reason_code, told) == ("policy_denied.method", expected)
    async with client_of(eve) as client:
        with pytest.raises(NotFound) as outside:
            await client.policies(case.team_id)
        assert outside.value.reason_code == "no_such_team"
        with pytest.raises(NotFound):
            await client.policy_version(1, "team", team_id=case.team_id)
    error(await eve.get("/policies/history?subject=team"), 422, "unprocessable", "invalid_value")


async def test_spend_says_who_and_for_which_team_by_names_that_one_may_see_and_a_team_s_budget_binds(
    ada: Person, eve: Person
) -> None:
    case = await shared(ada)
    for payload in (thread(), turn("turn-1"), usage(1000)):
        await case.machine.append(case.worker_id, **payload)

    async with client_of(case.team["viewer"]) as client:
        by_user, by_team = await client.spend(by="user"), await client.spend(by="team")
        (one,), (team,) = by_user.groups, by_team.groups
        assert (one.user_id, one.email, one.tokens.total_tokens) == (ada.user_id, ada.email, 1000)
        assert (team.team_id, team.team_name, team.tokens.total_tokens) == (case.team_id, "crew", 1000)
        assert (await client.spend(by="worker")).groups[0].worker_id == case.worker_id
    async with client_of(case.team["owner"]) as client:
        await client.set_policy(ours(case, BUDGET))
    async with client_of(case.team["operator"]) as client:
        with pytest.raises(Forbidden) as refused:
            await client.request(case.worker_id, "turn/start", {"input": []}, request_id="over", wait_ms=0)
        assert refused.value.reason_code == "policy_denied.budget_exhausted"
        assert (refused.value.fact("team_id"), refused.value.fact("used")) == (case.team_id, 1000)
        await client.leave_team(case.team_id)
    await put_into(ada, case.machine, None)
    async with client_of(ada) as client:
        assert (await client.request(case.worker_id, "turn/start", {"input": []}, request_id="free", wait_ms=0)).state
        assert [one.team_name for one in (await client.spend(by="team")).groups] == ["crew"]
        assert (await client.spend(by="worker")).groups[0].worker_id == case.worker_id
    async with client_of(case.team["viewer"]) as client:
        (group,) = (await client.spend(by="worker")).groups
        assert (group.worker_id, group.tokens.total_tokens) == (None, 1000)
    for person in (eve, case.team["operator"]):
        said = (await person.get("/spend?by=user")).json()["data"]
        assert (said["groups"], said["totals"]["total_tokens"]) == ([], 0)
        assert ada.email not in (await person.get("/spend?by=team")).text
