"""What fits a question, what is kept of an answer, and what is shown of it."""

from __future__ import annotations

import msgspec
import pytest

from autopilot.contract import ApprovalRequest, DecideApproval
from autopilot.contract.errors import Unprocessable
from autopilot.runtime import approvals_answer
from autopilot.testing.approvals import ANSWERING, approval_of, decide, question
from autopilot.testing.machines import leased
from autopilot.testing.runtime import call, frames

QUESTIONS = {
    "questions": [
        {
            "question_id": "db",
            "text": "Which database?",
            "options": [{"option_id": "1", "label": "SQLite"}, {"option_id": "2", "label": "Postgres"}],
        },
        {"question_id": "other", "text": "And else?", "options": [{"option_id": "1", "label": "No"}], "other": True},
        {"question_id": "key", "text": "The key?", "secret": True},
    ]
}
GOOD = {"db": ["Postgres"], "other": ["whatever"], "key": ["correct horse"]}
FORM = {
    "type": "object",
    "properties": {
        "colour": {"type": "string", "enum": ["red", "blue"]},
        "name": {"type": "string", "minLength": 2, "maxLength": 4},
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "share": {"type": "number"},
        "sure": {"type": "boolean"},
        "tags": {"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}, {"const": "b"}]}, "maxItems": 2},
        "when": {"type": "string", "oneOf": [{"const": "now"}, {"const": "later"}]},
        "odd": {"type": 7, "pattern": "(a+)+$", "minLength": "x"},
    },
    "required": ["colour"],
}


def faults(said, option_id="answer", **answer):
    """The fields that are refused."""
    asked = msgspec.convert(question("w", options=ANSWERING) | said, ApprovalRequest)
    try:
        approvals_answer.check(asked, DecideApproval(option_id=option_id, **answer))
    except Unprocessable as refused:
        return [detail["field"] for detail in refused.details]
    return []


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        (GOOD, []),
        ({**GOOD, "db": ["2"]}, []),
        ({**GOOD, "db": []}, []),
        ({**GOOD, "db": ["MySQL"]}, ["content.db"]),
        ({**GOOD, "db": "Postgres"}, ["content.db"]),
        ({**GOOD, "db": [1]}, ["content.db"]),
        ({**GOOD, "more": ["x"]}, ["content.more"]),
        ({"db": ["Postgres"]}, ["content.other", "content.key"]),
    ],
)
def test_answers_fit_their_questions(content, refused):
    assert faults({"kind": "user_input", "evidence": QUESTIONS}, content=content) == refused


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        ({"colour": "red"}, []),
        ({"colour": "green"}, ["content.colour"]),
        ({}, ["content.colour"]),
        ({"colour": "red", "name": "ab", "size": 9, "share": 0.5, "sure": True, "tags": ["a", "b"]}, []),
        ({"colour": "red", "name": "a"}, ["content.name"]),
        ({"colour": "red", "name": "abcde"}, ["content.name"]),
        ({"colour": "red", "name": 1}, ["content.name"]),
        ({"colour": "red", "size": 0}, ["content.size"]),
        ({"colour": "red", "size": 10}, ["content.size"]),
        ({"colour": "red", "size": 1.5}, ["content.size"]),
        ({"colour": "red", "size": True}, ["content.size"]),
        ({"colour": "red", "share": 3}, []),
        ({"colour": "red", "sure": "yes"}, ["content.sure"]),
        ({"colour": "red", "tags": ["c"]}, ["content.tags"]),
        ({"colour": "red", "tags": ["a", "b", "a"]}, ["content.tags"]),
        ({"colour": "red", "tags": "a"}, ["content.tags"]),
        ({"colour": "red", "when": "now"}, []),
        ({"colour": "red", "when": "never"}, ["content.when"]),
        ({"colour": "red", "odd": "a" * 40}, []),
        ({"colour": "red", "unknown": 1}, []),
        ({"colour": "green", "size": 0}, ["content.colour", "content.size"]),
    ],
)
def test_a_form_is_filled_in_as_it_asks(content, refused):
    assert faults({"kind": "mcp_form", "evidence": None, "form": FORM}, content=content) == refused


def test_a_form_may_forbid_what_it_does_not_know():
    form = {**FORM, "additionalProperties": False}
    assert faults({"form": form, "evidence": None}, content={"colour": "red", "x": 1}) == ["content.x"]


@pytest.mark.parametrize(
    "form", [{}, {"properties": 7}, {"properties": {"a": 1}, "required": 7}, {"required": [1, [], {}]}]
)
def test_a_form_that_is_none_refuses_nothing_that_it_does_not_name(form):
    assert faults({"form": form, "evidence": None}, content={"a": 1}) in ([], ["content.1"])


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        ({"success": True, "text": "done"}, []),
        ({"success": "yes", "text": "done"}, ["content.success"]),
        ({"text": "done"}, ["content.success"]),
        ({"success": True, "text": "done", "more": 1}, ["content.more"]),
    ],
)
def test_a_tool_of_ones_own_answers_whether_it_worked_and_what_it_says(content, refused):
    assert faults({"kind": "dynamic_tool", "evidence": None}, content=content) == refused


def test_what_comes_with_an_option_is_what_the_option_takes():
    said = {"kind": "user_input", "evidence": QUESTIONS}
    assert faults(said) == ["content"]
    assert faults(said, "decline", content=GOOD) == ["content"]
    assert faults(said, "decline", message="no") == ["message"]
    assert faults(said, "decline") == []
    assert faults(said, "accept") == ["option_id"]


async def test_an_answer_that_does_not_fit_is_422_and_another_may_follow(runtime):
    companion = await leased(runtime)
    asked = question("w", kind="user_input", options=ANSWERING, evidence=QUESTIONS)
    await companion.ask_approval("w", asked)
    refused = await decide(runtime, asked["approval_id"], "answer", content={"db": ["x"]})
    assert refused.status == 422
    assert [detail["field"] for detail in refused.json["error"]["details"]] == [
        "content.db",
        "content.other",
        "content.key",
    ]
    assert (await decide(runtime, asked["approval_id"], "nothing")).status == 422
    assert (await decide(runtime, asked["approval_id"], "")).status == 422
    assert (await decide(runtime, asked["approval_id"], 7)).status == 422
    assert (await decide(runtime, asked["approval_id"], "answer", content=GOOD)).status == 200


async def test_a_secret_answer_reaches_the_machine_and_nobody_else(runtime):
    companion = await leased(runtime)
    asked = question("w", kind="user_input", options=ANSWERING, evidence=QUESTIONS)
    await companion.ask_approval("w", asked)
    content = {"db": ["Postgres"], "other": ["Bearer abcdef123456"], "key": ["correct horse"]}

    answer = await decide(runtime, asked["approval_id"], "answer", content=content)

    shown = {"db": ["Postgres"], "other": ["Bearer [redacted]"], "key": ["[redacted]"]}
    assert answer.data["decision"]["content"] == shown
    assert (await approval_of(runtime, asked["approval_id"]))["decision"]["content"] == shown
    log = msgspec.json.encode(await frames(runtime, "w"))
    rows = await runtime.pool.fetch("select * from approval") + await runtime.pool.fetch(
        "select * from approval_answer"
    )
    for secret in ("correct horse", "abcdef123456"):
        assert secret.encode() not in log
        assert secret not in str([tuple(row) for row in rows])
    [entry] = [entry for entry in await companion.feed() if entry["kind"] == "decision"]
    assert entry["body"]["content"] == content
    await companion.end_approval("w", asked["approval_id"], "applied", "accepted")
    assert await runtime.pool.fetchval("select count(*) from approval_answer") == 0


async def test_credentials_in_what_codex_asks_are_redacted_in_the_row(runtime):
    companion = await leased(runtime)
    secret = "Bearer abcdef123456"
    evidence = {"command": ["curl", "-H", secret], "reason": "needs sk-abcdefghijklmnop1234"}
    asked = question("w", evidence=evidence)
    await companion.ask_approval("w", asked, api_key="hunter2", command=f"curl -H '{secret}'")
    found = await approval_of(runtime, asked["approval_id"])
    assert found["params"]["api_key"] == "[redacted]"
    text = msgspec.json.encode(found).decode() + str(tuple(await runtime.pool.fetchrow("select * from approval")))
    for word in ("abcdef123456", "sk-abcdefghijklmnop1234", "hunter2"):
        assert word not in text


async def test_what_was_said_reaches_the_machine_exactly(runtime):
    companion = await leased(runtime)
    asked = question("w", kind="mcp_form", form={}, options=[{**ANSWERING[0], "takes_message": True}])
    await companion.ask_approval("w", asked)
    content = b'{"z":1,"a":\n12345678901234567890123,"x":null}'
    body = b'{"option_id":"answer","content":%s,"message":"a \\"b\\"\\n\\u0000"}' % content
    path = f"/approvals/{asked['approval_id']}/decision"
    assert (await call(runtime, "POST", path, body)).status == 200
    [entry] = [entry for entry in await companion.feed() if entry["kind"] == "decision"]
    assert list(entry["body"]["content"].items()) == [("z", 1), ("a", 12345678901234567890123), ("x", None)]
    assert entry["body"]["message"] == 'a "b"\n\0'
