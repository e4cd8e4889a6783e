"""Policy documents as people meet them: shown, set, tried, obeyed (docs/protocol.md, "Policy")."""

from __future__ import annotations

import asyncio

import pytest

from autopilot.contract.port import Claims
from autopilot.testing.approvals import question
from autopilot.testing.machines import ask, leased, receipt
from autopilot.testing.runtime import OBSERVER, OWNER, STRANGER, call, frames

ADMIN = Claims(user_id=9, device_id="device-admin", scopes=frozenset({"administer", "admin"}))


async def put(runtime, text, *, subject="user", expected=0, claims=OWNER, text_format="toml"):
    body = {"subject": subject, "format": text_format, "text": text, "expected_version": expected}
    return await call(runtime, "POST", "/policies", body, claims=claims)


async def show(runtime, claims=OWNER):
    return (await call(runtime, "GET", "/policies", claims=claims)).data


async def attempt(runtime, body, claims=OWNER):
    return await call(runtime, "POST", "/policies/test", body, claims=claims)


async def test_without_documents_the_built_in_rules_are_shown(runtime):
    shown = await show(runtime)

    assert shown["documents"] == []
    assert [(line["name"], line["document"], line["allow"]) for line in shown["effective"]] == [
        ("sandbox", "builtin", ["read-only", "workspace-write"]),
        ("lanes", "builtin", ["desktop"]),
    ]


async def test_a_document_is_shown_as_it_was_written_with_its_version_and_who_wrote_it(runtime):
    text = "# mine\n[models]\nallow = ['gpt-*']\n"
    first = await put(runtime, text)
    second = await put(runtime, '{"models": {"deny": ["o9"]}}', expected=1, text_format="json")

    assert (first.status, first.data["version"], first.data["text"]) == (200, 1, text)
    assert (second.status, second.data["version"], second.data["actor"]["user_id"]) == (200, 2, 1)
    shown = await show(runtime)
    assert [document["version"] for document in shown["documents"]] == [2]
    assert shown["effective"][-1] == {
        "name": "models",
        "document": "user",
        "version": 2,
        "limited": False,
        "allow": [],
        "deny": ["o9"],
    }


async def test_another_version_than_the_one_expected_is_a_conflict_that_names_it(runtime):
    await put(runtime, "")

    refused = await put(runtime, "", expected=0)

    assert (refused.status, refused.reason) == (409, "version")
    assert refused.json["error"]["details"][0]["latest_version"] == 1


async def test_of_writers_at_once_one_wins_each_version(runtime):
    for version in range(3):
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            writing = [tasks.create_task(put(runtime, f"# {n}", expected=version)) for n in range(6)]
        assert sorted(task.result().status for task in writing) == [200, 409, 409, 409, 409, 409]
    assert (await show(runtime))["documents"][0]["version"] == 3


async def test_a_fault_is_told_with_its_path_and_line_and_nothing_is_stored(runtime):
    refused = await put(runtime, "[sandbox]\nallow = ['all']\n")

    detail = refused.json["error"]["details"][0]
    assert (refused.status, detail["path"], detail["line"]) == (422, "sandbox.allow[0]", 2)
    assert "read-only" in detail["allowed"]
    assert (await show(runtime))["documents"] == []


@pytest.mark.parametrize(
    ("claims", "subject", "status"),
    [
        (OBSERVER, "user", 403),
        (OWNER, "user", 200),
        (OWNER, "installation", 403),
        (ADMIN, "installation", 200),
        (OWNER, "team", 422),
    ],
)
async def test_ones_own_takes_administer_and_the_installations_admin(runtime, claims, subject, status):
    assert (await put(runtime, "", subject=subject, claims=claims)).status == status


async def test_a_user_is_bound_by_the_installation_and_by_nobody_elses_document(runtime):
    await leased(runtime)
    await put(runtime, "[methods]\ndeny = ['thread/read']", claims=STRANGER)
    assert (await ask(runtime, "thread/read", "r1")).status == 202

    await put(runtime, "[methods]\ndeny = ['thread/fork']", subject="installation", claims=ADMIN)
    await put(runtime, "[methods]\nallow = ['*', 'thread/fork']")
    assert (await ask(runtime, "thread/fork", "r2")).reason == "policy_denied.method"
    assert [document["subject"] for document in (await show(runtime, STRANGER))["documents"]] == [
        "installation",
        "user",
    ]


@pytest.mark.parametrize("path", ["/workers/w", "/machines/m1"])
async def test_a_denial_names_rule_document_and_version_and_stays_the_same_when_the_policy_changes(runtime, path):
    companion = await leased(runtime)
    await put(runtime, "[models]\nallow = ['gpt-*']")

    first = await ask(runtime, "turn/start", "r1", {"model": "o9"}, path=path)
    await put(runtime, "", expected=1)
    again = await ask(runtime, "turn/start", "r1", {"model": "o9"}, path=path)

    told = first.json["error"]["details"][0]
    assert (first.status, told["reason_code"]) == (403, "policy_denied.model")
    assert (told["rule_id"], told["document"], told["version"]) == ("models.allow", "user", 1)
    assert told["field"] == "request.params.model"
    assert (again.status, again.body) == (403, first.body)
    assert (await receipt(runtime, "r1", path=path))["state"] == "rejected"
    assert await companion.feed() == []
    events = [one["payload"] for one in await frames(runtime, "w") if one["eventType"] == "worker.policy.denied"]
    assert [(event["rule_id"], event["version"], event["request_id"]) for event in events] == (
        [("models.allow", 1, "r1")] if path == "/workers/w" else []
    )


async def test_what_the_installation_opens_by_name_reaches_the_machine(runtime):
    companion = await leased(runtime)
    await put(runtime, "[methods]\nallow = ['*', 'fs/readFile']", subject="installation", claims=ADMIN)

    answer = await ask(runtime, "fs/readFile", "r1", {"path": "/etc/hostname"})

    assert answer.status == 202
    assert [entry["request_id"] for entry in await companion.feed()] == ["r1"]


async def test_a_stop_and_an_interrupt_go_through_whatever_the_documents_say(runtime):
    await leased(runtime)
    await put(runtime, "[methods]\nallow = []\n[lanes]\nallow = []", subject="installation", claims=ADMIN)

    assert (await ask(runtime, "turn/interrupt", "r1", {"turnId": "t"})).status == 202
    assert (await call(runtime, "POST", "/workers/w/stop", {})).status == 202


async def test_a_question_is_tried_against_what_is_in_force_or_a_given_text_and_changes_nothing(runtime):
    await leased(runtime)
    asked = {"method": "thread/start", "params": {"sandbox": "danger-full-access", "approvalPolicy": "untrusted"}}
    opened = {
        "subject": "installation",
        "format": "toml",
        "text": "[sandbox]\nallow = ['danger-full-access']",
        "expected_version": 0,
    }

    closed = (await attempt(runtime, asked)).data
    assert (closed["allowed"], closed["denial"]["reason_code"]) == (False, "policy_denied.sandbox")
    assert (await attempt(runtime, {**asked, "instead": opened})).data == {"allowed": True, "denial": None}
    assert (await attempt(runtime, {**asked, "worker_id": "w"}, STRANGER)).status == 403
    assert (await attempt(runtime, {**asked, "instead": {**opened, "text": "x"}})).status == 422
    assert (await show(runtime))["documents"] == []


async def test_who_may_not_answer_a_kind_leaves_the_approval_open(runtime):
    companion = await leased(runtime)
    asked = question("w")
    await companion.ask_approval("w", asked)
    await put(runtime, "[approvals]\nanswer = { owner = ['file_change'] }")
    path, body = f"/approvals/{asked['approval_id']}/decision", {"option_id": asked["options"][0]["option_id"]}

    refused = await call(runtime, "POST", path, body)
    await put(runtime, "", expected=1)
    taken = await call(runtime, "POST", path, body)

    assert (refused.status, refused.reason) == (403, "policy_denied.approval")
    assert refused.json["error"]["details"][0]["rule_id"] == "approvals.answer.owner"
    assert (taken.status, taken.data["state"]) == (200, "decided")
