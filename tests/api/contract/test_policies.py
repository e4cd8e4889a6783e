"""Policies through the SDK, over a real server as one process and as two."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.api.contract.world import Person

from autopilot import contract
from autopilot.client import RuntimeCodexClient
from autopilot.contract import SetPolicy
from autopilot.contract.errors import Conflict, Forbidden, NotFound, Unprocessable


@pytest.fixture
async def client(ada: Person) -> AsyncIterator[RuntimeCodexClient]:
    async with RuntimeCodexClient(str(ada.world.api.client.base_url), ada.token) as made:
        yield made


def mine(text: str, expected: int = 0) -> SetPolicy:
    return SetPolicy(subject="user", format="toml", text=text, expected_version=expected)


async def test_a_policy_is_tried_set_shown_and_obeyed(ada: Person, eve: Person, client: RuntimeCodexClient) -> None:
    policy = mine("[methods]\ndeny = ['thread/fork']\n")
    assert not (await client.try_policy("thread/fork", instead=policy)).allowed
    assert (await client.try_policy("thread/fork")).allowed

    assert (await client.set_policy(policy)).version == 1

    assert [document.text for document in (await client.policies()).documents] == [policy.text]
    with pytest.raises(Forbidden) as refused:
        await client.request(ada.worker_id, "thread/fork", request_id="r1", wait_ms=0)
    assert (refused.value.reason_code, refused.value.fact("rule_id")) == ("policy_denied.method", "methods.deny[0]")
    assert (await eve.get("/policies")).json()["data"]["documents"] == []


async def test_a_version_in_between_a_fault_and_too_small_a_scope_are_refused(client: RuntimeCodexClient) -> None:
    await client.set_policy(mine(""))
    with pytest.raises(Conflict) as conflict:
        await client.set_policy(mine(""))
    assert conflict.value.fact("latest_version") == 1
    with pytest.raises(Unprocessable) as faulty:
        await client.set_policy(mine("[sandbox]\nallow = ['all']", 1))
    assert (faulty.value.fact("path"), faulty.value.fact("line")) == ("sandbox.allow[0]", 2)
    with pytest.raises(Forbidden):
        await client.set_policy(SetPolicy(subject="installation", format="toml", text="", expected_version=0))


async def test_the_history_and_old_versions_are_shown_to_their_owner_alone(
    eve: Person, client: RuntimeCodexClient
) -> None:
    await client.set_policy(mine("# first"))
    await client.set_policy(mine("# second", 1))

    changes = await client.policy_history(limit=5)
    assert [(one.version, one.in_force) for one in changes] == [(2, True), (1, False)]
    assert changes[0].actor is not None
    assert changes[0].actor.device_id
    assert changes[0].x_request_id
    assert (await client.policy_version(1)).text == "# first"
    with pytest.raises(NotFound):
        await client.policy_version(7)
    assert (await eve.get("/policies/history")).json()["data"] == []
    assert (await eve.get("/policies/version?version=1")).status_code == 404


async def test_a_question_of_codex_is_tried(ada: Person, eve: Person, client: RuntimeCodexClient) -> None:
    rule = "[[approvals.rule]]\nname = 'no'\nkind = 'command'\ncommand = ['rm']\ndecision = 'decline'"
    asked = contract.TestApproval(kind="command", command_line="rm -r x", worker_id=ada.worker_id, instead=mine(rule))

    verdict = await client.try_approval(asked)

    assert verdict.decision is not None
    assert (verdict.decision.decision, verdict.decision.rule_id) == ("decline", "approvals.rule[0]")
    assert [one.who for one in verdict.answerers if one.allowed] == ["owner", "operator", "viewer", "rule"]
    theirs = await eve.post("/policies/test/approval", {"kind": "command", "worker_id": ada.worker_id})
    assert theirs.status_code == 403
