"""A team's document as its members meet it: written by its owners, obeyed by all on its machines ("Policy")."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autopilot.contract.port import Claims
from autopilot.testing.approvals import question
from autopilot.testing.machines import Companion, ask, leased, machine_claims
from autopilot.testing.runtime import OBSERVER, OWNER, call, frames, insert_worker

TEAM = "team_crew"
LEAD = Claims(user_id=1, device_id="device-1", scopes=OWNER.scopes, roles={TEAM: "owner"}, surface="ios", step_up=True)
"""Owns the worker and its machine too."""
OPERATOR = Claims(user_id=3, device_id="device-3", scopes=OWNER.scopes, roles={TEAM: "operator"}, step_up=True)
VIEWER = Claims(user_id=4, device_id="device-4", scopes=OWNER.scopes, roles={TEAM: "viewer"}, step_up=True)
OUTSIDER = Claims(user_id=5, device_id="device-5", scopes=OWNER.scopes, roles={"team_other": "owner"}, step_up=True)
ADMIN = Claims(user_id=9, device_id="device-9", scopes=frozenset({"administer", "admin"}), step_up=True)


async def put(runtime, text, *, claims=LEAD, expected=0, subject="team", team_id=TEAM):
    body = {"subject": subject, "format": "toml", "text": text, "expected_version": expected}
    return await call(runtime, "POST", "/policies", body | ({"team_id": team_id} if team_id else {}), claims=claims)


async def shared(runtime, worker_id="w", team_id=TEAM) -> Companion:
    """A worker and machine of the lead's that a team shares."""
    await insert_worker(runtime, worker_id)
    companion = Companion(runtime)
    await companion.register()
    await runtime.pool.execute("update machine set team_id = $1", team_id)
    await companion.claim(worker_id)
    return companion


async def denials(runtime, worker_id="w"):
    return [one for one in await frames(runtime, worker_id) if one["eventType"] == "worker.policy.denied"]


@pytest.mark.parametrize(
    ("claims", "status", "reason"),
    [
        (LEAD, 200, None),
        (OPERATOR, 403, "role"),
        (VIEWER, 403, "role"),
        (OUTSIDER, 404, "no_such_team"),
        (OWNER, 404, "no_such_team"),
        (ADMIN, 404, "no_such_team"),
        (replace(LEAD, scopes=OBSERVER.scopes), 403, "scope"),
        (replace(LEAD, step_up=False), 403, "step_up_required"),
        (replace(LEAD, machine_id="m1", scopes=frozenset({"execute", "administer"})), 404, "no_such_team"),
    ],
)
async def test_a_team_s_document_is_written_by_its_owners_alone(runtime, claims, status, reason):
    answer = await put(runtime, "[methods]\ndeny = ['thread/fork']", claims=claims)

    assert (answer.status, None if status == 200 else answer.reason) == (status, reason)
    assert await runtime.pool.fetchval("select count(*) from policy_document") == (status == 200)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"team_id": None}, "team_id"),
        ({"team_id": "no such id"}, "team_id"),
        ({"subject": "user"}, "team_id"),
        ({"subject": "crew"}, "subject"),
    ],
)
async def test_a_document_of_no_team_is_refused_by_the_field(runtime, options, field):
    refused = await put(runtime, "", **options)

    assert (refused.status, refused.json["error"]["details"][0]["field"]) == (422, field)


async def test_its_versions_history_and_audit_name_the_team_and_are_shown_to_its_members_alone(runtime):
    first = await put(runtime, "# first")
    stale = await put(runtime, "# other")
    faulty = await put(runtime, "[sandbox]\nallow = ['all']", expected=1)
    await put(runtime, "# second", expected=1)
    asked = f"subject=team&team_id={TEAM}"

    assert (first.data["subject"], first.data["team_id"], first.data["version"]) == ("team", TEAM, 1)
    assert (stale.status, stale.reason) == (409, "version")
    assert (faulty.status, faulty.reason) == (422, "policy_invalid")
    changes = (await call(runtime, "GET", "/policies/history", query=asked, claims=VIEWER)).data
    assert [(one["version"], one["team_id"], one["in_force"]) for one in changes] == [
        (2, TEAM, True),
        (1, TEAM, False),
    ]
    old = await call(runtime, "GET", "/policies/version", query=f"{asked}&version=1", claims=VIEWER)
    assert old.data["text"] == "# first"
    for path in ("/policies/history", "/policies/version"):
        outside = await call(runtime, "GET", path, query=f"{asked}&version=1", claims=OUTSIDER)
        assert (outside.status, outside.reason) == (404, "no_such_team")
    lines = await runtime.pool.fetch("select subject, user_id from audit_entry where action = 'policy_set'")
    assert [tuple(line) for line in lines] == [(f"policy:team:{TEAM}", 1)] * 2


async def test_what_binds_on_a_team_s_machines_is_shown_the_widest_document_first(runtime):
    await put(runtime, "[models]\nallow = ['gpt-*']")
    await put(runtime, "[models]\ndeny = ['o9']", subject="user", team_id=None)
    await put(runtime, "[methods]\ndeny = ['thread/fork']", subject="installation", team_id=None, claims=ADMIN)

    alone = (await call(runtime, "GET", "/policies", claims=LEAD)).data
    there = (await call(runtime, "GET", "/policies", query=f"team_id={TEAM}", claims=LEAD)).data
    outside = await call(runtime, "GET", "/policies", query=f"team_id={TEAM}", claims=OUTSIDER)

    assert [one["subject"] for one in alone["documents"]] == ["installation", "user"]
    assert [one["subject"] for one in there["documents"]] == ["installation", "team", "user"]
    lines = [(one["name"], one["document"], one.get("team_id")) for one in there["effective"] if one["version"]]
    assert lines == [("methods", "installation", None), ("models", "team", TEAM), ("models", "user", None)]
    assert (outside.status, outside.reason) == (404, "no_such_team")


CREWS = """
[approvals]
answer = { owner = ["command"], operator = [] }
[[approvals.rule]]
name = "look"
kind = "command"
command = ["git", "status"]
decision = "accept"
[[budget]]
name = "crew's"
per = "team"
period = "week"
tokens = 500
warn_at = 0.5
"""
MINE = """
[approvals]
answer = { rule = "*" }
[[budget]]
name = "mine"
per = "user"
period = "week"
tokens = 500
"""


async def test_who_answers_which_rules_decide_and_what_may_be_spent_is_shown_with_whose_word_it_is(runtime):
    rule = {"name": "look", "kind": "command", "command": ["git", "status"], "decision": "accept"}
    budget = {"name": "crew's", "per": "team", "period": "week", "tokens": 500, "warn_at": 0.5}
    await put(runtime, CREWS)
    await put(runtime, MINE, subject="user", team_id=None)

    alone = (await call(runtime, "GET", "/policies", claims=LEAD)).data
    there = (await call(runtime, "GET", "/policies", query=f"team_id={TEAM}", claims=LEAD)).data

    of_team, of_user = {"document": "team", "team_id": TEAM, "version": 1}, {"document": "user", "version": 1}
    mine_alone = [{**of_user, "who": "rule", "limited": False, "kinds": []}]
    assert alone["answering"] == mine_alone
    assert there["answering"] == [
        {**of_team, "who": "owner", "limited": True, "kinds": ["command"]},
        {**of_team, "who": "operator", "limited": True, "kinds": []},
        *mine_alone,
    ]
    assert alone["rules"] == []
    assert there["rules"] == [{**of_team, "rule_id": "approvals.rule[0]", **rule, "folders": []}]
    spent = {**of_user, "name": "mine", "per": "user", "period": "week", "tokens": 500, "on_exhausted": "refuse"}
    assert alone["budgets"] == [{**spent, "warn_at": None}]
    assert [one["name"] for one in there["budgets"]] == ["crew's", "mine"]
    assert there["budgets"][0] == {**of_team, **budget, "on_exhausted": "refuse"}


@pytest.mark.parametrize("path", ["/workers/w", "/machines/m1"])
@pytest.mark.parametrize("claims", [LEAD, OPERATOR, replace(OWNER, roles={})])
async def test_whoever_asks_on_a_team_s_worker_or_machine_is_bound_and_told_the_team_version_and_rule(
    runtime, path, claims
):
    companion = await shared(runtime)
    await put(runtime, "[models]\nallow = ['gpt-*']")

    refused = await ask(runtime, "turn/start", "r1", {"model": "o9", "input": []}, path=path, claims=claims)

    (detail,) = refused.json["error"]["details"]
    expected = {"reason_code": "policy_denied.model", "rule_id": "models.allow", "document": "team", "team_id": TEAM}
    assert refused.status == 403
    assert detail.items() >= {**expected, "version": 1}.items()
    assert await companion.feed() == []
    told = [one["payload"] for one in await denials(runtime)]
    assert [(one["document"], one["team_id"], one["version"], one["rule_id"]) for one in told] == (
        [("team", TEAM, 1, "models.allow")] if path == "/workers/w" else []
    )
    for payload in told:
        assert payload["policy_versions"] == {"installation": None, f"team:{TEAM}": 1, "user": None}


async def test_workers_of_no_team_or_another_one_are_not_bound_and_a_worker_that_leaves_is_not_any_more(runtime):
    await shared(runtime)
    await insert_worker(runtime, "own")
    await put(runtime, "[methods]\ndeny = ['thread/fork']")
    await put(runtime, "[methods]\nallow = []", claims=OUTSIDER, team_id="team_other")

    assert (await ask(runtime, "thread/fork", "r1", path="/workers/own")).status == 202
    assert (await ask(runtime, "thread/read", "r2")).status == 202
    assert (await ask(runtime, "thread/fork", "r3")).reason == "policy_denied.method"
    await runtime.pool.execute("update worker set team_id = null")
    assert (await ask(runtime, "thread/fork", "r4")).status == 202


async def test_a_lane_is_switched_off_for_a_team_and_never_on(runtime):
    await shared(runtime)
    through = replace(LEAD, surface="gateway")
    lanes = "[lanes]\nallow = ['desktop', 'gateway']"

    await put(runtime, lanes)
    assert (await ask(runtime, "thread/read", "r1", claims=through)).reason == "policy_denied.lane"
    await put(runtime, lanes, subject="installation", team_id=None, claims=ADMIN)
    assert (await ask(runtime, "thread/read", "r2", claims=through)).status == 202
    await put(runtime, "[lanes]\nallow = ['desktop']", expected=1)
    refused = await ask(runtime, "thread/read", "r3", claims=through)

    assert (refused.reason, refused.json["error"]["details"][0]["document"]) == ("policy_denied.lane", "team")
    assert (await ask(runtime, "thread/read", "r4")).status == 202


async def test_a_team_says_who_of_it_may_answer_which_kind(runtime):
    companion = await shared(runtime)
    await put(runtime, "[approvals]\nanswer = { owner = '*', operator = ['file_change'] }")
    asked = question("w")
    await companion.ask_approval("w", asked)
    path, body = f"/approvals/{asked['approval_id']}/decision", {"option_id": "accept"}

    refused = await call(runtime, "POST", path, body, claims=OPERATOR)
    taken = await call(runtime, "POST", path, body, claims=LEAD)

    (detail,) = refused.json["error"]["details"]
    assert (refused.status, refused.reason) == (403, "policy_denied.approval")
    assert (detail["rule_id"], detail["document"], detail["team_id"]) == ("approvals.answer.operator", "team", TEAM)
    (event,) = await denials(runtime)
    assert (event["payload"]["team_id"], event["actor"]["user_id"]) == (TEAM, 3)
    assert (taken.status, taken.data["state"]) == (200, "decided")


RULE = "[[approvals.rule]]\nname = 'look'\nkind = 'command'\ncommand = ['git', 'status']\ndecision = 'accept'\n"


async def test_a_team_s_rule_decides_and_is_named_with_its_team_and_its_owner_may_turn_rules_off(runtime):
    companion = await shared(runtime)
    await put(runtime, RULE)
    look = {"command": ["git", "status"], "command_line": "git status"}
    first, second = (question("w", codex_request_id=number, evidence=look) for number in (1, 2))

    await companion.ask_approval("w", first)
    await put(runtime, "[approvals]\nanswer = { rule = [] }", subject="user", team_id=None)
    await companion.ask_approval("w", second)

    shown = (await call(runtime, "GET", f"/approvals/{first['approval_id']}")).data
    decision = shown["decision"]
    assert (decision["document"], decision["team_id"], decision["version"]) == ("team", TEAM, 1)
    assert decision["rule_id"] == "approvals.rule[0]"
    assert (await call(runtime, "GET", f"/approvals/{second['approval_id']}")).data["state"] == "pending"


async def test_a_draft_of_a_team_is_tried_on_its_machines_and_changes_nothing(runtime):
    await shared(runtime)
    draft = {"subject": "team", "team_id": TEAM, "format": "toml", "text": "[methods]\ndeny = ['thread/fork']"}
    draft["expected_version"] = 0

    async def attempt(claims=LEAD, **asked):
        return await call(runtime, "POST", "/policies/test", {"method": "thread/fork", **asked}, claims=claims)

    for where in ({}, {"team_id": TEAM}, {"worker_id": "w"}):
        said = (await attempt(**where, instead=draft)).data
        assert (said["allowed"], said["denial"]["team_id"], said["denial"]["version"]) == (False, TEAM, 0)
    assert (await attempt(team_id=TEAM)).data["allowed"]
    await put(runtime, draft["text"])
    assert (await attempt()).data["allowed"]
    for where in ({"team_id": TEAM}, {"worker_id": "w"}):
        assert (await attempt(**where)).data["denial"]["version"] == 1
    approval = {"kind": "command", "command_line": "git status", "instead": {**draft, "text": RULE}}
    decided = (await call(runtime, "POST", "/policies/test/approval", approval, claims=LEAD)).data["decision"]
    assert (decided["document"], decided["team_id"], decided["version"]) == ("team", TEAM, 0)


@pytest.mark.parametrize(
    ("asked", "claims", "expected"),
    [
        ({"team_id": TEAM}, OUTSIDER, (404, "no_such_team")),
        ({"instead": TEAM}, OUTSIDER, (404, "no_such_team")),
        ({"instead": TEAM, "team_id": "team_other"}, LEAD, (422, "invalid_value")),
        ({"instead": TEAM, "worker_id": "own"}, LEAD, (422, "invalid_value")),
        ({"team_id": "no id"}, LEAD, (422, "invalid_value")),
        ({"instead": None}, LEAD, (422, "invalid_value")),
    ],
)
async def test_a_question_about_another_team_than_it_names_is_refused(runtime, asked, claims, expected):
    await insert_worker(runtime, "own")
    if "instead" in asked:
        draft = {"subject": "team", "team_id": asked["instead"], "format": "toml", "text": "", "expected_version": 0}
        asked = {**asked, "instead": draft}

    refused = await call(runtime, "POST", "/policies/test", {"method": "thread/read", **asked}, claims=claims)

    assert (refused.status, refused.reason) == expected


async def test_a_machine_with_its_own_token_reads_no_team_s_document(runtime):
    await shared(runtime)
    claims = replace(machine_claims(), roles={TEAM: "owner"}, scopes=frozenset({"execute", "observe"}))

    refused = await call(runtime, "GET", "/policies", query=f"team_id={TEAM}", claims=claims)

    assert (refused.status, refused.reason) == (404, "no_such_team")


async def test_the_brake_works_whatever_a_team_says(runtime):
    await leased(runtime)
    await runtime.pool.execute("update worker set team_id = $1", TEAM)
    await put(runtime, "[methods]\nallow = []\n[lanes]\nallow = []")

    assert (await ask(runtime, "turn/interrupt", "r1", {"turnId": "t"}, claims=OPERATOR)).status == 202
    assert (await call(runtime, "POST", "/workers/w/stop", {}, claims=OPERATOR)).status == 202
