"""`autopilot policy show`, `set`, `test`, against a real server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
from tests.api.served import ServedApi, serving

from autopilot.cli import policy, policy_history, policy_trials, teams
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import Options
from autopilot.contract import ApprovalKind
from autopilot.contract.errors import Conflict, Forbidden, Unprocessable
from autopilot.runtime.app import build
from autopilot.runtime.settings import RuntimeSettings

SETTINGS = RuntimeSettings(digest_key=b"digest" * 6, delivery_key=b"d" * 32, seal_key=b"s" * 32)
MODELS = "# mine\n[models]\nallow = ['gpt-*']\n"
FAULTY = "[sandbox]\nallow = ['all']\n\n[model]\nallow = []\n"
GUIDE = (Path(__file__).resolve().parents[2] / "docs/guide/policy.md").read_text()


@dataclass
class Desk:
    """A server, and a person with files at a terminal."""

    api: ServedApi
    folder: Path
    options: Options
    json: Options
    dsn: str

    def file(self, text: str, name: str = "policy.toml") -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)


@pytest.fixture
async def desk(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    async with await build(SETTINGS, dsn=database) as runtime, serving(database, runtime) as api:
        monkeypatch.setenv("AUTOPILOT_TOKEN", (await api.mint("ada@example.org")).token)
        yield Desk(api, tmp_path, Options(url=api.url), Options(url=api.url, json=True), database)


def last_document(capsys: pytest.CaptureFixture[str]) -> dict:
    """What a command printed last: the server's own log lines come before it."""
    return json.loads(capsys.readouterr().out.splitlines()[-1])


WHOLE = """
[models]
allow = ["gpt-*"]
[approvals]
answer = { operator = "*", rule = [] }
[[approvals.rule]]
name = "look around"
kind = "command"
command = ["git", "status"]
folders = ["/srv/work/**"]
decision = "accept"
[[budget]]
name = "mine"
per = "user"
period = "day"
tokens = 2000000
warn_at = 0.8
"""


async def test_without_documents_the_built_in_rules_are_shown(desk, capsys):
    await policy.show(options=desk.options)

    seen = capsys.readouterr().out
    assert "No documents: the built-in rules alone hold." in seen
    assert re.search(r"sandbox +builtin +read-only, workspace-write +nothing", seen)
    with pytest.raises(CommandFailed, match="no user policy"):
        await policy.show(subject="user", options=desk.options)


async def test_what_the_documents_come_to_is_shown_with_who_answers_rules_and_budgets(desk, capsys):
    await policy.put(desk.file(WHOLE), options=desk.options)
    capsys.readouterr()

    await policy.show(options=desk.options)

    seen = capsys.readouterr().out
    assert re.search(r"models +user 1 +gpt-\* +nothing", seen)
    assert re.search(r"rule +user 1 +none", seen)
    assert re.search(r"operator +user 1 +all", seen)
    assert re.search(r"look around +user 1 +command +accept +git status +/srv/work/\*\*", seen)
    assert re.search(r"mine +user 1 +2,000,000 a day +user +80 % +refuse", seen)


async def test_a_document_takes_the_place_of_the_one_in_force_and_is_shown_as_it_was_written(desk, capsys):
    await policy.put(desk.file(MODELS), options=desk.options)
    await policy.put(desk.file('{"models": {"deny": ["o9"]}}', "policy.json"), options=desk.json)
    assert last_document(capsys)["version"] == 2

    await policy.put(desk.file(MODELS), options=desk.options)
    await policy.show(options=desk.json)
    (document,) = last_document(capsys)["documents"]
    assert (document["version"], document["format"], document["text"]) == (3, "toml", MODELS)
    await policy.show(subject="user", options=desk.options)
    assert capsys.readouterr().out.endswith(MODELS)


async def test_a_version_that_is_given_must_be_the_one_in_force(desk):
    await policy.put(desk.file(MODELS), expected=0, options=desk.options)

    with pytest.raises(Conflict) as refused:
        await policy.put(desk.file(MODELS), expected=0, options=desk.options)
    assert refused.value.reason_code == "version"


async def test_each_fault_is_a_line_with_its_place_and_nothing_is_changed(desk, capsys):
    file = desk.file(FAULTY)

    with pytest.raises(CommandFailed, match="has 2 faults") as refused:
        await policy.put(file, options=desk.options)
    assert refused.value.exit_code == Exit.REFUSED
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith(file)]
    assert sorted(re.findall(r":(\d): (\S+)", "\n".join(told))) == [("2", "sandbox.allow[0]"), ("4", "model")]
    with pytest.raises(Unprocessable):  # to a program as the server said it
        await policy.put(file, options=desk.json)
    await policy.show(options=desk.json)
    assert last_document(capsys)["documents"] == []


async def test_a_draft_is_read_as_strictly_when_it_is_only_tried(desk, capsys):
    with pytest.raises(CommandFailed, match="2 faults"):
        await policy.attempt("turn/start", file=desk.file(FAULTY), options=desk.options)
    assert "sandbox.allow[0]" in capsys.readouterr().err


async def test_a_request_is_judged_by_what_is_in_force_or_by_a_draft(desk, capsys):
    asked = {"param": ("model=o9", "cwd=/srv"), "options": desk.options}
    assert await policy.attempt("turn/start", **asked) == Exit.OK
    assert "turn/start is allowed." in capsys.readouterr().out

    draft = desk.file(MODELS)
    assert await policy.attempt("turn/start", **asked, file=draft) == Exit.FAILED
    seen = capsys.readouterr().out
    assert "turn/start is denied: policy_denied.model\n" in seen
    for line in ("rule      models.allow\n", "document  user\n", "version   the draft\n"):
        assert line in seen

    await policy.put(draft, options=desk.options)
    assert await policy.attempt("turn/start", params='{"model": "o9"}', options=desk.json) == Exit.FAILED
    denial = last_document(capsys)["denial"]
    assert (denial["rule_id"], denial["document"], denial["version"]) == ("models.allow", "user", 1)


async def test_the_installations_document_takes_an_admins_token_and_no_other_scope(desk, monkeypatch):
    file = desk.file(MODELS)
    with pytest.raises(Forbidden):
        await policy.put(file, subject="installation", options=desk.options)

    monkeypatch.setenv("AUTOPILOT_TOKEN", (await desk.api.mint("ada@example.org", "admin")).token)
    for _version in (1, 2):
        await policy.put(file, subject="installation", options=desk.options)


@pytest.mark.parametrize(
    "wrong", [{"param": ("model",)}, {"param": ("=x",)}, {"params": "[]"}, {"params": "{"}], ids=str
)
async def test_what_is_no_param_is_refused_before_anybody_is_asked(wrong):
    with pytest.raises(CommandFailed) as refused:
        await policy.attempt("turn/start", **wrong)
    assert refused.value.exit_code == Exit.USAGE


async def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "p.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CommandFailed, match="not UTF-8"):
        await policy.put(str(tmp_path / "p.toml"))


@pytest.mark.slow
async def test_the_guide_runs_as_it_stands(desk, tmp_path):
    (document,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    desk.file(document)
    script = "\n".join(["set -eu", *re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)])
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/autopilot"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m autopilot.cli "$@"\n')
    program.chmod(0o755)
    running = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        script,
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "AUTOPILOT_URL": desk.api.url,
            "DATABASE_URL": desk.dsn,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(180):  # sixteen processes, one after the other
        out, err = await running.communicate()

    assert running.returncode == 0, err.decode()
    said = out.decode()
    assert said.startswith("turn/start is allowed.\n")
    assert "rule      folders.allow\n" in said
    assert "The installation policy is version 1 now.\n" in said
    assert re.search(r"1 +\S+Z +user 1 .*in force", said)
    assert f"{document}crew is team_" in said, "the first version, as it was written"
    assert re.search(r"The team \S+ policy is version 1 now\.\n", said)


async def test_the_history_names_who_wrote_each_version_and_a_version_is_shown_again(desk, capsys):
    await policy_history.history(options=desk.options)
    assert "never set" in capsys.readouterr().out
    await policy.put(desk.file("# first\n"), options=desk.options)
    await policy.put(desk.file(MODELS), options=desk.options)

    await policy_history.history(options=desk.options)
    seen = capsys.readouterr().out
    assert re.search(r"2 +\S+Z +user 1 +\S+ \(\S+\) +\d+ +in force", seen)
    await policy_history.history(before=2, options=desk.json)
    (first,) = last_document(capsys)
    assert (first["version"], first["in_force"], first["actor"]["user_id"]) == (1, False, 1)
    await policy.show(version=1, options=desk.options)
    assert capsys.readouterr().out.endswith("# first\n")


async def test_a_question_of_codex_is_tried_with_its_rule_and_who_may_answer(desk, capsys):
    rule = "[[approvals.rule]]\nname = 'look'\nkind = 'command'\ncommand = ['git', 'status']\ndecision = 'accept'\n"
    draft = desk.file(f"[approvals]\nanswer = {{ viewer = [] }}\n{rule}")

    asked = {"command": "git status --short", "file": draft, "options": desk.options}
    assert await policy_trials.attempt("command", **asked) == Exit.OK
    seen = capsys.readouterr().out
    assert (
        "command is decided by a rule: accept\nrule      approvals.rule[0] (look)\ndocument  user, the draft\n" in seen
    )
    assert "may answer: owner, operator, rule\nviewer may not: command is not for the role viewer to answer" in seen
    assert await policy_trials.attempt("command", command="git push", options=desk.options) == Exit.FAILED
    assert "command waits for a person" in capsys.readouterr().out
    assert await policy_trials.attempt("user_input", options=desk.json) == Exit.FAILED
    assert last_document(capsys)["decision"] is None


async def test_a_team_s_document_is_set_tried_shown_and_told_of_by_the_team_s_name(desk, capsys):
    await teams.create("crew", options=desk.json)
    team_id = last_document(capsys)["team_id"]
    crew = {"team": "crew", "options": desk.options}

    assert await policy.attempt("turn/start", param=("model=o9",), file=desk.file(MODELS), **crew) == Exit.FAILED
    assert f"document  team {team_id}\nversion   the draft\n" in capsys.readouterr().out
    await policy.put(desk.file(MODELS), **crew)
    assert capsys.readouterr().out.endswith(f"The team {team_id} policy is version 1 now.\n")

    await policy.show(**crew)
    seen = capsys.readouterr().out
    assert re.search(rf"team {team_id} policy: version 1, of ", seen)
    assert re.search(rf"models +team {team_id} 1 +gpt-\* +nothing", seen)
    for shown in ({"subject": "team"}, {"version": 1}):
        await policy.show(**shown, **crew)
        assert capsys.readouterr().out.endswith(MODELS)
    await policy_history.history(**crew)
    assert re.search(r"1 +\S+Z +user 1 .*in force", capsys.readouterr().out)
    assert await policy.attempt("turn/start", param=("model=o9",), options=desk.options) == Exit.OK
    assert await policy.attempt("turn/start", param=("model=o9",), **crew) == Exit.FAILED
    mine = {"subject": "user", "file": desk.file("[models]\nallow = ['o9']\n", "mine.toml")}
    assert await policy.attempt("turn/start", param=("model=gpt-5",), **mine, **crew) == Exit.FAILED
    assert "document  user\nversion   the draft\n" in capsys.readouterr().out
    rule = "[[approvals.rule]]\nname = 'no'\nkind = 'command'\ncommand = ['rm']\ndecision = 'decline'\n"
    assert await policy_trials.attempt("command", command="rm x", file=desk.file(rule, "rule.toml"), **crew) == Exit.OK
    assert f"document  team {team_id}, the draft\n" in capsys.readouterr().out


async def test_a_team_s_document_takes_its_team_and_a_team_that_one_is_in(desk):
    with pytest.raises(CommandFailed, match="goes with --team"):
        await policy.put(desk.file(MODELS), subject="team", options=desk.options)
    with pytest.raises(CommandFailed, match="You are in no team crew"):
        await policy.put(desk.file(MODELS), team="crew", options=desk.options)


def test_every_kind_of_question_can_be_tried():
    assert set(get_args(policy_trials.Kind)) == {kind.value for kind in ApprovalKind}
