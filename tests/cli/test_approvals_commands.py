"""`autopilot approvals`, `approve`, `deny`, `answer`, against a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.served import serving

from autopilot.cli import approvals
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import Options
from autopilot.contract.errors import Unprocessable
from autopilot.contract.port import Claims
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.approvals import ANSWERING, approval_of, decide, question
from autopilot.testing.machines import Companion
from autopilot.testing.runtime import insert_worker

SETTINGS = RuntimeSettings(digest_key=b"digest" * 6, delivery_key=b"d" * 32, seal_key=b"s" * 32, notify_interval_ms=1)
DIFF = "@@ -1 +1 @@\n-x = 1\n+x = 2\n"


@dataclass
class Desk:
    """A server, a person at a terminal, and a machine whose Codex asks."""

    runtime: Runtime
    companion: Companion
    owner: Claims
    options: Options
    json: Options

    async def ask(self, number: int = 0, **said: object) -> str:
        asked = question("w", number, **said)
        answer = await self.companion.ask_approval("w", asked)
        assert answer.status == 202, answer.body
        return asked["approval_id"]

    async def state(self, approval_id: str) -> str:
        return str(await self.runtime.pool.fetchval("select state from approval where approval_id = $1", approval_id))

    async def sent(self) -> list[dict]:
        """The answers that the machine is handed."""
        return [entry["body"] for entry in await self.companion.feed() if entry["kind"] == "decision"]


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What a command printed last: the server's own log lines come before it."""
    return capsys.readouterr().out.splitlines()[-1]


@pytest.fixture
async def desk(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    async with await build(SETTINGS, dsn=database) as runtime, serving(database, runtime) as api:
        minted = await api.mint("ada@example.org")
        monkeypatch.setenv("AUTOPILOT_TOKEN", minted.token)
        owner = Claims(user_id=minted.userId, scopes=frozenset({"administer"}), surface="ios")
        await insert_worker(runtime, "w", owner)
        companion = Companion(runtime, "m1", minted.userId)
        await companion.register(name="laptop")
        await companion.claim("w")
        yield Desk(runtime, companion, owner, Options(url=api.url), Options(url=api.url, json=True))


async def test_a_list_shows_all_that_is_needed_to_decide(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await desk.ask(
        title="Change x.py?",
        kind="file_change",
        facts=[
            {"name": "reason", "label": "Why", "value": "\x1b[2Jto fix it"},
            {"name": "host", "label": "Host", "value": "example.org"},
        ],
        evidence={
            "cwd": "/home/ada",
            "reason": "\x1b[2Jto fix it",
            "changes": [{"path": "/home/ada/x.py", "kind": "update", "diff": DIFF, "truncated": True}],
        },
        ttl_ms=3_700_000,
    )
    await approvals.approvals(options=desk.options)
    seen = capsys.readouterr().out
    for words in (
        "Change x.py?",
        "file change, asked 0 s ago, on laptop",
        "risk: medium",
        "in /home/ada",
        "because: to fix it",
        "update /home/ada/x.py",
        "+x = 2",
        "(the rest of it is left out)",
        "Host: example.org",
        "accept            Yes\n",
        "acceptForSession  Yes, and don't ask again",
        "expires in 1 h",
    ):
        assert words in seen
    assert "\x1b" not in seen
    assert seen.count("to fix it") == 1, "nothing is said twice"


async def test_a_program_gets_the_approvals_as_they_are(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    approval_id = await desk.ask()
    await approvals.approvals(worker="w", options=desk.json)
    (found,) = json.loads(last_line(capsys))
    assert (found["approval_id"], found["state"], found["machine_reachable"]) == (approval_id, "pending", True)
    await approvals.approvals(state="ended", options=desk.options)
    assert last_line(capsys) == "No approvals."


@pytest.mark.parametrize(
    ("said", "option_id"),
    [
        ({}, "accept"),
        ({"session": True}, "acceptForSession"),
        ({"always": True}, "acceptWithExecpolicyAmendment"),
        ({"option": "cancel"}, "cancel"),
    ],
)
async def test_approve_says_yes_as_far_as_it_is_told(desk: Desk, said: dict, option_id: str) -> None:
    always = {"option_id": "acceptWithExecpolicyAmendment", "label": "Always", "effect": "accept_lasting"}
    asked = question("w")
    approval_id = await desk.ask(options=[*asked["options"], always])
    await approvals.approve(approval_id[:8], **said, options=desk.options)
    assert [answer["option_id"] for answer in await desk.sent()] == [option_id]


async def test_an_id_may_be_shortened_as_long_as_it_is_one(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = await desk.ask(), await desk.ask(1)
    with pytest.raises(CommandFailed, match="fits several") as several:
        await approvals.approve("ap_", options=desk.options)
    assert several.value.exit_code == Exit.USAGE
    with pytest.raises(CommandFailed, match="asks nothing") as nothing:
        await approvals.approve("ffffffffffffffffff", options=desk.options)
    assert nothing.value.exit_code == Exit.NOT_FOUND
    await approvals.approve(first.removeprefix("ap_"), options=desk.options)
    assert (await desk.state(first), await desk.state(second)) == ("decided", "pending")
    assert last_line(capsys) == f"{first[:11]}: Yes."


async def test_deny_says_no_with_words_for_the_model_or_ends_the_turn(desk: Desk) -> None:
    await approvals.deny(await desk.ask(), message="use make", options=desk.options)
    await approvals.deny(await desk.ask(1), cancel=True, options=desk.options)
    with pytest.raises(Unprocessable):
        await approvals.deny(await desk.ask(2), cancel=True, message="x", options=desk.options)
    answers = [(answer["option_id"], answer["message"]) for answer in await desk.sent()]
    assert answers == [("decline", "use make"), ("cancel", None)]


async def test_who_was_first_is_told_and_the_same_again_is_done(desk: Desk) -> None:
    approval_id = await desk.ask()
    assert (await decide(desk.runtime, approval_id, claims=desk.owner)).status == 200
    await approvals.approve(approval_id, options=desk.options)
    with pytest.raises(CommandFailed, match="answered before through ios: Yes") as late:
        await approvals.deny(approval_id, options=desk.options)
    assert late.value.exit_code == Exit.CONFLICT
    ended = await desk.ask(1)
    await desk.companion.end_approval("w", ended, "closed", reason="turn_ended")
    with pytest.raises(CommandFailed, match="Too late"):
        await approvals.approve(ended, options=desk.options)


async def test_questions_are_answered_by_name_or_at_the_terminal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = [
        {"question_id": "db", "text": "Which database?", "options": [{"option_id": "1", "label": "Postgres"}]},
        {"question_id": "key", "text": "The key?", "secret": True},
    ]
    said = {"kind": "user_input", "options": ANSWERING, "evidence": {"questions": questions}}
    approval_id = await desk.ask(**said)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(CommandFailed, match="Not answered yet: key"):
        await approvals.answer(approval_id, "db=Postgres", options=desk.options)
    with pytest.raises(CommandFailed, match="does not say what it answers"):
        await approvals.answer(approval_id, "Postgres", options=desk.options)
    with pytest.raises(CommandFailed, match="no option that simply allows it"):
        await approvals.approve(approval_id, options=desk.options)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda _: "correct horse")
    await approvals.answer(approval_id, "db=Postgres", options=desk.options)
    assert [answer["content"] for answer in await desk.sent()] == [{"db": ["Postgres"], "key": ["correct horse"]}]


async def test_forms_tools_and_whole_contents_are_filled_in(desk: Desk) -> None:
    form = {"properties": {"n": {"type": "integer"}, "ok": {"type": "boolean"}, "tags": {"type": "array"}, "s": {}}}
    accept = [{"option_id": "accept", "label": "Send", "effect": "accept", "takes_content": True}]
    asked = {"kind": "mcp_form", "form": form, "options": accept, "evidence": None}
    first = await desk.ask(**asked)
    with pytest.raises(CommandFailed, match="must be of type integer"):
        await approvals.answer(first, "n=many", options=desk.options)
    with pytest.raises(CommandFailed, match="takes more than a yes"):
        await approvals.approve(first, options=desk.options)
    await approvals.answer(first, "n=3", "ok=yes", "tags=a", "tags=b", "s=a=b", options=desk.options)
    await approvals.answer(await desk.ask(1, **asked), json_content='{"n": 4}', options=desk.options)
    tool = await desk.ask(2, kind="dynamic_tool", options=ANSWERING, evidence=None)
    await approvals.answer(tool, "all", "done", options=desk.options)
    assert [answer["content"] for answer in await desk.sent()] == [
        {"n": 3, "ok": True, "tags": ["a", "b"], "s": "a=b"},
        {"n": 4},
        {"success": True, "text": "all done"},
    ]


async def test_a_follower_is_told_of_each_as_it_comes_and_ends(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    past = await desk.ask(9)
    await desk.companion.end_approval("w", past, "closed", reason="turn_ended")
    first = await desk.ask()
    said: list[str] = []

    async def hear(words: str) -> None:
        while not any(words in line for line in said):
            said.extend(capsys.readouterr().out.splitlines())
            await asyncio.sleep(0)

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        following = tasks.create_task(approvals.approvals(follow=True, options=desk.options))
        await hear(first[:11])
        assert (await decide(desk.runtime, first, claims=desk.owner)).status == 200
        await hear("answered through ios: Yes, on its way")
        await desk.companion.end_approval("w", first, "applied", "accepted")
        await hear("Codex took the answer (accepted)")
        following.cancel()
    assert not any(past[:11] in line for line in said)


async def test_what_can_only_be_answered_at_the_computer_says_so(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    approval_id = await desk.ask(answerable=False, options=[])
    with pytest.raises(CommandFailed, match="only be answered at the computer"):
        await approvals.approve(approval_id, options=desk.options)
    await approvals.approvals(options=desk.options)
    assert "only to be answered at the computer" in capsys.readouterr().out
    assert (await approval_of(desk.runtime, approval_id, claims=desk.owner))["state"] == "pending"
