"""Approvals that a policy's rule decides (docs/protocol.md, "Policy")."""

from __future__ import annotations

import pytest

from autopilot.contract.port import Claims
from autopilot.testing.approvals import approval_of, asked, decide, ended, question
from autopilot.testing.machines import leased
from autopilot.testing.runtime import OWNER, call, frames

ADMIN = Claims(user_id=9, device_id="device-admin", scopes=frozenset({"administer", "admin"}), step_up=True)
TOUCH = "[[approvals.rule]]\nname = 'touch'\nkind = 'command'\ncommand = ['touch']\ndecision = 'accept'\n"
DECLINE = "[[approvals.rule]]\nname = 'no'\nkind = 'command'\ndecision = 'decline'\n"


@pytest.fixture
async def companion(runtime):
    return await leased(runtime)


async def put(runtime, text, *, subject="user", claims=OWNER, expected=0):
    body = {"subject": subject, "format": "toml", "text": text, "expected_version": expected}
    answer = await call(runtime, "POST", "/policies", body, claims=claims)
    assert answer.status == 200, answer.body


async def ask(companion, number=0, **said):
    approval = question("w", number, **said)
    answer = await companion.ask_approval("w", approval)
    assert answer.status == 202, answer.body
    return approval["approval_id"]


async def decisions(companion, cursor=None):
    return [entry for entry in await companion.feed(cursor) if entry["kind"] == "decision"]


async def decided_events(runtime):
    return [frame for frame in await frames(runtime, "w") if frame["eventType"] == "worker.approval.decided"]


async def test_a_rule_decides_at_once_and_says_that_it_did(runtime, companion):
    await put(runtime, TOUCH)
    approval_id = await ask(companion)

    [entry] = await decisions(companion)
    assert (entry["body"]["approval_id"], entry["body"]["option_id"]) == (approval_id, "accept")
    assert (entry["body"]["content"], entry["body"]["message"]) == (None, None)
    found = await approval_of(runtime, approval_id)
    assert found["state"] == "delivered"
    decision = found["decision"]
    assert (decision["rule_id"], decision["document"], decision["version"]) == ("approvals.rule[0]", "user", 1)
    assert (decision["actor"]["surface"], decision["actor"]["user_id"]) == ("runtime", None)
    [event] = await decided_events(runtime)
    assert (event["seq"], event["actor"]["surface"]) == (entry["seq"], "runtime")
    assert event["payload"]["decision"]["rule_id"] == "approvals.rule[0]"

    assert (await companion.end_approval("w", approval_id, "applied", "accepted")).status == 202
    assert (await approval_of(runtime, approval_id))["state"] == "applied"


@pytest.mark.parametrize(
    "said",
    [
        {"evidence": {"command_line": "touch x; rm x", "cwd": "/home/ada"}},
        {"evidence": {"command_line": "rm x", "cwd": "/home/ada"}},
        {"kind": "file_change"},
        {"kind": "something_new"},
        {"answerable": False, "options": []},
    ],
    ids=str,
)
async def test_what_no_rule_decides_waits_for_a_person(runtime, companion, said):
    await put(runtime, TOUCH)
    approval_id = await ask(companion, **said)

    assert (await approval_of(runtime, approval_id))["state"] == "pending"
    assert await decisions(companion) == []
    assert await decided_events(runtime) == []


async def test_a_question_for_more_than_the_command_waits_for_a_person(runtime, companion):
    await put(runtime, TOUCH)
    approval = question("w")
    await companion.ask_approval("w", approval, networkApprovalContext={"host": "example.org"})

    assert (await approval_of(runtime, approval["approval_id"]))["state"] == "pending"


async def test_what_one_document_declines_no_other_accepts(runtime, companion):
    await put(runtime, TOUCH)
    await put(runtime, DECLINE, subject="installation", claims=ADMIN)
    approval_id = await ask(companion)

    decision = (await approval_of(runtime, approval_id))["decision"]
    assert (decision["option_id"], decision["document"]) == ("decline", "installation")
    assert [entry["body"]["option_id"] for entry in await decisions(companion)] == ["decline"]


async def test_one_document_keeps_the_rules_of_all_from_answering(runtime, companion):
    await put(runtime, TOUCH)
    await put(runtime, "[approvals]\nanswer = { rule = [] }", subject="installation", claims=ADMIN)

    assert (await approval_of(runtime, await ask(companion)))["state"] == "pending"


async def test_the_same_question_again_is_decided_once_and_the_answer_comes_until_it_is_acknowledged(
    runtime, companion
):
    await put(runtime, TOUCH)
    approval_id = await ask(companion)
    first = await decisions(companion)
    await ask(companion)  # the same event
    again = asked(question("w"))
    assert (await companion.append("w", "worker.approval.requested", "another-event", **again)).status == 202

    assert len(await decided_events(runtime)) == 1
    assert [entry["body"] for entry in await decisions(companion)] == [entry["body"] for entry in first]
    assert first[0]["body"]["approval_id"] == approval_id


async def test_a_question_from_before_the_rule_stays_a_persons(runtime, companion):
    approval_id = await ask(companion)
    await put(runtime, TOUCH)
    again = asked(question("w"))
    await companion.append("w", "worker.approval.requested", "another-event", **again)

    assert (await approval_of(runtime, approval_id))["state"] == "pending"
    assert (await decide(runtime, approval_id, "decline")).status == 200


async def test_a_person_who_says_otherwise_learns_that_a_rule_was_first(runtime, companion):
    await put(runtime, TOUCH)
    approval_id = await ask(companion)

    assert (await decide(runtime, approval_id, "accept")).status == 200
    late = await decide(runtime, approval_id, "decline")
    assert (late.status, late.reason) == (409, "answered_differently")
    assert late.json["error"]["details"][0]["winner"]["actor"]["surface"] == "runtime"


async def test_several_questions_and_an_end_in_one_batch_are_each_decided_by_themselves(runtime, companion):
    await put(runtime, TOUCH)
    questions = [question("w", number) for number in range(3)]
    events = [
        {"event_type": "worker.approval.requested", "event_id": f"q{n}", "payload": asked(one)}
        for n, one in enumerate(questions)
    ]
    over = ended(questions[1]["approval_id"], reason="turn_ended")
    events.append({"event_type": "worker.approval.closed", "event_id": "end", "payload": over})
    body = {"events": events, "generation": companion.generations["w"]}
    assert (await companion.post("/workers/w/events", body)).status == 202

    handed = [entry["body"]["approval_id"] for entry in await decisions(companion)]
    assert handed == [questions[0]["approval_id"], questions[2]["approval_id"]]
    assert (await approval_of(runtime, questions[1]["approval_id"]))["state"] == "closed"
    assert [frame["seq"] for frame in await frames(runtime, "w")] == list(range(1, 1 + len(await frames(runtime, "w"))))


async def test_a_worker_that_is_being_stopped_is_not_told_to_go_on(runtime, companion):
    await put(runtime, TOUCH)
    assert (await call(runtime, "POST", "/workers/w/stop", {})).status == 202

    assert (await approval_of(runtime, await ask(companion)))["state"] == "pending"
