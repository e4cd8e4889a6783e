"""What policies say to a request: tables over the pure evaluation (docs/protocol.md, "Policy")."""

from __future__ import annotations

import random

import pytest

from autopilot.runtime import policy, policy_builtin, policy_question
from autopilot.runtime.policy_document import INSTALLATION, KINDS, TEAM, USER, Document, Documents, Subject
from autopilot.runtime.policy_question import Place
from autopilot.runtime.policy_reading import read

HERE = Place(cwd="/home/ann/work/app", model="gpt-5.6", home="/home/ann")


def documents(installation=None, user=None, team=None):
    return Documents(
        None if installation is None else Document(Subject(INSTALLATION), 3, read(installation, "toml")),
        None if user is None else Document(Subject(USER, "1"), 7, read(user, "toml")),
        None if team is None else Document(Subject(TEAM, "team_a"), 5, read(team, "toml")),
        None if team is None else "team_a",
    )


def verdict(method, params=None, installation=None, user=None, place=HERE, *, team=None):
    asked = policy_question.of_request(method, params or {}, place)
    return policy.evaluate(documents(installation, user, team), asked)


ESCAPES = [
    "thread/shellCommand",
    "process/spawn",
    "fs/readFile",
    "config/read",
    "config/batchWrite",
    "command/exec",
    "command/exec/write",
    "account/login/start",
    "account/logout",
    "mcpServer/tool/call",
    "skills/config/write",
    "plugin/install",
    "remoteControl/enable",
]


@pytest.mark.parametrize("method", ESCAPES)
def test_a_name_that_escapes_is_closed_until_the_installation_names_it(method):
    closed = verdict(method)
    assert (closed.allowed, closed.reason_code) == (False, "policy_denied.method")
    assert (closed.document, closed.rule_id, closed.version) == ("builtin", "methods.closed", None)

    assert not verdict(method, installation='[methods]\nallow = ["*"]').allowed
    assert not verdict(method, installation=f'[methods]\nallow = ["{method[:-2]}*"]').allowed
    assert not verdict(method, user=f'[methods]\nallow = ["{method}"]').allowed
    assert verdict(method, installation=f'[methods]\nallow = ["*", "{method}"]').allowed


@pytest.mark.parametrize("method", ["turn/start", "thread/read", "account/read", "configRequirements/read", "fsx/y"])
def test_what_only_looks_like_it_is_open(method):
    assert verdict(method).allowed


def test_what_the_installation_opens_a_user_may_close_again():
    opened = '[methods]\nallow = ["*", "fs/readFile"]'

    assert not verdict("fs/readFile", installation=opened, user='[methods]\nallow = ["*"]').allowed
    assert not verdict("fs/readFile", installation=opened, user='[methods]\ndeny = ["fs/*"]').allowed
    assert verdict("fs/readFile", installation=opened, user="").allowed


DANGER = '[sandbox]\nallow = ["workspace-write", "danger-full-access"]\n'
NEVER = '[approval_policy]\nallow = ["on-request", "never"]\n'
EXEC = '[methods]\nallow = ["*", "command/exec"]\n'
ONLINE = '[network]\nallow = ["restricted", "enabled"]\n'
OFFLINE = '[network]\ndeny = ["enabled"]\n'
FOLDERS = '[folders]\nallow = ["~/work/**"]'


@pytest.mark.parametrize(
    ("method", "params", "installation", "user", "word"),
    [
        # methods
        ("turn/start", {}, None, None, None),
        ("turn/start", {}, '[methods]\nallow = ["thread/*"]', None, "method"),
        ("turn/start", {}, '[methods]\ndeny = ["turn/*"]', '[methods]\nallow = ["turn/start"]', "method"),
        ("turn/start", {}, None, '[methods]\ndeny = ["turn/start"]', "method"),
        ("turn/interrupt", {}, "[methods]\nallow = []", '[methods]\ndeny = ["*"]', None),
        ("worker/stop", {}, '[methods]\ndeny = ["*"]', None, None),
        # folders
        ("thread/start", {"cwd": "/anywhere"}, None, None, None),
        ("thread/start", {"cwd": "~/work/app"}, FOLDERS, None, None),
        ("thread/start", {"cwd": "/home/ann/work"}, FOLDERS, None, None),
        ("thread/start", {"cwd": "/home/ann/other"}, FOLDERS, None, "folder"),
        ("thread/start", {"cwd": "/home/ann/work/../other"}, FOLDERS, None, "folder"),
        ("thread/start", {"cwd": "work"}, FOLDERS, None, "folder"),
        ("thread/start", {"cwd": 7}, FOLDERS, None, "folder"),
        ("thread/start", {}, FOLDERS, None, "folder"),
        ("thread/start", {"cwd": "~/work", "runtimeWorkspaceRoots": ["/etc"]}, FOLDERS, None, "folder"),
        ("turn/start", {}, FOLDERS, None, None),
        ("turn/start", {"cwd": "/etc"}, None, FOLDERS, "folder"),
        (
            "turn/start",
            {"cwd": "~/work", "sandboxPolicy": {"type": "workspaceWrite", "writableRoots": ["/"]}},
            FOLDERS,
            None,
            "folder",
        ),
        ("turn/start", {"environments": [{"cwd": "/etc", "environmentId": "local"}]}, FOLDERS, None, "folder"),
        ("turn/start", {}, '[folders]\ndeny = ["~/work/app/secret/**"]', None, "folder"),
        ("turn/start", {"cwd": "/srv"}, '[folders]\ndeny = ["~/work/**"]', None, None),
        ("turn/start", {"cwd": "/srv/x/.."}, '[folders]\ndeny = ["~/work/**"]', None, "folder"),
        ("thread/list", {"cwd": "/etc"}, FOLDERS, None, None),
        ("thread/read", {}, FOLDERS, None, None),
        # models
        ("turn/start", {"model": "gpt-5"}, '[models]\nallow = ["gpt-*"]', None, None),
        ("turn/start", {"model": "o9"}, '[models]\nallow = ["gpt-*"]', None, "model"),
        ("turn/start", {}, '[models]\nallow = ["gpt-*"]', None, None),
        ("turn/start", {}, '[models]\nallow = ["mini"]', None, "model"),
        ("thread/start", {}, '[models]\nallow = ["gpt-*"]', None, "model"),
        (
            "turn/start",
            {"model": "gpt-5", "collaborationMode": {"mode": "plan", "settings": {"model": "o9"}}},
            '[models]\nallow = ["gpt-*"]',
            None,
            "model",
        ),
        # sandbox
        ("thread/start", {"sandbox": "workspace-write"}, None, None, None),
        ("thread/start", {"sandbox": "danger-full-access"}, None, None, "sandbox"),
        ("thread/start", {"sandbox": "Danger-Full-Access"}, None, None, "sandbox"),
        ("thread/start", {"permissions": ":danger-full-access"}, None, None, "sandbox"),
        ("thread/start", {"permissions": ":workspace"}, None, None, None),
        ("thread/start", {"permissions": "mine"}, None, None, "sandbox"),
        (
            "thread/start",
            {"permissions": "mine", "approvalPolicy": "untrusted"},
            '[sandbox]\nallow = ["profile:mine"]',
            None,
            None,
        ),
        ("thread/start", {"permissions": {"id": "x"}}, None, None, "sandbox"),
        ("turn/start", {"sandboxPolicy": {"type": "dangerFullAccess"}}, None, None, "sandbox"),
        ("turn/start", {"sandboxPolicy": {"type": "externalSandbox"}}, None, None, "sandbox"),
        ("turn/start", {"sandboxPolicy": "dangerFullAccess"}, None, None, "sandbox"),
        ("turn/start", {"sandboxPolicy": {"type": "somethingNew"}}, None, None, "sandbox"),
        ("thread/start", {"sandbox": "danger-full-access", "approvalPolicy": "untrusted"}, DANGER, None, None),
        ("thread/start", {"sandbox": "danger-full-access", "approvalPolicy": "untrusted"}, None, DANGER, "sandbox"),
        ("thread/start", {"sandbox": "workspace-write"}, None, '[sandbox]\nallow = ["read-only"]', "sandbox"),
        ("thread/start", {}, None, '[sandbox]\nallow = ["read-only"]', "sandbox"),
        ("turn/start", {}, None, '[sandbox]\nallow = ["read-only"]', None),
        ("command/exec", {"permissionProfile": "mine"}, EXEC, None, "sandbox"),
        ("command/exec", {"permissionProfile": ":workspace"}, EXEC, None, None),
        # network
        ("turn/start", {"sandboxPolicy": {"type": "workspaceWrite"}}, None, None, None),
        ("turn/start", {"sandboxPolicy": {"type": "workspaceWrite", "networkAccess": False}}, None, None, None),
        ("turn/start", {"sandboxPolicy": {"type": "workspaceWrite", "networkAccess": True}}, None, None, "network"),
        ("turn/start", {"sandboxPolicy": {"type": "readOnly", "networkAccess": True}}, None, None, "network"),
        ("turn/start", {"sandboxPolicy": {"type": "readOnly", "networkAccess": "always"}}, None, None, "network"),
        ("turn/start", {"sandboxPolicy": {"type": "readOnly", "networkAccess": 1.0}}, None, None, "network"),
        ("turn/start", {"sandboxPolicy": {"type": "readOnly", "networkAccess": {"on": 1}}}, None, None, "network"),
        ("turn/start", {"sandboxPolicy": {"type": "readOnly", "networkAccess": True}}, ONLINE, None, None),
        ("turn/start", {"sandboxPolicy": {"type": "readOnly", "networkAccess": True}}, None, ONLINE, "network"),
        ("turn/start", {"sandboxPolicy": {"type": "readOnly", "networkAccess": True}}, ONLINE, OFFLINE, "network"),
        ("turn/start", {"sandboxPolicy": {"type": "readOnly", "networkAccess": False}}, None, OFFLINE, None),
        ("turn/start", {"sandboxPolicy": {"type": "readOnly"}}, '[network]\nallow = ["restricted"]', None, None),
        (
            "turn/start",
            {"sandboxPolicy": {"type": "externalSandbox", "networkAccess": "enabled"}, "approvalPolicy": "untrusted"},
            '[sandbox]\nallow = ["external-sandbox"]',
            None,
            "network",
        ),
        (
            "turn/start",
            {
                "sandboxPolicy": {"type": "externalSandbox", "networkAccess": "restricted"},
                "approvalPolicy": "untrusted",
            },
            '[sandbox]\nallow = ["external-sandbox"]',
            None,
            None,
        ),
        (
            "thread/settings/update",
            {"sandboxPolicy": {"type": "readOnly", "networkAccess": True}},
            None,
            None,
            "network",
        ),
        ("command/exec", {"sandboxPolicy": {"type": "readOnly", "networkAccess": True}}, EXEC, None, "network"),
        ("turn/start", {"permissions": ":workspace"}, OFFLINE, None, None),
        ("thread/start", {"sandbox": "danger-full-access", "approvalPolicy": "untrusted"}, DANGER, OFFLINE, "network"),
        (
            "thread/start",
            {"permissions": "mine", "approvalPolicy": "untrusted"},
            '[sandbox]\nallow = ["profile:mine"]',
            OFFLINE,
            "network",
        ),
        # approval policies
        ("thread/start", {"approvalPolicy": "never", "sandbox": "read-only"}, None, None, None),
        ("thread/start", {"approvalPolicy": "never"}, None, None, "approval_policy"),
        (
            "thread/start",
            {"approvalPolicy": "never", "sandbox": "danger-full-access"},
            DANGER,
            None,
            "approval_policy",
        ),
        ("thread/start", {"sandbox": "danger-full-access"}, DANGER, None, "approval_policy"),
        ("thread/start", {"approvalPolicy": "never", "sandbox": "danger-full-access"}, DANGER + NEVER, None, None),
        (
            "thread/start",
            {"approvalPolicy": "never", "sandbox": "danger-full-access"},
            DANGER,
            NEVER,
            "approval_policy",
        ),
        ("turn/start", {"approvalPolicy": {"granular": {}}}, '[approval_policy]\nallow = ["granular"]', None, None),
        ("turn/start", {"approvalPolicy": {"other": {}}}, None, None, "approval_policy"),
        ("turn/start", {"approvalPolicy": "whatever"}, None, None, "approval_policy"),
        (
            "turn/start",
            {"approvalsReviewer": "guardian_subagent"},
            '[approval_policy]\nallow = ["on-request"]',
            None,
            "approval_policy",
        ),
        # settings that come along
        ("thread/start", {"config": {"sandbox_mode": "danger-full-access"}}, None, None, "config"),
        ("thread/start", {"config": {}}, None, None, None),
        (
            "thread/start",
            {"config": {"model": "x"}},
            '[methods]\nallow = ["*", "config/value/write"]',
            None,
            None,
        ),
    ],
)
def test_a_request_is_judged_by_what_it_names_and_where_it_goes(method, params, installation, user, word):
    found = verdict(method, params, installation, user)

    assert (found.allowed, found.word or None) == (word is None, word), found.message


@pytest.mark.parametrize("lane", [lane for lane in policy_builtin.LANES if lane != "desktop"])
def test_a_lane_but_the_desktop_is_off_until_the_installation_names_it(lane):
    there = Place(lane=lane)

    assert verdict("turn/start", place=there).reason_code == "policy_denied.lane"
    assert not verdict("turn/start", user=f'[lanes]\nallow = ["{lane}"]', place=there).allowed
    assert verdict("turn/start", installation=f'[lanes]\nallow = ["desktop", "{lane}"]', place=there).allowed
    assert not verdict(
        "turn/start",
        installation=f'[lanes]\nallow = ["{lane}"]',
        user='[lanes]\nallow = ["desktop"]',
        place=there,
    ).allowed
    assert verdict("turn/interrupt", place=there).allowed


def test_where_the_home_folder_is_unknown_a_denied_folder_below_it_may_be_anywhere():
    nowhere = Place(cwd="/home/ann/work")

    assert not verdict("turn/start", installation='[folders]\ndeny = ["~/secret/**"]', place=nowhere).allowed
    assert not verdict("turn/start", installation=FOLDERS, place=nowhere).allowed
    assert verdict("turn/start", {"cwd": "~/work/a"}, FOLDERS, place=nowhere).allowed


@pytest.mark.parametrize("home", ["/home/ann", None])
@pytest.mark.parametrize("cwd", ["/home/ann/secret", "~/secret"])
def test_a_folder_denied_from_above_the_home_folder_stays_denied_where_that_is_known(cwd, home):
    place = Place(cwd=cwd, home=home)

    assert not verdict("turn/start", installation='[folders]\ndeny = ["/home/**"]', place=place).allowed


def test_a_denial_by_a_team_s_document_names_the_team():
    found = verdict("turn/start", {"model": "o9"}, user="", team='[models]\nallow = ["gpt-*"]')

    expected = {"document": "team", "team_id": "team_a", "version": 5, "rule_id": "models.allow"}
    assert found.facts().items() >= expected.items()
    assert "team policy, version 5" in found.message


def test_a_denial_names_its_rule_its_document_and_its_version():
    found = verdict("turn/start", {"model": "o9"}, user='[models]\nallow = ["gpt-*"]')

    assert found.facts() == {
        "reason_code": "policy_denied.model",
        "rule_id": "models.allow",
        "document": "user",
        "version": 7,
        "field": "request.params.model",
    }
    assert "o9" in found.message


@pytest.mark.parametrize(
    ("who", "kind", "allowed"),
    [
        ("owner", "command", True),
        ("operator", "command", True),
        ("operator", "permissions", False),
        ("viewer", "command", True),
        ("rule", "command", False),
    ],
)
def test_who_may_answer_is_said_by_kind(who, kind, allowed):
    text = '[approvals]\nanswer = { owner = "*", operator = ["command"], rule = [] }'

    for bound in (documents(installation=text), documents(user=text)):
        found = policy.may_answer(bound, who, kind)
        assert found.allowed is allowed
        if not allowed:
            assert (found.reason_code, found.rule_id) == ("policy_denied.approval", f"approvals.answer.{who}")


VALUES = {
    "methods": ["*", "turn/*", "turn/start", "thread/start", "fs/readFile", "thread/*"],
    "folders": ["*", "/srv/**", "~/work/**", "~/work/app"],
    "models": ["*", "gpt-*", "gpt-5.6", "o9"],
    "sandbox": list(policy_builtin.SANDBOX_MODES),
    "approval_policy": list(policy_builtin.APPROVAL_POLICIES),
    "lanes": list(policy_builtin.LANES),
}
PARAMS = {
    "cwd": ["/srv/a", "~/work/app", "/etc", "../x"],
    "model": ["gpt-5.6", "o9"],
    "sandbox": list(policy_builtin.SANDBOX_MODES),
    "approvalPolicy": ["untrusted", "on-request", "never"],
    "config": [{}, {"a": 1}],
}


def some_document(dice):
    lines = []
    for section, values in VALUES.items():
        if dice.random() < 0.5:
            lines.append(f"[{section}]")
            for key in ("allow", "deny"):
                if dice.random() < 0.6:
                    chosen = dice.sample(values, dice.randint(0, len(values)))
                    lines.append(f"{key} = {chosen!r}")
    if dice.random() < 0.5:
        who = dice.choice(["owner", "operator", "viewer", "rule"])
        lines += ["[approvals.answer]", f"{who} = {dice.sample(KINDS, dice.randint(0, 4))!r}"]
    return "\n".join(lines)


@pytest.mark.seeds(5, 200)
def test_no_document_of_a_user_or_team_lifts_what_is_denied_without_it_and_neither_comes_first(seed):
    dice = random.Random(seed)
    for _ in range(200):
        installation = some_document(dice) if dice.random() < 0.8 else None
        user, team = some_document(dice), some_document(dice)
        method = dice.choice(["turn/start", "thread/start", "fs/readFile", "thread/list", "turn/interrupt"])
        params = {name: dice.choice(values) for name, values in PARAMS.items() if dice.random() < 0.4}
        place = Place(dice.choice(policy_builtin.LANES), dice.choice(["/srv/a", None]), None, "/home/ann")

        alone = verdict(method, params, installation, None, place)
        both = verdict(method, params, installation, user, place)

        assert alone.allowed or not both.allowed
        all_three = verdict(method, params, installation, user, place, team=team)
        with_team = verdict(method, params, installation, None, place, team=team)
        assert all_three.allowed == (both.allowed and with_team.allowed)
        assert all_three.allowed == verdict(method, params, installation, team, place, team=user).allowed
        assert alone.allowed or not with_team.allowed
        who, kind = dice.choice(["owner", "operator", "viewer", "rule"]), dice.choice(KINDS)
        bound = [documents(installation), documents(installation, user), documents(installation, None, team)]
        may = [policy.may_answer(one, who, kind).allowed for one in (*bound, documents(installation, user, team))]
        assert may[0] or not (may[1] or may[2])
        assert may[3] == (may[1] and may[2])
