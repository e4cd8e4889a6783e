"""Which rule decides an approval: tables over the pure evaluation (docs/protocol.md, "Policy")."""

from __future__ import annotations

import msgspec
import pytest

from autopilot.contract import ApprovalRequest
from autopilot.runtime import policy_rules
from autopilot.runtime.policy_document import INSTALLATION, KINDS, USER, Document, Documents, Subject
from autopilot.runtime.policy_reading import read
from autopilot.testing.approvals import question

GIT = "[[approvals.rule]]\nname = 'git'\nkind = 'command'\ncommand = ['git', 'status']\ndecision = 'accept'\n"
NO_COMMANDS = "[[approvals.rule]]\nname = 'none'\nkind = 'command'\ndecision = 'decline'\n"
FILES = (
    "[[approvals.rule]]\nname = 'files'\nkind = 'file_change'\nfolders = ['/srv/work/**', '~/work/**']\n"
    "decision = 'accept'\n"
)


def documents(installation=None, user=None):
    return Documents(
        None if installation is None else Document(Subject(INSTALLATION), 3, read(installation, "toml")),
        None if user is None else Document(Subject(USER, "1"), 7, read(user, "toml")),
    )


def decided(asked, installation=None, user=None, params=None, home=None):
    said = msgspec.convert(asked, ApprovalRequest)
    return policy_rules.decide(documents(installation, user), said, params, home)


def command(line, words=None, cwd="/srv/work", **more):
    return question("w", evidence={"command": words or [], "command_line": line, "cwd": cwd}, **more)


def change(*paths, kind="file_change", **more):
    changes = [{"path": path, "kind": "update", **more} for path in paths]
    return question("w", kind=kind, evidence={"changes": changes})


@pytest.mark.parametrize(
    "line",
    [
        "git status",
        "git status --short",
        "/bin/bash -lc 'git status'",
        "bash -c 'git status src/x.py'",
        "'git' \"status\"",
        "/usr/bin/zsh -lc \"git status -s -- 'a b'\"",
    ],
)
def test_a_command_that_begins_with_the_words_of_a_rule_is_decided(line):
    found = decided(command(line), user=GIT)

    assert found is not None
    assert (found.rule_id, found.document, found.version) == ("approvals.rule[0]", "user", 7)
    assert (found.decision, found.option_id) == ("accept", "accept")


@pytest.mark.parametrize(
    "line",
    [
        "git",
        "git stash",
        "git statusx",
        "git -c core.pager=x status",
        "X=1 git status",
        "echo git status",
        "git status; rm x",
        "git status && rm x",
        "git status || rm x",
        "git status | sh",
        "git status & rm x",
        "git status > x",
        "git status < x",
        "git status $(rm x)",
        "git status `rm x`",
        "git status $HOME",
        "git status ${x}",
        "git status <(rm x)",
        "git status \\; rm",
        "git status *",
        "git status ~",
        "git status\nrm x",
        "git status\rrm x",
        "git status [redacted]",
        "git status 'a",
        "/bin/bash -lc 'git status; rm x'",
        "/bin/bash -lc 'git status\nrm x'",
        '/bin/bash -lc "git status $(rm x)"',
        "/tmp/bash -lc 'git status'",
        "bash -c 'git status' x",
        "bash -x -c 'git status'",
        "",
    ],
)
@pytest.mark.parametrize("decision", ["accept", "decline"])
def test_any_other_command_is_left_to_a_person(line, decision):
    assert decided(command(line), user=GIT.replace("'accept'", f"'{decision}'")) is None


def test_words_and_line_that_say_different_things_decide_nothing():
    assert decided(command("git status", ["git", "status"]), user=GIT) is not None
    assert decided(command("git status", ["rm", "x"]), user=GIT) is None
    assert decided(command("git status"), user=GIT, params={"command": "rm x"}) is None
    assert decided(command("git status"), user=GIT, params={"command": "git status"}) is not None


def test_a_rule_for_a_shell_does_not_stand_for_what_the_shell_runs():
    shell = GIT.replace("['git', 'status']", "['/bin/bash', '-lc']")

    assert decided(command("/bin/bash -lc 'rm x'"), user=shell) is None


@pytest.mark.parametrize(
    "params",
    [
        {"networkApprovalContext": {"host": "example.org"}},
        {"additionalPermissions": {"network": True}},
        {"kind": "writeStdin"},
        {"kind": "humanCommand"},
        {"environmentId": "elsewhere"},
        {"grantRoot": "/"},
        {"truncated": True},
        {"somethingNew": 1},
    ],
    ids=str,
)
def test_a_question_that_asks_for_more_is_not_accepted_by_a_rule_but_may_be_declined(params):
    asked = command("git status")

    assert decided(asked, user=GIT, params={**params, "threadId": "t"}) is None
    declined = decided(asked, user=NO_COMMANDS, params=params)
    assert declined is not None
    assert declined.option_id == "decline"


def test_what_codex_says_of_a_plain_command_stands_in_no_rules_way():
    params = {"kind": "command", "environmentId": "local", "threadId": "t", "cwd": "/", "additionalPermissions": None}

    assert decided(command("git status"), user=GIT, params=params) is not None


@pytest.mark.parametrize(
    ("cwd", "home", "is_decided"),
    [
        ("/srv/work", None, True),
        ("/srv/work/app", None, True),
        ("/srv/workshop", None, False),
        ("/srv/work/../x", None, False),
        ("app", None, False),
        (None, None, False),
        ("/home/ada/work/app", None, False),
        ("/home/ada/work/app", "/home/ada", True),
    ],
)
def test_a_command_is_decided_in_the_folders_of_its_rule_alone(cwd, home, is_decided):
    text = GIT + "folders = ['/srv/work/**', '~/work/**']\n"

    assert (decided(command("git status", cwd=cwd), user=text, home=home) is not None) == is_decided


@pytest.mark.parametrize(
    ("asked", "is_decided"),
    [
        (change("/srv/work/x.py"), True),
        (change("/srv/work/x.py", "/srv/work/a/y.py"), True),
        (change("/srv/work/x.py", "/etc/passwd"), False),
        (change("/srv/work/x.py", move_path="/etc/passwd"), False),
        (change("/srv/work/../x.py"), False),
        (change("x.py"), False),
        (change(), False),
        (change(*(f"/srv/work/{n}" for n in range(500))), False),
        (change("/srv/work/x.py", kind="legacy_patch"), False),
    ],
)
def test_a_change_is_decided_where_every_file_is_in_a_folder_of_the_rule(asked, is_decided):
    assert (decided(asked, user=FILES) is not None) == is_decided


def test_a_kind_that_nobody_knows_is_decided_by_no_rule():
    text = "".join(f"[[approvals.rule]]\nname = '{kind}'\nkind = '{kind}'\ndecision = 'decline'\n" for kind in KINDS)

    assert decided(question("w", kind="unsupported"), user=text) is None
    assert decided(question("w", kind="something_new"), user=text) is None
    assert decided(question("w", kind="permissions"), user=text) is not None
    assert decided(question("w", answerable=False), user=text) is None


def test_only_an_option_that_amounts_to_the_decision_is_chosen():
    lasting = [{"option_id": "always", "label": "Always", "effect": "accept_lasting"}]
    filled = [{"option_id": "accept", "label": "Yes", "effect": "accept", "takes_content": True}]

    assert decided(command("git status", options=lasting), user=GIT) is None
    assert decided(command("git status", options=filled), user=GIT) is None


@pytest.mark.parametrize(
    ("installation", "user", "expected"),
    [
        (GIT, None, ("installation", "accept")),
        (GIT, GIT, ("installation", "accept")),
        (GIT, NO_COMMANDS, ("user", "decline")),
        (NO_COMMANDS, GIT, ("installation", "decline")),
        (None, GIT + NO_COMMANDS, ("user", "accept")),
        (None, NO_COMMANDS + GIT, ("user", "decline")),
        (GIT, "[approvals]\nanswer = { rule = [] }", None),
        ("[approvals]\nanswer = { rule = ['file_change'] }", GIT, None),
        ("[approvals]\nanswer = { rule = ['command'] }", GIT, ("user", "accept")),
        ("", "", None),
    ],
)
def test_the_first_rule_of_each_document_counts_a_no_before_a_yes_and_all_must_let_rules_answer(
    installation, user, expected
):
    found = decided(command("git status"), installation, user)

    assert (None if found is None else (found.document, found.decision)) == expected
