"""Policy documents as people meet them: shown, set, tried, obeyed (docs/protocol.md, "Policy")."""

from __future__ import annotations

import asyncio

import pytest

from autopilot.contract.port import Claims
from autopilot.testing.approvals import question
from autopilot.testing.machines import Companion, ask, leased, receipt
from autopilot.testing.runtime import OBSERVER, OWNER, STRANGER, call, frames

ADMIN = Claims(user_id=9, device_id="device-admin", scopes=frozenset({"administer", "admin"}), step_up=True)


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
        ("network", "builtin", ["restricted"]),
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


async def answered(runtime, approval_id, option_id, claims=OWNER):
    return await call(runtime, "POST", f"/approvals/{approval_id}/decision", {"option_id": option_id}, claims=claims)


async def denials(runtime):
    return [one for one in await frames(runtime, "w") if one["eventType"] == "worker.policy.denied"]


def counted(runtime, reason):
    (line,) = [
        line
        for line in runtime.metrics.render()[0].decode().splitlines()
        if line.startswith(f'autopilot_policy_denials_total{{reason_code="{reason}"}}')
    ]
    return float(line.rpartition(" ")[2])


async def test_a_refused_answer_is_an_event_that_names_who_asked_and_is_told_once(runtime):
    companion = await leased(runtime)
    asked = question("w")
    await companion.ask_approval("w", asked)
    await put(runtime, "[approvals]\nanswer = { owner = ['file_change'] }")

    for _ in range(2):
        refused = await answered(runtime, asked["approval_id"], "accept")
        assert (refused.status, refused.reason) == (403, "policy_denied.approval")

    (event,) = await denials(runtime)
    told = event["payload"]
    assert (event["actor"]["user_id"], event["actor"]["device_id"]) == (1, "device-1")
    assert (told["reason_code"], told["rule_id"]) == ("policy_denied.approval", "approvals.answer.owner")
    assert (told["approval_id"], told["kind"], told["version"]) == (asked["approval_id"], "command", 1)
    assert told["policy_versions"] == {"installation": None, "user": 1}
    assert counted(runtime, "policy_denied.approval") == 1
    await put(runtime, "# another\n[approvals]\nanswer = { owner = ['file_change'] }", expected=1)
    await answered(runtime, asked["approval_id"], "accept")
    assert [one["payload"]["version"] for one in await denials(runtime)] == [1, 2]


async def test_an_answer_that_policy_refused_is_in_the_audit_of_who_gave_it(runtime):
    companion = await leased(runtime)
    asked = question("w")
    await companion.ask_approval("w", asked)
    await put(runtime, "[approvals]\nanswer = { owner = ['file_change'] }")
    for _ in range(2):
        await answered(runtime, asked["approval_id"], "accept")

    [line] = (await call(runtime, "GET", "/audit", query="action=answer_refused")).json["data"]
    assert (line["outcome"], line["subject"]) == ("refused", f"approval:{asked['approval_id']}")
    assert (line["actor"]["device_id"], line["detail"]["rule_id"]) == ("device-1", "approvals.answer.owner")


async def test_denials_are_counted_by_reason_each_request_once(runtime):
    await leased(runtime)
    await put(runtime, "[methods]\ndeny = ['thread/fork']")
    for path in ("/workers/w", "/machines/m1"):
        for _ in range(2):
            assert (await ask(runtime, "thread/fork", "r1", path=path)).status == 403

    assert counted(runtime, "policy_denied.method") == 2
    assert counted(runtime, "policy_denied.network") == 0


async def test_requests_and_decisions_say_which_versions_were_in_force(runtime):
    companion = await leased(runtime)
    await put(runtime, "[approvals.answer]\nrule = ['command']", subject="installation", claims=ADMIN)
    await put(runtime, "[[approvals.rule]]\nname = 'no'\nkind = 'command'\ncommand = ['rm']\ndecision = 'decline'")
    await ask(runtime, "thread/read", "r1")
    await ask(runtime, "turn/interrupt", "r2", {"turnId": "t"})
    by_rule = question("w", codex_request_id=1, evidence={"command": ["rm", "x"]})
    by_hand = question("w", codex_request_id=2)
    await companion.ask_approval("w", by_rule)
    await companion.ask_approval("w", by_hand)
    await answered(runtime, by_hand["approval_id"], "accept")

    told = [
        (one["eventType"], one["payload"].get("method"), one["payload"].get("policy_versions"))
        for one in await frames(runtime, "w")
        if one["eventType"] in ("worker.request.received", "worker.approval.decided")
    ]
    both = {"installation": 1, "user": 1}
    assert told == [
        ("worker.request.received", "thread/read", both),
        ("worker.request.received", "turn/interrupt", None),
        ("worker.approval.decided", None, both),
        ("worker.approval.decided", None, both),
    ]


async def history(runtime, query="", claims=OWNER):
    return await call(runtime, "GET", "/policies/history", query=query, claims=claims)


async def test_the_history_says_who_changed_what_when_and_from_which_device(runtime):
    other = Claims(user_id=1, device_id="device-9", scopes=frozenset({"administer"}), surface="cli", step_up=True)
    for number in range(3):
        await put(runtime, f"# {number} \u00fc", expected=number, claims=other if number else OWNER)
    await put(runtime, "", subject="installation", claims=ADMIN)

    changes = (await history(runtime)).data
    assert [(one["version"], one["in_force"], one["bytes"]) for one in changes] == [
        (3, True, 6),
        (2, False, 6),
        (1, False, 6),
    ]
    assert [one["actor"]["device_id"] for one in changes] == ["device-9", "device-9", "device-1"]
    assert changes[0]["created_at"] > changes[1]["created_at"]
    assert "text" not in changes[0]
    assert [one["version"] for one in (await history(runtime, "before=3&limit=1")).data] == [2]
    assert [one["actor"]["user_id"] for one in (await history(runtime, "subject=installation")).data] == [9]
    assert (await history(runtime, claims=STRANGER)).data == []


async def test_an_old_version_is_shown_as_it_was_written(runtime):
    await put(runtime, "# first")
    await put(runtime, "# second", expected=1)

    shown = await call(runtime, "GET", "/policies/version", query="version=1")
    others = await call(runtime, "GET", "/policies/version", query="version=1", claims=STRANGER)

    assert (shown.data["text"], shown.data["version"]) == ("# first", 1)
    assert (others.status, others.reason) == (404, "no_such_version")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("history", "subject=team"),
        ("history", "limit=0"),
        ("history", "before=x"),
        ("version", ""),
        ("version", "version=0"),
        ("version", "version=1&subject=everybody"),
    ],
)
async def test_a_history_that_can_not_be_is_refused(runtime, path, query):
    assert (await call(runtime, "GET", f"/policies/{path}", query=query)).status == 422


LOOK = """
[approvals]
answer = { owner = "*", operator = ["command"], rule = ["command", "file_change"] }
[[approvals.rule]]
name = "look"
kind = "command"
command = ["git", "status"]
folders = ["~/work/**"]
decision = "accept"
[[approvals.rule]]
name = "notes"
kind = "file_change"
folders = ["/srv/notes/**"]
decision = "accept"
"""


async def trial(runtime, claims=OWNER, **asked):
    return await call(runtime, "POST", "/policies/test/approval", asked, claims=claims)


async def test_a_question_of_codex_is_tried_with_the_rule_named_and_who_may_answer(runtime):
    companion = await leased(runtime)
    await put(runtime, LOOK)
    home = {"method": "machine/home", "params": {"home": "/home/ann"}, "occurred_at": "2026-11-23T00:00:00Z"}
    look = {"kind": "command", "command_line": "git status --short", "cwd": "/home/ann/work/shop"}

    assert (await trial(runtime, **look, worker_id="w")).data["decision"] is None
    await companion.post("/machines/m1/heartbeat", {"workers": [], "facts": [home]})
    found = (await trial(runtime, **look, worker_id="w")).data

    assert found["decision"] == {
        "decision": "accept",
        "name": "look",
        "rule_id": "approvals.rule[0]",
        "document": "user",
        "version": 1,
    }
    assert {one["who"]: one["allowed"] for one in found["answerers"]} == {
        "owner": True,
        "operator": True,
        "viewer": True,
        "rule": True,
    }
    elsewhere = (await trial(runtime, **{**look, "cwd": "/srv"}, worker_id="w")).data
    more = (await trial(runtime, **look, worker_id="w", params={"networkApprovalContext": {"host": "x"}})).data
    assert (elsewhere["decision"], more["decision"]) == (None, None)
    notes = (await trial(runtime, kind="file_change", paths=["/srv/notes/a.md"])).data
    assert notes["decision"]["name"] == "notes"
    assert {one["who"]: (one["denial"] or {}).get("rule_id") for one in notes["answerers"]}["operator"] == (
        "approvals.answer.operator"
    )


async def test_a_question_is_tried_against_a_draft_and_changes_nothing(runtime):
    await leased(runtime)
    log = await frames(runtime, "w")
    draft = {"subject": "user", "format": "toml", "text": LOOK, "expected_version": 0}
    asked = {"kind": "file_change", "paths": ["/srv/notes/a.md"]}

    assert (await trial(runtime, **asked)).data["decision"] is None
    assert (await trial(runtime, **asked, instead=draft)).data["decision"]["version"] == 0
    assert (await trial(runtime, **asked, instead={**draft, "text": "x"})).status == 422
    assert (await trial(runtime, **asked, worker_id="w", claims=STRANGER)).status == 403
    assert (await trial(runtime, **asked, worker_id="nobody")).status == 404
    assert (await trial(runtime, kind="nothing")).status == 422
    assert (await trial(runtime, kind="unsupported")).data["decision"] is None
    assert (await show(runtime))["documents"] == []
    assert await frames(runtime, "w") == log


async def test_the_home_folder_that_a_companion_tells_is_what_a_policy_means(runtime):
    companion = await leased(runtime)
    await put(runtime, "[folders]\nallow = ['~/work/**']")
    assert (await ask(runtime, "thread/start", "r1", {"cwd": "/home/ann/work"})).reason == "policy_denied.folder"
    home = {"method": "machine/home", "params": {"home": "/home/ann"}, "occurred_at": "2026-11-23T00:00:00Z"}
    await Companion(runtime).post("/machines/m1/heartbeat", {"workers": [], "facts": [home]})

    for path, request_id in (("/workers/w", "r2"), ("/machines/m1", "r3")):
        assert (await ask(runtime, "thread/start", request_id, {"cwd": "/home/ann/work"}, path=path)).status == 202
        refused = await ask(runtime, "thread/start", f"{request_id}n", {"cwd": "/home/bob/work"}, path=path)
        assert refused.reason == "policy_denied.folder"
    assert len(await companion.feed()) == 2


@pytest.mark.parametrize("path", ["/workers/w", "/machines/m1"])
async def test_network_access_is_closed_until_the_installation_names_it(runtime, path):
    await leased(runtime)
    online = {"sandboxPolicy": {"type": "workspaceWrite", "networkAccess": True}}
    refused = await ask(runtime, "turn/start", "r1", online, path=path)
    await put(runtime, "[network]\nallow = ['restricted', 'enabled']", subject="installation", claims=ADMIN)

    told = refused.json["error"]["details"][0]
    assert (refused.reason, told["rule_id"]) == ("policy_denied.network", "network.closed")
    assert told["field"] == "request.params.sandboxPolicy.networkAccess"
    assert (await ask(runtime, "turn/start", "r2", online, path=path)).status == 202
