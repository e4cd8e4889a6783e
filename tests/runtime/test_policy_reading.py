"""Reading policy documents: what they may say, and what is told of what they may not (docs/guide/policy.md)."""

from __future__ import annotations

import json

import msgspec
import pytest

from autopilot.contract.errors import Unprocessable
from autopilot.runtime import policy_folders
from autopilot.runtime.policy_document import INSTALLATION, TEAM, USER, Budget, Contents, Patterns, Rule
from autopilot.runtime.policy_reading import MAX_TEXT_BYTES, read

WHOLE = """\
[methods]
allow = ["*", "fs/readFile"]
deny = ["thread/fork"]

[folders]
allow = ["~/work/**"]

[models]
allow = ["gpt-*"]

[sandbox]
allow = ["read-only", "workspace-write"]

[approval_policy]
allow = ["untrusted", "on-request"]

[approvals]
answer = { owner = "*", operator = ["command"], rule = [] }

[[approvals.rule]]
name = "git status"
kind = "command"
command = ["git", "status"]
decision = "accept"

[lanes]
allow = ["desktop"]

[[budget]]
name = "daily"
per = "user"
period = "day"
tokens = 2000000
warn_at = 0.8
on_exhausted = "interrupt"
"""


def refusals(text, text_format="toml"):
    with pytest.raises(Unprocessable) as refused:
        read(text, text_format)
    assert refused.value.reason_code == "policy_invalid"
    return [(detail["path"], detail["line"], detail["message"]) for detail in refused.value.details]


def test_a_whole_document_is_read_into_values():
    contents = read(WHOLE, "toml")

    assert contents.methods == Patterns(("*", "fs/readFile"), ("thread/fork",))
    assert contents.answer == {"owner": None, "operator": ("command",), "rule": ()}
    assert contents.rules == (Rule("git status", "command", "accept", ("git", "status")),)
    assert contents.budgets == (Budget("daily", "user", "day", 2_000_000, 0.8, "interrupt"),)


def test_toml_and_json_that_say_the_same_are_the_same():
    said = {"sandbox": {"deny": ["read-only"]}, "budget": [{"name": "b", "per": "user", "period": "day", "tokens": 1}]}

    toml = read(
        '[sandbox]\ndeny = ["read-only"]\n[[budget]]\nname = "b"\nper = "user"\nperiod = "day"\ntokens = 1\n', "toml"
    )
    assert read(json.dumps(said), "json") == toml


def test_what_was_read_comes_back_from_what_is_stored_of_it():
    contents = read(WHOLE, "toml")

    assert msgspec.json.decode(msgspec.json.encode(contents), type=Contents) == contents


@pytest.mark.parametrize("text_format", ["toml", "json"])
def test_an_empty_document_says_nothing(text_format):
    assert read("" if text_format == "toml" else "{}", text_format) == Contents()


def test_every_fault_is_told_at_once_with_its_path_its_line_and_what_is_allowed():
    text = '[sandbox]\nallow = ["read-only",\n  "full"]\n\n[model]\n\n[[budget]]\nname = "a"\nper = "team"\n'
    with pytest.raises(Unprocessable) as refused:
        read(text, "toml", USER)

    found = {detail["path"]: detail for detail in refused.value.details}
    assert set(found) == {"model", "sandbox.allow[1]", "budget[0].tokens", "budget[0].per", "budget[0].period"}
    assert {path: detail["line"] for path, detail in found.items()} == {
        "model": 5,
        "sandbox.allow[1]": 2,
        "budget[0].tokens": 7,
        "budget[0].per": 9,
        "budget[0].period": 7,
    }
    assert found["sandbox.allow[1]"]["allowed"] == [
        "read-only",
        "workspace-write",
        "danger-full-access",
        "external-sandbox",
    ]
    assert found["budget[0].per"]["allowed"] == ["user", "worker", "machine", "model"]
    assert "and 4 more" in refused.value.message


@pytest.mark.parametrize("subject", [INSTALLATION, TEAM])
def test_a_budget_for_each_team_is_for_documents_that_bind_more_than_one_user(subject):
    text = '[[budget]]\nname = "a"\nper = "team"\nperiod = "day"\ntokens = 5\n'

    assert read(text, "toml", subject).budgets[0].per == "team"


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("methods = 1", "methods", "must be a table"),
        ('[methods]\nallow = "turn/*"', "methods.allow", "must be a list of texts"),
        ('[methods]\nallow = ["turn/*/x"]', "methods.allow[0]", "its beginning and a * at the end"),
        ('[methods]\ndeny = ["turn/interrupt"]', "methods.deny[0]", "can't be denied"),
        ('[folders]\nallow = ["work"]', "folders.allow[0]", "must be absolute"),
        ('[folders]\nallow = ["/a/../b"]', "folders.allow[0]", "must not have .."),
        ('[folders]\nallow = ["/a/**/b"]', "folders.allow[0]", "only as its last part"),
        ('[models]\nallow = ["*-codex"]', "models.allow[0]", "a * at the end"),
        ('[lanes]\nallow = ["moon"]', "lanes.allow[0]", "must be one of desktop"),
        ('[approvals]\nanswer = { guest = "*" }', "approvals.answer.guest", "is not known here"),
        ('[approvals]\nanswer = { owner = "all" }', "approvals.answer.owner", 'must be "*" or a list'),
        ('[approvals]\nanswer = { owner = ["thing"] }', "approvals.answer.owner[0]", "must be one of command"),
        ("[approvals]\nrule = 3", "approvals.rule", "must be a list of tables"),
        (
            '[[approvals.rule]]\nname = "a"\nkind = "command"\ndecision = "accept"',
            "approvals.rule[0].command",
            "is missing",
        ),
        (
            '[[approvals.rule]]\nname = "a"\nkind = "file_change"\ndecision = "accept"',
            "approvals.rule[0].folders",
            "is missing",
        ),
        (
            '[[approvals.rule]]\nname = "a"\nkind = "permissions"\ndecision = "accept"',
            "approvals.rule[0].decision",
            "a person must say yes",
        ),
        (
            '[[approvals.rule]]\nname = "a"\nkind = "unsupported"\ndecision = "decline"',
            "approvals.rule[0].kind",
            "must be one of",
        ),
        (
            '[[approvals.rule]]\nname = "a"\nkind = "mcp_url"\ncommand = ["x"]\ndecision = "decline"',
            "approvals.rule[0].command",
            "the kinds of commands only",
        ),
        (
            '[[approvals.rule]]\nname = "a"\nkind = "command"\ncommand = []\ndecision = "decline"',
            "approvals.rule[0]",
            "an empty list",
        ),
        (
            '[[budget]]\nname = "a"\nper = "user"\nperiod = "day"\ntokens = 0',
            "budget[0].tokens",
            "must be a whole number from 1",
        ),
        (
            '[[budget]]\nname = "a"\nper = "user"\nperiod = "day"\ntokens = true',
            "budget[0].tokens",
            "must be a whole number",
        ),
        (
            '[[budget]]\nname = "a"\nper = "user"\nperiod = "day"\ntokens = 5\nwarn_at = 80',
            "budget[0].warn_at",
            "over 0 and at most 1",
        ),
        ("surprise = 1", "surprise", "is not known here"),
        ('[models]\nallow = ["a\\u0000b"]', "models.allow[0]", "printable"),
    ],
)
def test_what_a_document_must_not_say_is_refused_where_it_stands(text, path, says):
    found = refusals(text)

    assert [fault[0] for fault in found] == [path]
    assert says in found[0][2]
    assert found[0][1] is not None


def test_two_rules_or_budgets_of_one_name_are_refused():
    rule = '[[approvals.rule]]\nname = "a"\nkind = "command"\ndecision = "decline"\n'

    assert [fault[0] for fault in refusals(rule + rule)] == ["approvals.rule[1].name"]


@pytest.mark.parametrize(
    ("text", "text_format", "line"),
    [
        ("[sandbox]\nallow = [", "toml", 2),
        ("a = 1\na = 2", "toml", 2),
        ('{\n "sandbox": ,}', "json", 2),
        ("[]", "json", None),
        ('{"a": 1, "a": 2}', "json", None),
        ("[" * 100_000, "json", None),
        ("#" * (MAX_TEXT_BYTES + 1), "toml", None),
    ],
)
def test_a_text_that_can_not_be_read_is_refused_with_its_line(text, text_format, line):
    [found] = refusals(text, text_format)

    assert (found[0], found[1]) == ("", line)


@pytest.mark.parametrize("text_format", ["toml", "json"])
@pytest.mark.parametrize("value", ["[" * 50_000, "1" * 5_000])
def test_a_text_that_no_parser_takes_is_refused(value, text_format):
    text = f"a = {value}" if text_format == "toml" else f'{{"a": {value}}}'
    [found] = refusals(text, text_format)

    assert found[0] == ""


@pytest.mark.parametrize(
    ("folder", "pattern", "home", "meets"),
    [
        ("/srv/work", "/srv/work/**", None, True),
        ("/srv/work/a/b", "/srv/work/**", None, True),
        ("/srv/workshop", "/srv/work/**", None, False),
        ("/srv/work", "/srv/work", None, True),
        ("/srv/work/a", "/srv/work", None, False),
        ("/srv//work/./a/", "/srv/work/*", None, True),
        ("/srv/work/a/b", "/srv/work/*", None, False),
        ("/srv/app-1/x", "/srv/app-*/**", None, True),
        ("/srv/apple", "/srv/app-*/**", None, False),
        ("~/work/a", "~/work/**", None, True),
        ("/home/ann/work", "~/work/**", "/home/ann", True),
        ("/home/ann/work", "~/work/**", None, False),
        ("/home/bob/work", "~/work/**", "/home/ann", False),
        ("~/work", "/home/ann/**", "/home/ann", True),
        ("~/work", "/home/**", "/home/ann", True),
        ("/home/ann/work", "/home/*/work", "/home/ann", True),
        ("~/work", "/home/*/work", "/home/ann", True),
        ("~", "~", "/home/ann/", True),
        ("~/work", "~/work", "not absolute", True),
        ("/work", "~/work", "not absolute", False),
        ("/~/work", "~/work/**", None, False),
        ("/~/work", "~/work/**", "/home/ann", False),
        ("/anything", "*", None, True),
        ("/", "/**", None, True),
    ],
)
def test_a_folder_meets_a_pattern_by_its_parts(folder, pattern, home, meets):
    parts = policy_folders.parts_of(folder, home)

    assert parts is not None
    assert policy_folders.meets(parts, pattern, home) is meets


@pytest.mark.parametrize("folder", ["work", "", "/srv/work/../../etc", "..", "~ann/work", "/a\x00b", "\\srv\\..\\etc"])
def test_a_folder_that_can_not_be_told_meets_nothing(folder):
    assert policy_folders.parts_of(folder) is None
