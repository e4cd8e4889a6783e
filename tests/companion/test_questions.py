"""What Codex asked in recorded sessions: a form for each, and the recorded answers among what we can say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.companion.conftest import RECORDINGS

from autopilot.companion.codex import drift, forms_inputs, questions
from autopilot.companion.codex.forms import Choice, Unfit
from autopilot.contract import ApprovalEffect, ApprovalKind, ApprovalRisk

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COMMAND = "item/commandExecution/requestApproval"
INPUT = "item/tool/requestUserInput"
ELICITATION = "mcpServer/elicitation/request"

Row = dict[str, Any]


def sessions() -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for line in (RECORDINGS / "questions.jsonl").read_text().splitlines():
        row = json.loads(line)
        found.setdefault(row["session"], []).append(row)
    return found


def asked(rows: list[Row]) -> list[Row]:
    return [row["msg"] for row in rows if row["dir"] == "s2c" and "id" in row["msg"] and "method" in row["msg"]]


def item_of(rows: list[Row], params: Row) -> Row | None:
    told = [row["msg"]["params"]["item"] for row in rows if row["msg"].get("method") == "item/started"]
    return next((one for one in told if one["id"] == params.get("itemId")), None)


def answers(rows: list[Row]) -> list[tuple[Row, Row]]:
    """Each question with each answer that Codex understood."""
    by_id = {(row["conn"], row["msg"]["id"]): row["msg"] for row in rows if row["msg"] in asked(rows)}
    given = [row for row in rows if row["dir"] == "c2s" and row["msg"].get("result")]
    return [(by_id[row["conn"], row["msg"]["id"]], row["msg"]["result"]) for row in given]


def possible(method: str, params: Row) -> list[Row]:
    """Everything that our options come to, filled in with what the recorded person filled in."""
    contents: list[Any] = [None, {"db": ["SQLite (Recommended)"]}, {"colour": "blue"}]
    contents.append({"text": "it is sunny in Oslo"})
    found = []
    for one in questions.form(method, params).options:
        for content in contents:
            try:
                found.append(questions.wire(method, params, Choice(one.option_id, content)))
            except Unfit:
                continue
    return found


@pytest.mark.parametrize("session", sessions())
def test_every_recorded_question_has_a_form_with_a_refusal(session: str) -> None:
    rows = sessions()[session]

    for message in asked(rows):
        method, params = message["method"], message["params"]
        form = questions.form(method, params, item_of(rows, params))
        ids = [one.option_id for one in form.options]

        assert form.kind != ApprovalKind.UNSUPPORTED
        assert form.title
        assert len(ids) == len(set(ids))
        assert questions.declining(method, params) in ids
        for option in form.options:
            assert option.label
            assert option.effect


@pytest.mark.parametrize("session", sessions())
def test_every_recorded_answer_is_one_that_an_option_makes(session: str) -> None:
    for message, result in answers(sessions()[session]):
        if result == {"decision": "maybe"}:
            continue  # an answer that Codex refused
        assert result in possible(message["method"], message["params"])


def test_a_file_change_shows_the_diffs_of_the_item_that_was_begun() -> None:
    rows = sessions()["s06b_patch_approved"]
    (message,) = asked(rows)

    form = questions.form(message["method"], message["params"], item_of(rows, message["params"]))
    unheard = questions.form(message["method"], message["params"])

    assert form.evidence.changes[0].diff == "@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    assert [one.kind for one in form.evidence.changes] == ["update", "delete"]
    assert form.title == "Change hello.py and 1 more file?"
    assert form.risk == ApprovalRisk.HIGH  # a file goes
    assert unheard.evidence.changes == ()
    assert "not known" in unheard.facts[-1].value


def test_a_big_diff_is_shown_as_it_is_kept_and_says_that_it_was_cut() -> None:
    ref = {"artifact_id": "a" * 32, "path": "/p", "bytes": 9, "sha256": "a" * 64, "media_type": "text/plain"}
    ref |= {"head_bytes": 1, "tail_bytes": 1}
    item = {"changes": [{"path": "/p/big", "kind": {"type": "add"}, "diff": "x…x", "artifact": ref}] * 20}

    changes = questions.form("item/fileChange/requestApproval", {}, item).evidence.changes

    assert len(changes) == 20
    assert all(one.truncated and one.diff == "x…x" and one.artifact.bytes == 9 for one in changes)


def command(**more: Any) -> Row:
    return {"kind": "command", "command": "/bin/bash -lc 'make'", "cwd": "/p", **more}


def option_ids(params: Row) -> list[str]:
    return [one.option_id for one in questions.form(COMMAND, params).options]


def test_a_command_offers_what_codex_lists_and_the_two_that_work_besides() -> None:
    amendment = {"acceptWithExecpolicyAmendment": {"execpolicy_amendment": ["make"]}}
    params = command(availableDecisions=["accept", amendment, "cancel"])

    assert option_ids(params) == [
        "accept",
        "acceptForSession",
        "acceptWithExecpolicyAmendment",
        "decline",
        "cancel",
    ]
    assert questions.wire(COMMAND, params, Choice("acceptWithExecpolicyAmendment")) == {"decision": amendment}


def test_what_must_be_decided_once_offers_nothing_lasting_of_our_own() -> None:
    for kind in ("humanCommand", "writeStdin"):
        assert option_ids(command(kind=kind, availableDecisions=["accept", "cancel"])) == [
            "accept",
            "decline",
            "cancel",
        ]


def test_a_host_is_asked_about_by_name_with_an_option_for_each_amendment() -> None:
    both = [{"host": "example.org", "action": action} for action in ("allow", "deny")]
    params = command(
        networkApprovalContext={"host": "example.org", "protocol": "https"}, proposedNetworkPolicyAmendments=both
    )

    form = questions.form(COMMAND, params)

    assert form.title == "Let the command reach example.org?"
    assert form.risk == ApprovalRisk.HIGH
    effects = {one.option_id: one.effect for one in form.options}
    assert effects["applyNetworkPolicyAmendment"] == ApprovalEffect.ACCEPT_LASTING
    assert effects["applyNetworkPolicyAmendment:2"] == ApprovalEffect.DECLINE
    assert questions.wire(COMMAND, params, Choice("applyNetworkPolicyAmendment:2")) == {
        "decision": {"applyNetworkPolicyAmendment": {"network_policy_amendment": both[1]}}
    }
    assert questions.declining(COMMAND, params) == "decline"


def test_a_decision_that_this_version_does_not_know_is_not_offered() -> None:
    assert option_ids(command(availableDecisions=["accept", {"acceptByTelepathy": {}}, 7, "cancel"])) == [
        "accept",
        "acceptForSession",
        "decline",
        "cancel",
    ]


@pytest.mark.parametrize(
    ("params", "risk"),
    [
        (command(commandActions=[{"type": "read", "command": "cat a"}]), ApprovalRisk.LOW),
        (command(commandActions=[{"type": "unknown", "command": "make"}]), ApprovalRisk.MEDIUM),
        (command(reason="outside the sandbox"), ApprovalRisk.HIGH),
        (command(command="/bin/bash -lc 'cd x && rm -r y'"), ApprovalRisk.HIGH),
        ({"kind": "command"}, ApprovalRisk.UNKNOWN),
    ],
)
def test_the_risk_is_as_much_as_the_question_shows(params: Row, risk: ApprovalRisk) -> None:
    assert questions.form(COMMAND, params).risk == risk


def test_a_command_with_an_open_quote_is_shown_as_it_is() -> None:
    assert questions.form(COMMAND, command(command="echo 'oops")).evidence.command == ("echo 'oops",)


def test_the_legacy_questions_carry_their_evidence_and_a_refusal_its_words() -> None:
    run = {"command": ["bash", "-lc", "make"], "cwd": "/p", "callId": "c"}
    patch = {"fileChanges": {"/p/a": {"type": "update", "unified_diff": "@@", "move_path": None}}, "callId": "c"}

    assert questions.form("execCommandApproval", run).title == "Run “make”?"
    assert questions.form("applyPatchApproval", patch).evidence.changes[0].diff == "@@"
    assert questions.wire("execCommandApproval", run, Choice("approved")) == {"decision": "approved"}
    assert questions.wire("applyPatchApproval", patch, Choice("denied", message="use b")) == {
        "decision": {"denied": {"rejection": "use b"}}
    }
    assert questions.declining("execCommandApproval", run) == "denied"


def test_answers_to_questions_are_taken_only_for_what_was_asked() -> None:
    one = {"id": "db", "question": "Which?", "isOther": False, "options": [{"label": "A", "description": "a"}]}
    params = {"questions": [one, {"id": "name", "question": "Name?", "isSecret": True, "options": None}]}

    form = questions.form(INPUT, params)
    taken = questions.wire(INPUT, params, Choice("answer", {"db": ["A"], "name": ["x"]}))
    refused = questions.wire(INPUT, params, Choice("decline", message="ask me later"))

    assert [one.secret for one in form.evidence.questions] == [False, True]
    assert taken == {"answers": {"db": {"answers": ["A"]}, "name": {"answers": ["x"]}}}
    assert refused["answers"]["name"] == {"answers": ["ask me later"]}
    for bad in (None, {}, {"db": ["B"], "name": ["x"]}, {"db": [], "name": ["x"]}, {"db": "A", "name": ["x"]}):
        with pytest.raises(Unfit):
            questions.wire(INPUT, params, Choice("answer", bad))


SCHEMA = {
    "type": "object",
    "properties": {
        "colour": {"type": "string", "enum": ["red", "blue"]},
        "mail": {"type": "string", "minLength": 3, "pattern": "(a+)+$"},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "sure": {"type": "boolean"},
        "tags": {"type": "array", "maxItems": 2},
    },
    "required": ["colour"],
}


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"colour": "green"},
        {"colour": "red", "mail": "x"},
        {"colour": "red", "count": 0},
        {"colour": "red", "count": 10},
        {"colour": "red", "count": True},
        {"colour": "red", "count": "3"},
        {"colour": "red", "sure": 1},
        {"colour": "red", "tags": ["a", "b", "c"]},
    ],
)
def test_a_form_of_a_tool_server_takes_only_what_it_asked_for(content: Row) -> None:
    params = {"serverName": "mini", "mode": "form", "message": "Which?", "requestedSchema": SCHEMA}

    with pytest.raises(Unfit):
        questions.wire(ELICITATION, params, Choice("accept", content))
    forms_inputs.fits(SCHEMA, {"colour": "red", "mail": "a@b", "count": 3, "sure": True, "tags": ["a"]})


def test_a_page_is_opened_without_content_and_a_tool_call_may_be_allowed_for_long() -> None:
    page = {"serverName": "mini", "mode": "url", "message": "Sign in", "url": "https://example.org/x"}
    (call,) = [
        message["params"]
        for message in asked(sessions()["s31_mcp_elicitation"])
        if message["params"]["_meta"] is not None
    ]

    assert questions.form(ELICITATION, page).url == "https://example.org/x"
    assert questions.wire(ELICITATION, page, Choice("accept"))["content"] is None
    assert [one.option_id for one in questions.form(ELICITATION, call).options] == [
        "accept",
        "accept_session",
        "accept_always",
        "decline",
        "cancel",
    ]
    assert questions.wire(ELICITATION, call, Choice("accept_always"))["_meta"] == {"persist": "always"}
    assert questions.form(ELICITATION, call).risk == ApprovalRisk.HIGH


def test_a_client_s_own_tool_may_be_played_by_a_person() -> None:
    params = {"tool": "weather", "arguments": {"city": "Oslo"}, "callId": "c"}

    assert questions.wire("item/tool/call", params, Choice("answer", {"text": "sun", "success": False})) == {
        "contentItems": [{"type": "inputText", "text": "sun"}],
        "success": False,
    }
    assert questions.wire("item/tool/call", params, Choice("decline"))["success"] is False


def test_an_unknown_question_is_shown_in_codex_s_words_and_can_t_be_answered() -> None:
    for method, params in (
        ("item/telepathy/request", {"a": 1}),
        (ELICITATION, {"serverName": "mini", "mode": "openai/userVerification"}),
    ):
        form = questions.form(method, params)

        assert (form.kind, form.options) == (ApprovalKind.UNSUPPORTED, [])
        assert questions.declining(method, params) is None
        with pytest.raises(Unfit):
            questions.wire(method, params, Choice("accept"))
    assert questions.unsupported("x").error == (-32601, "x is not known to this client")


def test_an_option_that_is_not_offered_is_refused() -> None:
    with pytest.raises(Unfit):
        questions.wire(COMMAND, command(), Choice("yes"))


def test_every_question_of_the_recorded_schemas_is_either_a_person_s_or_the_machine_s() -> None:
    for version in drift.recorded():
        for method in version.questions:
            assert questions.is_to_machine(method) != (method in questions.KINDS)


def test_the_machine_answers_what_it_is_asked_itself() -> None:
    assert questions.answer_of_machine("currentTime/read", NOW).result == {"currentTimeAt": 1795348800}
    refused = questions.answer_of_machine("attestation/generate", NOW)
    assert (refused.result, refused.error) == (None, (-32000, "attestation/generate is not offered by this client"))
