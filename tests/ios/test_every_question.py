"""Every kind of question that Codex has, on the phone: from Codex's own words to the answer in Codex's own words.

A question is made of Codex's params as a companion makes it, and what was tapped and typed becomes the answer on the
wire as a companion makes that; between both are the real server and the app. Then every way in which one ends.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.api.contract.test_team_roles import member, put_into
from tests.api.contract.world import Person, ask
from tests.ios.desk import Desk, desk
from tests.ios.test_inbox_screen import inbox
from tests.waiting import until

from autopilot.client.name_book import names_of
from autopilot.companion.codex import questions
from autopilot.companion.codex.forms import Choice
from autopilot.contract import ApprovalKind, encode
from autopilot.runtime import stream_principal
from autopilot.testing.approvals import ended

WORDS = "Use the other branch"
DB = {"id": "db", "header": "Database", "question": "Which database?", "isOther": True}
DB |= {"options": [{"label": "SQLite", "description": "One file."}, {"label": "Postgres"}]}
COLOUR = {"type": "string", "title": "Colour", "enum": ["red", "blue"]}
FORM = {"type": "object", "properties": {"colour": COLOUR}, "required": ["colour"]}
MAY_WRITE = {"network": None, "fileSystem": {"read": None, "write": ["/home/ada/project"], "entries": []}}
WIPE = {"codex_approval_kind": "mcp_tool_call", "persist": ["session"], "tool_name": "wipe", "tool_params": {}}
DIFF = "@@ -1 +1 @@\n-x = 1\n+x = 2\n"
_numbers = itertools.count()


@dataclass(frozen=True)
class Kind:
    """One kind."""

    method: str
    params: dict[str, Any]
    shown: Sequence[str]
    """What one decides on."""
    yes: str
    """The option that is tapped."""
    answer: dict[str, Any]
    """What Codex then hears."""
    no: str = "decline"
    refusal: dict[str, Any] | None = None
    """What Codex hears of a no with words; None: the words are said beside it, as a message of their own."""
    typed: dict[str, str] = field(default_factory=dict)
    chosen: Sequence[str] = ()
    item: dict[str, Any] | None = None
    is_sure: bool = False
    """Whether it takes a second tap."""


ACCEPTED = {"action": "accept", "content": None, "_meta": None}
REJECTED = {"decision": {"denied": {"rejection": WORDS}}}
ELICITATION = {"serverName": "mini", "turnId": "t"}
KINDS = {
    "command": Kind(
        "item/commandExecution/requestApproval",
        {"itemId": "i", "command": "/bin/bash -lc 'make'", "cwd": "/home/ada", "reason": "It is time."},
        ["make", "/home/ada", "It is time."],
        "accept",
        {"decision": "accept"},
        is_sure=True,
    ),
    "file_change": Kind(
        "item/fileChange/requestApproval",
        {"itemId": "i", "reason": "Two is better."},
        ["Two is better.", "a.py", "+x = 2", "-x = 1"],
        "accept",
        {"decision": "accept"},
        item={"id": "i", "changes": [{"path": "/p/a.py", "kind": {"type": "update", "move_path": None}, "diff": DIFF}]},
    ),
    "permissions": Kind(
        "item/permissions/requestApproval",
        {"itemId": "i", "cwd": "/home/ada", "reason": "To write it down", "permissions": MAY_WRITE},
        ["Give Codex more permissions?", "To write it down", "/home/ada/project"],
        "grant_turn",
        {"permissions": MAY_WRITE, "scope": "turn"},
        is_sure=True,
    ),
    "user_input": Kind(
        "item/tool/requestUserInput",
        {"itemId": "i", "questions": [DB]},
        ["Which database?", "SQLite", "One file.", "Postgres"],
        "answer",
        {"answers": {"db": {"answers": ["Postgres", "or none"]}}},
        refusal={"answers": {"db": {"answers": [WORDS]}}},
        chosen=["choice-db-Postgres"],
        typed={"field-db#other": "or none"},
    ),
    "mcp_form": Kind(
        "mcpServer/elicitation/request",
        {**ELICITATION, "mode": "form", "message": "Which colour?", "requestedSchema": FORM},
        ["Which colour?", "mini", "Colour", "blue"],
        "accept",
        {"action": "accept", "content": {"colour": "blue"}, "_meta": None},
        chosen=["choice-colour-blue"],
    ),
    "mcp_url": Kind(
        "mcpServer/elicitation/request",
        {**ELICITATION, "mode": "url", "message": "Sign in there.", "url": "https://example.org/in"},
        ["mini asks you to open a page", "Sign in there.", "https://example.org/in", "Open the page"],
        "accept",
        ACCEPTED,
    ),
    "mcp_tool_call": Kind(
        "mcpServer/elicitation/request",
        {**ELICITATION, "mode": "form", "message": "Allow it?", "_meta": WIPE, "requestedSchema": {"type": "object"}},
        ["Let mini run “wipe”?", "Allow it?"],
        "accept",
        ACCEPTED | {"content": {}},
        is_sure=True,
    ),
    "dynamic_tool": Kind(
        "item/tool/call",
        {"callId": "c", "tool": "weather", "arguments": {"city": "Oslo"}},
        ["Codex calls the tool “weather”", "Oslo"],
        "answer",
        {"contentItems": [{"type": "inputText", "text": "sun"}], "success": True},
        refusal={"contentItems": [{"type": "inputText", "text": WORDS}], "success": False},
        typed={"field-text": "sun"},
    ),
    "legacy_command": Kind(
        "execCommandApproval",
        {"callId": "c", "command": ["bash", "-c", "make"], "cwd": "/home/ada", "reason": "It is time."},
        ["Run “make”?", "/home/ada", "It is time."],
        "approved",
        {"decision": "approved"},
        no="denied",
        refusal=REJECTED,
    ),
    "legacy_patch": Kind(
        "applyPatchApproval",
        {"callId": "c", "fileChanges": {"a.py": {"type": "update", "unified_diff": DIFF}}, "reason": "Two is better."},
        ["Two is better.", "a.py", "+x = 2"],
        "approved",
        {"decision": "approved"},
        no="denied",
        refusal=REJECTED,
    ),
}


async def asks(held: Desk, method: str, params: dict[str, Any], item: dict[str, Any] | None = None) -> str:
    """Codex asks, and its companion tells it."""
    form = questions.form(method, params, item)
    said: dict[str, Any] = {name: value for name, value in encode(form.evidence).items() if value}
    return await ask(
        held.machine,
        held.person.worker_id,
        next(_numbers),
        method=method,
        kind=form.kind,
        title=form.title,
        risk=form.risk,
        evidence=said,
        facts=[encode(one) for one in form.facts],
        options=[encode(one) for one in form.options],
        form=form.form,
        url=form.url,
        answerable=form.kind != ApprovalKind.UNSUPPORTED,
    )


async def opens(held: Desk, approval_id: str) -> None:
    await until(lambda: held.phone.has(f"approval-{approval_id}"))
    await held.phone.tap(f"approval-{approval_id}")
    await until(lambda: held.phone.has("open-worker"))


async def heard(held: Desk, kind: Kind, approval_id: str) -> tuple[dict[str, Any], str | None]:
    """The answer that Codex hears, and the words that came with it: what the machine's feed makes of them."""
    found: list[dict[str, Any]] = []

    async def is_told() -> bool:
        feed = await held.machine.get(f"/machines/{held.machine.worker_id}/feed?cursor=0&tail_ms=200")
        lines = [line.removeprefix("data: ") for line in feed.text.splitlines() if line.startswith("data: ")]
        bodies = [entry["body"] for entry in map(json.loads, lines) if entry.get("kind") == "decision"]
        found.extend(body for body in bodies if body["approval_id"] == approval_id)
        return bool(found)

    await until(is_told)
    said = found[0]
    choice = Choice(said["option_id"], said.get("content"), said.get("message"))
    return questions.wire(kind.method, kind.params, choice), choice.message


async def answers(held: Desk, option: str) -> bool:
    """Tap an answer, and that one is sure, where that is asked; whether it was."""
    await held.phone.tap(f"answer-{option}")
    is_asked = held.phone.has("sure")
    if is_asked:
        await held.phone.tap("sure")
    return is_asked


async def state(held: Desk, approval_id: str) -> str:
    return (await held.person.get(f"/approvals/{approval_id}")).json()["data"]["state"]


def test_every_kind_is_here():
    assert {*KINDS, "unsupported"} == {str(kind) for kind in ApprovalKind}
    for name, kind in KINDS.items():
        assert questions.form(kind.method, kind.params, kind.item).kind == name


@pytest.mark.parametrize("name", KINDS)
async def test_a_yes_reaches_codex_in_its_own_words(ada: Person, name: str):
    kind = KINDS[name]
    async with desk(ada, inbox) as held:
        approval_id = await asks(held, kind.method, kind.params, kind.item)
        await opens(held, approval_id)
        for words in kind.shown:
            assert held.phone.shows(words), (words, held.phone.texts())
        for key in kind.chosen:
            await held.phone.tap(key)
        for key, text in kind.typed.items():
            await held.phone.type(key, text)
        assert await answers(held, kind.yes) is kind.is_sure
        await held.phone.waits_for("by you")
        assert await heard(held, kind, approval_id) == (kind.answer, None)


@pytest.mark.parametrize("name", KINDS)
async def test_a_no_with_words_reaches_codex_with_them(ada: Person, name: str):
    kind = KINDS[name]
    async with desk(ada, inbox) as held:
        approval_id = await asks(held, kind.method, kind.params, kind.item)
        await opens(held, approval_id)
        await held.phone.tap("with-words")
        await held.phone.type("words", WORDS)
        await held.phone.tap(f"answer-{kind.no}")
        await held.phone.waits_for(f"“{WORDS}”")
        answer, words = await heard(held, kind, approval_id)
        assert words == WORDS
        assert questions.says_words_itself(kind.method) is (kind.refusal is not None)
        assert (WORDS in json.dumps(answer)) is (kind.refusal is not None)
        assert kind.refusal in (None, answer)


async def test_what_this_version_does_not_know_is_shown_in_codexs_words_and_left_to_the_computer(ada: Person):
    async with desk(ada, inbox) as held:
        approval_id = await asks(held, "item/tomorrow/requestApproval", {"itemId": "i", "why": "Who knows"})
        await until(lambda: held.phone.has(f"approval-{approval_id}"))
        assert held.phone.shows("Only to be answered at the computer")
        await opens(held, approval_id)
        for words in ("A question this version does not know", "item/tomorrow/requestApproval", "Who knows"):
            assert held.phone.shows(words), words
        assert held.phone.shows("Only to be answered at the computer")
        assert not [one for one in held.phone.controls() if str(one.key or "").startswith("answer-")]


# How it ends.


async def ends(held: Desk, approval_id: str, how: str, outcome: str | None = None, reason: str | None = None) -> None:
    """The machine says so."""
    event = {"event_type": f"worker.approval.{how}", "payload": ended(approval_id, outcome, reason)}
    answer = await held.machine.post(f"/workers/{held.person.worker_id}/events", {"event": event})
    assert answer.status_code == 202, answer.text


async def asked_and_opened(held: Desk) -> str:
    kind = KINDS["command"]
    approval_id = await asks(held, kind.method, kind.params)
    await opens(held, approval_id)
    return approval_id


@pytest.mark.parametrize(
    ("option", "outcome", "words"),
    [
        ("accept", "accepted", "Approved by you"),
        ("decline", "declined", "Declined by you"),
        ("cancel", "cancelled", "Declined, and the turn ended by you"),
    ],
)
async def test_ones_own_answer_is_followed_from_the_tap_to_codex(ada: Person, option: str, outcome: str, words: str):
    async with desk(ada, inbox) as held:
        approval_id = await asked_and_opened(held)
        if option == "cancel":
            await held.phone.tap("more-answers")
        await answers(held, option)
        await held.phone.waits_for(words)
        await held.phone.waits_for(": on its way to the machine")
        await heard(held, KINDS["command"], approval_id)
        await held.phone.waits_for(": the machine has it")
        await ends(held, approval_id, "applied", outcome)
        await until(lambda: f"{words} (SDK)" in held.phone.texts())  # which is whose token this phone has
        assert not held.phone.has(f"answer-{option}")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("accepted", "Answered at the computer: it was allowed"),
        ("declined", "Answered at the computer: it was declined"),
        ("cancelled", "Answered at the computer: the turn was ended over it"),
        ("unknown", "Answered at the computer"),
    ],
)
async def test_what_was_answered_in_the_terminal_says_so(ada: Person, outcome: str, words: str):
    async with desk(ada, inbox) as held:
        approval_id = await asked_and_opened(held)
        await ends(held, approval_id, "superseded", outcome)
        await until(lambda: words in held.phone.texts())
        assert not held.phone.has("answer-accept")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("turn_ended", "the turn ended"),
        ("codex_ended", "Codex ended"),
        ("thread_closed", "the session was closed"),
        ("a_reason_of_tomorrow", "a reason of tomorrow"),
    ],
)
async def test_what_is_asked_no_more_says_why(ada: Person, reason: str, words: str):
    async with desk(ada, inbox) as held:
        approval_id = await asked_and_opened(held)
        await ends(held, approval_id, "closed", reason=reason)
        await held.phone.waits_for(f"Asked no more: {words}")
        assert not held.phone.has("answer-accept")


async def test_who_is_too_late_for_the_clock_is_told_that_nobody_answered_in_time(ada: Person):
    async with desk(ada, inbox) as held:
        approval_id = await asked_and_opened(held)
        await ada.world.runtime.pool.execute(
            "update approval set expires_at = clock_timestamp() - interval '1 second' where approval_id = $1",
            approval_id,
        )
        await answers(held, "accept")
        await held.phone.waits_for("This is asked no more.")
        await held.phone.waits_for("Nobody answered in time")
        assert await state(held, approval_id) == "expired"
        assert not held.phone.has("answer-accept")


async def test_the_winner_is_named_where_somebody_of_the_team_was_faster(ada: Person):
    team_id = (await ada.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    operator = await member(ada, team_id, "operator")
    async with desk(ada, inbox) as held:
        await put_into(ada, held.machine, team_id)
        held.core.names = await names_of(held.core.client)
        approval_id = await asked_and_opened(held)
        held.way.refuse("/decision", 503, "unavailable", reason_code="runtime_unreachable")
        await answers(held, "accept")
        await held.phone.waits_for("The ledger can't be reached.")
        answer = await operator.post(f"/approvals/{approval_id}/decision", {"option_id": "decline"})
        assert answer.status_code == 200, answer.text
        held.way.instead = lambda _request: None
        await held.phone.waits_for(f"Declined by {operator.email}")
        assert not held.phone.has("answer-accept")


async def test_a_machine_that_is_away_is_said_and_an_answer_waits_for_it(ada: Person, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream_principal, "REFRESH_SECONDS", 0.1)
    async with desk(ada, inbox) as held:
        approval_id = await asked_and_opened(held)
        await ada.world.runtime.pool.execute(
            "update machine_beat set last_heard_at = last_heard_at - interval '1 hour' where machine_id = $1",
            held.machine.worker_id,
        )
        await until(lambda: held.phone.has("away"))
        await answers(held, "accept")
        await held.phone.waits_for(": it waits for its machine")
        assert await state(held, approval_id) == "decided"
