"""The inbox and a question on a phone: what waits, what one answers, and what one is told when that can't be."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.api.contract.test_team_roles import member, put_into
from tests.api.contract.world import Person, ask, lease
from tests.ios.desk import Core, Desk, Hand, cut, desk
from tests.waiting import until

from autopilot.testing.approvals import ANSWERING, ended
from autopilot_ios.screens.approval import ApprovalScreen
from autopilot_ios.screens.inbox import InboxScreen

FORM = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "title": "Your name"},
        "age": {"type": "integer"},
        "newsletter": {"type": "boolean"},
        "colour": {"type": "string", "enum": ["red", "blue"], "enumNames": ["Red", "Blue"]},
        "sizes": {"type": "array", "items": {"enum": ["s", "m", "l"]}},
    },
}
QUESTIONS = [
    {
        "question_id": "where",
        "header": "Place",
        "text": "Where to?",
        "options": [{"option_id": "eu", "label": "Europe"}, {"option_id": "us", "label": "America"}],
        "other": True,
    },
    {"question_id": "key", "text": "Which key?", "secret": True},
]


def inbox(core: Core, hand: Hand) -> InboxScreen:
    screen = InboxScreen(core, lambda approval_id: screen.stage.push(ApprovalScreen(core, approval_id, hand, print)))
    return screen


async def asked(held: Desk, number: int = 0, **said: Any) -> str:
    return await ask(held.machine, held.person.worker_id, number, **said)


async def opened(held: Desk, **said: Any) -> str:
    """A question, and its screen."""
    approval_id = await asked(held, **said)
    await until(lambda: held.phone.has(f"approval-{approval_id}"), within_seconds=30)
    await held.phone.tap(f"approval-{approval_id}")
    await until(lambda: held.phone.has("open-worker"), within_seconds=30)
    return approval_id


async def approval(held: Desk, approval_id: str) -> dict[str, Any]:
    return (await held.person.get(f"/approvals/{approval_id}")).json()["data"]


async def test_an_empty_inbox_says_that_nothing_waits(ada: Person):
    async with desk(ada, inbox) as held:
        await held.phone.waits_for("Nothing waits for you")


async def test_the_gravest_question_is_first_then_the_oldest(ada: Person):
    async with desk(ada, inbox) as held:
        low, first, second = [
            await asked(held, number, risk=risk) for number, risk in enumerate(["low", "high", "high"])
        ]
        await until(lambda: held.phone.has(f"approval-{second}"), within_seconds=30)
        shown = [
            one.key for one in held.phone.controls() if isinstance(one.key, str) and one.key.startswith("approval-")
        ]
        assert shown == [f"approval-{one}" for one in (first, second, low)]


async def test_a_question_is_shown_with_its_evidence(ada: Person):
    async with desk(ada, inbox) as held:
        changes = [{"path": "src/a.py", "kind": "update", "diff": "@@ -1 +1 @@\n-old\n+new\n"}]
        evidence = {
            "command_line": "bash -lc 'rm -rf <b>'",
            "cwd": "/home/ada",
            "reason": "Because",
            "changes": changes,
        }
        await opened(held, evidence=evidence, risk="high")
        for words in [
            "rm -rf <b>",
            "Because",
            "/home/ada",
            "High risk",
            "a.py",
            "+new",
            "-old",
            "Run touch hello.txt?",
        ]:
            assert held.phone.shows(words), words


async def test_one_tap_answers_what_is_not_risky_and_is_felt(ada: Person):
    async with desk(ada, inbox) as held:
        approval_id = await opened(held, risk="low")
        await held.phone.tap("answer-accept")
        await held.phone.waits_for("Approved by you")
        assert (await approval(held, approval_id))["decision"]["option_id"] == "accept"
        assert held.hand.felt == ["well"]


async def test_what_is_risky_takes_a_second_tap(ada: Person):
    async with desk(ada, inbox) as held:
        approval_id = await opened(held, risk="high")
        await held.phone.tap("answer-accept")
        assert held.phone.shows("It leaves the sandbox")
        assert (await approval(held, approval_id))["state"] == "pending"
        await held.phone.tap("sure")
        await held.phone.waits_for("Approved by you")


async def test_approving_for_the_session_is_one_fold_away_and_takes_a_second_tap(ada: Person):
    async with desk(ada, inbox) as held:
        approval_id = await opened(held, risk="low")
        await held.phone.tap("more-answers")
        await held.phone.tap("answer-acceptForSession")
        assert held.phone.shows("From then on nobody is asked for the like of it.")
        await held.phone.tap("sure")
        await held.phone.waits_for("Approved, with the like of it")
        assert (await approval(held, approval_id))["decision"]["option_id"] == "acceptForSession"


async def test_words_reach_the_model_with_a_no(ada: Person):
    async with desk(ada, inbox) as held:
        approval_id = await opened(held, risk="low")
        await held.phone.tap("with-words")
        await held.phone.type("words", "Use the other branch")
        await held.phone.tap("answer-decline")
        await held.phone.waits_for("“Use the other branch”")
        assert (await approval(held, approval_id))["decision"]["message"] == "Use the other branch"


async def test_words_are_not_dropped_by_a_yes(ada: Person):
    async with desk(ada, inbox) as held:
        approval_id = await opened(held, risk="low")
        await held.phone.tap("with-words")
        await held.phone.type("words", "Use the other branch")
        await held.phone.tap("answer-accept")
        assert held.phone.shows("Your words for Codex don't go with this answer.")
        await held.phone.tap("not-sure")
        assert (await approval(held, approval_id))["state"] == "pending"
        assert held.phone.find("words").value == "Use the other branch"


async def test_questions_are_answered_and_a_secret_is_not_shown(ada: Person):
    async with desk(ada, inbox) as held:
        approval_id = await opened(held, kind="user_input", options=ANSWERING, evidence={"questions": QUESTIONS})
        assert held.phone.find("field-key").password
        await held.phone.tap("choice-where-eu")
        await held.phone.type("field-key", "hunter2")
        await held.phone.tap("answer-answer")
        await held.phone.waits_for("Answered by you")
        content = (await approval(held, approval_id))["decision"]["content"]
        assert content == {"where": ["eu"], "key": ["[redacted]"]}
        assert not held.phone.shows("hunter2")


async def test_a_form_is_filled_in_as_the_types_that_it_wants(ada: Person):
    async with desk(ada, inbox) as held:
        approval_id = await opened(held, kind="mcp_form", options=ANSWERING, evidence={}, form=FORM)
        await held.phone.type("field-name", "Ada")
        await held.phone.type("field-age", "36")
        await held.phone.tap("choice-colour-blue")
        await held.phone.tap("choice-sizes-s")
        await held.phone.tap("choice-sizes-l")
        await held.phone.tap("answer-answer")
        await held.phone.waits_for("Answered by you")
        content = (await approval(held, approval_id))["decision"]["content"]
        assert content == {"name": "Ada", "age": 36, "newsletter": False, "colour": "blue", "sizes": ["s", "l"]}


async def test_what_does_not_fit_is_said_and_what_was_typed_stays(ada: Person):
    async with desk(ada, inbox) as held:
        await opened(held, kind="mcp_form", options=ANSWERING, evidence={}, form=FORM)
        await held.phone.type("field-age", "old")
        await held.phone.tap("answer-answer")
        await held.phone.waits_for("age: must be of type integer")
        assert held.phone.shows("name: is missing")
        assert held.phone.find("field-age").value == "old"
        assert held.hand.felt == ["badly"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "https://example.org/ok"])
async def test_a_page_is_opened_only_where_it_is_one(ada: Person, url: str):
    async with desk(ada, inbox) as held:
        await opened(held, kind="mcp_url", url=url, evidence={})
        assert held.phone.shows(url)
        assert held.phone.has("open-page") is url.startswith("https")
        if held.phone.has("open-page"):
            await held.phone.tap("open-page")
            assert held.hand.opened == [url]


async def test_who_was_slower_is_told_who_was_faster(ada: Person):
    async with desk(ada, inbox) as held:
        approval_id = await opened(held, risk="low")

        async def somebody_else_answers(request: httpx2.Request) -> None:
            if request.url.path.endswith("/decision"):
                await held.person.post(f"/approvals/{approval_id}/decision", {"option_id": "decline"})

        held.way.before = somebody_else_answers
        await held.phone.tap("answer-accept")
        await held.phone.waits_for("answered before you")
        assert held.phone.shows("Declined by you")
        assert not held.phone.has("answer-accept")


async def test_a_question_that_ends_elsewhere_changes_in_place(ada: Person):
    async with desk(ada, inbox) as held:
        approval_id = await opened(held, risk="low")
        event = {"event_type": "worker.approval.closed", "payload": ended(approval_id, reason="turn_interrupted")}
        path = f"/workers/{held.person.worker_id}/events"
        assert (await held.machine.post(path, {"event": event})).status_code == 202
        await held.phone.waits_for("the turn was interrupted")
        assert not held.phone.has("answer-accept")
        held.shell.pop()
        await held.phone.waits_for("Ended lately")
        assert held.phone.shows("the turn was interrupted")


async def test_what_only_the_computer_can_answer_has_no_buttons(ada: Person):
    async with desk(ada, inbox) as held:
        await opened(held, answerable=False, options=[])
        assert held.phone.shows("Only to be answered at the computer")
        assert not held.phone.has("answer-accept")


async def test_a_viewer_sees_the_question_and_is_offered_no_answer(ada: Person):
    team_id = (await ada.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    viewer, machine = await member(ada, team_id, "viewer"), await ada.machine()
    await lease(machine, ada.worker_id)
    await put_into(ada, machine, team_id)
    async with desk(viewer, inbox) as held:
        approval_id = await ask(machine, ada.worker_id, risk="low")
        await until(lambda: held.phone.has(f"approval-{approval_id}"), within_seconds=30)
        assert held.phone.shows("You may watch. Who operates this session can answer")
        await held.phone.tap(f"approval-{approval_id}")
        await until(lambda: held.phone.has("open-worker"), within_seconds=30)
        assert held.phone.shows("You may watch. Who operates this session can answer")
        assert not held.phone.has("answer-accept")


async def test_nothing_is_sent_where_the_phone_does_not_recognise_its_owner(ada: Person):
    async with desk(ada, inbox) as held:
        held.core.asks_for_owner, held.hand.owner = True, False
        approval_id = await opened(held, risk="low")
        await held.phone.tap("answer-accept")
        await held.phone.waits_for("did not recognise its owner")
        assert (await approval(held, approval_id))["state"] == "pending"
        held.hand.owner = True
        await held.phone.tap("answer-accept")
        await held.phone.waits_for("Approved by you")


@pytest.mark.parametrize(
    ("status", "code", "reason", "words"),
    [
        (401, "unauthorized", "token_refused", "signed out"),
        (403, "forbidden", "role", "not change anything"),
        (403, "forbidden", "policy_denied.approval", "A policy says that others answer this"),
        (410, "stale_cursor", "ahead_of_log", "restored backup"),
        (422, "unprocessable", "invalid_value", "does not fit"),
        (429, "rate_limited", "session_rate", "asks too much"),
        (503, "unavailable", "runtime_unreachable", "ledger can't be reached"),
    ],
)
async def test_an_answer_that_is_not_taken_says_why_and_can_be_given_again(
    ada: Person, status: int, code: str, reason: str, words: str
):
    async with desk(ada, inbox) as held:
        approval_id = await opened(held, risk="low")
        await held.phone.tap("with-words")
        await held.phone.type("words", "Stay")
        held.way.refuse("/decision", status, code, reason_code=reason)
        await held.phone.tap("answer-decline")
        await held.phone.waits_for(words)
        assert held.phone.shows("Request ") is (status != 401)
        assert held.phone.find("words").value == "Stay"
        assert held.hand.felt == ["badly"]
        held.way.instead = lambda _request: None
        await held.phone.tap("answer-decline")
        await held.phone.waits_for("“Stay”")
        assert (await approval(held, approval_id))["decision"]["option_id"] == "decline"


async def test_a_link_to_a_question_of_somebody_elses_says_that_one_may_not(ada: Person, eve: Person):
    async with desk(eve, lambda core, hand: ApprovalScreen(core, "ap_nobodys", hand, print)) as held:
        await held.phone.waits_for("There is no such question.")
        assert held.phone.has("try-again")


async def test_without_network_the_inbox_says_so_and_can_be_tried_again(ada: Person):
    async with desk(ada, inbox, way=cut()) as held:
        await held.phone.waits_for("The server can't be reached.")
        held.way.instead = lambda _request: None
        await held.phone.tap("try-again")
        await held.phone.waits_for("Nothing waits for you")
