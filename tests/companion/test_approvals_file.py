"""Questions on the companion's file: what recorded sessions of Codex come to, and what a crash leaves of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.companion.test_questions import Row, possible, sessions

from autopilot.companion import approvals, approvals_ends
from autopilot.companion.approvals_asking import Asking
from autopilot.companion.codex import questions
from autopilot.companion.codex.forms import Choice
from autopilot.companion.codex.messages import Message, decode
from autopilot.companion.database import Database
from autopilot.companion.facts import MachineFacts
from autopilot.companion.outbox import Outbox
from autopilot.companion.recorder import Recorder
from autopilot.companion.threads import Naming, Threads
from autopilot.testing.clock import FakeClock

INCARNATION = "codex-1"


@dataclass
class Bench:
    """A recorder on a file, without Codex and without a ledger."""

    clock: FakeClock
    database: Database
    threads: Threads
    asking: Asking
    recorder: Recorder
    answered: list[tuple[Message, questions.Answer]]

    async def hear(self, *messages: Message) -> None:
        for message in messages:
            await self.recorder.take(message)
        await self.recorder.settle()

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        """What the outbox says of questions: type, and what is said."""
        rows = await self.database.run(
            lambda db: db.execute("select event_type, payload from outbox order by position").fetchall()
        )
        return [
            (row["event_type"].removeprefix("worker.approval."), json.loads(row["payload"])["approval"])
            for row in rows
            if row["event_type"].startswith("worker.approval.")
        ]

    async def ends(self) -> list[tuple[str, str | None, str | None]]:
        return [(kind, one["outcome"], one["reason"]) for kind, one in await self.told() if kind != "requested"]

    async def say(self, approval_id: str, choice: Choice) -> None:
        """Our answer is on its way to Codex."""
        assert await self.database.run(lambda db: approvals.decide(db, approval_id, choice))
        assert await self.database.run(lambda db: approvals.answering(db, approval_id))


@asynccontextmanager
async def bench(path: Path, *thread_ids: str, shared: bool = False) -> AsyncIterator[Bench]:
    clock, database, threads = FakeClock(), Database(path / "companion.sqlite"), Threads(Naming())
    await database.open()
    await database.run(threads.load)
    asking = Asking(clock, ttl_ms=60_000)
    answered: list[tuple[Message, questions.Answer]] = []

    async def answer(message: Message, said: questions.Answer) -> None:
        answered.append((message, said))

    recorder = Recorder(database, Outbox(), threads, MachineFacts(), clock, asking=asking, answer=answer)
    for thread_id in thread_ids:
        thread = threads.introduce({"id": thread_id, "cwd": "/p"}, now=0)
        await database.run(lambda db, thread=thread: threads.save(db, thread))
    asking.begin(INCARNATION, shared=shared)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(recorder.run())
        yield Bench(clock, database, threads, asking, recorder, answered)
        running.cancel()
    await database.close()


def messages(rows: list[Row]) -> list[Message]:
    return [decode(msgspec.json.encode(row["msg"])) for row in rows if row["dir"] == "s2c"]


def of_main(session: str) -> list[Row]:
    return [row for row in sessions()[session] if row["conn"] in {"main", "A"}]


def thread_of(rows: list[Row]) -> str:
    return next(row["msg"]["params"]["threadId"] for row in rows if "params" in row["msg"])


@pytest.mark.parametrize(
    ("session", "ends"),
    [
        ("s02_shell_approved", [("superseded", "accepted", None)]),
        ("s03_shell_declined", [("superseded", "declined", None)]),
        ("s03b_shell_cancelled", [("superseded", "declined", None)]),
        ("s03c_shell_escalation_and_session", [("superseded", "accepted", None)]),
        ("s03d_execpolicy_amendment", [("superseded", "accepted", None)]),
        ("s04c_interrupt_pending_approval", [("closed", None, "turn_interrupted")]),
        ("s06b_patch_approved", [("superseded", "accepted", None)]),
        ("s06c_patch_declined", [("superseded", "declined", None)]),
        ("s07_unanswered_approval", [("superseded", "accepted", None)]),
        ("s08c_kill9_pending_approval", []),
        ("s16_parallel_approvals", [("superseded", "accepted", None)] * 2),
        ("s30_request_user_input_default_mode", [("superseded", "unknown", None)]),
        ("s30_request_user_input_plan_mode", [("superseded", "unknown", None)]),
        ("s31_mcp_elicitation", [("superseded", "unknown", None)] * 2),
        ("s32_request_permissions", [("superseded", "unknown", None)]),
        ("s33_dynamic_tool", [("superseded", "accepted", None)]),
        ("s36_code_mode", [("superseded", "accepted", None)] * 2),
        ("s44_user_input_unanswered", []),
        ("s46_races", [("superseded", "declined", None)] * 3),
    ],
)
async def test_what_others_answered_in_a_recorded_session_is_read_from_it(
    tmp_path: Path, session: str, ends: list[Any]
) -> None:
    rows = of_main(session)
    async with bench(tmp_path, thread_of(rows)) as made:
        await made.hear(*messages(rows))

        assert await made.ends() == ends


@pytest.mark.parametrize(
    ("session", "outcome"),
    [
        ("s02_shell_approved", "accepted"),
        ("s03_shell_declined", "declined"),
        ("s03b_shell_cancelled", "cancelled"),
        ("s03d_execpolicy_amendment", "accepted"),
        ("s06b_patch_approved", "accepted"),
        ("s06c_patch_declined", "declined"),
        ("s30_request_user_input_plan_mode", "accepted"),
        ("s31_mcp_elicitation", "accepted"),
        ("s32_request_permissions", "accepted"),
        ("s33_dynamic_tool", "accepted"),
        ("s36_code_mode", "accepted"),
    ],
)
async def test_what_we_answered_in_a_recorded_session_is_applied(tmp_path: Path, session: str, outcome: str) -> None:
    rows = of_main(session)
    async with bench(tmp_path, thread_of(rows)) as made:
        open_ones: dict[Any, tuple[str, Row]] = {}
        for row in rows:
            if row["dir"] == "s2c":
                await made.hear(*messages([row]))
                if "id" in row["msg"]:
                    open_ones[row["msg"]["id"]] = ((await made.told())[-1][1]["approval_id"], row["msg"])
            else:
                approval_id, asked = open_ones[row["msg"]["id"]]
                await made.say(approval_id, choice_of(asked, row["msg"]["result"]))

        assert set(await made.ends()) == {("applied", outcome, None)}
        assert len(await made.ends()) == len(open_ones)


def choice_of(asked: Row, result: Row) -> Choice:
    """The choice that makes this answer."""
    for option in questions.form(asked["method"], asked["params"]).options:
        for content in (None, {"db": ["SQLite (Recommended)"]}, {"colour": "blue"}, {"text": "it is sunny in Oslo"}):
            choice = Choice(option.option_id, content)
            try:
                if questions.wire(asked["method"], asked["params"], choice) == result:
                    return choice
            except questions.Unfit:
                continue
    raise AssertionError(possible(asked["method"], asked["params"]))


async def test_the_diff_of_a_file_change_outlives_the_companion_that_heard_it(tmp_path: Path) -> None:
    rows = of_main("s06b_patch_approved")
    (question,) = [index for index, row in enumerate(rows) if "id" in row["msg"] and "method" in row["msg"]]
    async with bench(tmp_path, thread_of(rows)) as made:
        await made.hear(*messages(rows[:question]))
    async with bench(tmp_path) as made:
        await made.hear(*messages([rows[question]]))
        ((kind, shown),) = await made.told()

    assert kind == "requested"
    assert [one["diff"] for one in shown["evidence"]["changes"]] == ["@@ -1 +1 @@\n-x = 1\n+x = 2\n", "bye\n"]


async def test_a_question_that_is_repeated_is_the_same_and_one_of_another_codex_is_not(tmp_path: Path) -> None:
    rows = of_main("s08c_kill9_pending_approval")
    question = next(one for one in messages(rows) if one.id)
    async with bench(tmp_path, thread_of(rows)) as made:
        await made.hear(question, question)
        first = await made.told()
        made.asking.begin("codex-2", shared=False)
        await made.hear(question)
        second = await made.told()

    assert [kind for kind, _ in first] == ["requested"]
    assert len({one["approval_id"] for _, one in second}) == 2


async def test_on_a_shared_codex_no_clock_runs_and_an_unknown_question_is_left_open(tmp_path: Path) -> None:
    rows = of_main("s02_shell_approved")
    question = next(one for one in messages(rows) if one.id)
    unknown = Message("item/telepathy/request", id=msgspec.Raw(b"9"), params=question.params)
    async with bench(tmp_path, thread_of(rows), shared=True) as made:
        await made.hear(question, unknown)
        told = await made.told()

        assert [(kind, one.get("ttl_ms"), one["answerable"]) for kind, one in told] == [
            ("requested", None, True),
            ("requested", None, False),
        ]
        assert made.answered == []


async def test_what_is_asked_of_the_machine_is_answered_and_never_stored(tmp_path: Path) -> None:
    asked = [
        Message(method, id=msgspec.Raw(b"1"), params=msgspec.Raw(b'{"threadId":"t"}'))
        for method in ("currentTime/read", "attestation/generate", "account/chatgptAuthTokens/refresh")
    ]
    async with bench(tmp_path, "t") as made:
        await made.hear(*asked)
        alone = [(said.result is None, said.error is None) for _, said in made.answered]
        made.answered.clear()
        made.asking.begin("codex-2", shared=True)
        await made.hear(*asked)
        stored = await made.database.run(lambda db: db.execute("select count(*) from outbox").fetchone()[0])

        assert alone == [(False, True), (True, False), (True, False)]
        assert [message.method for message, _ in made.answered] == ["currentTime/read"]
        assert stored == 0


async def test_the_first_decision_counts_and_a_late_one_does_no_harm(tmp_path: Path) -> None:
    rows = of_main("s02_shell_approved")
    async with bench(tmp_path, thread_of(rows)) as made:
        heard = messages(rows)
        question = next(index for index, one in enumerate(heard) if one.id)
        await made.hear(*heard[: question + 1])
        ((_, asked),) = await made.told()
        approval_id = asked["approval_id"]
        first = await made.database.run(lambda db: approvals.decide(db, approval_id, Choice("accept")))
        other = await made.database.run(lambda db: approvals.decide(db, approval_id, Choice("decline")))
        await made.database.run(lambda db: approvals.answering(db, approval_id))
        await made.hear(*heard[question + 1 :])
        late = await made.database.run(lambda db: approvals.decide(db, approval_id, Choice("decline")))
        never = await made.database.run(lambda db: approvals.decide(db, "ap_unheard_of", Choice("accept")))

        assert (first, other, late, never) == (True, False, False, False)
        assert await made.ends() == [("applied", "accepted", None)]


async def test_an_item_that_failed_without_having_begun_shows_no_decision(tmp_path: Path) -> None:
    rows = sessions()["s07b_bad_answers"]
    thread_ids = {row["msg"]["params"]["threadId"] for row in rows if "params" in row["msg"]}
    async with bench(tmp_path, *thread_ids) as made:
        await made.hear(*messages(rows))

        assert await made.ends() == [("superseded", "unknown", None)] * 3


@pytest.mark.parametrize(("shared", "answers"), [(False, 1), (True, 0)], ids=["our own Codex", "the shared one"])
async def test_a_question_of_a_hidden_thread_is_nobodys_and_our_codex_does_not_wait_for_it(
    tmp_path: Path, *, shared: bool, answers: int
) -> None:
    hidden = {"method": "thread/started", "params": {"thread": {"id": "h", "ephemeral": True, "forkedFromId": "f"}}}
    params = {"threadId": "h", "turnId": "u", "itemId": "i", "command": "touch x", "cwd": "/p"}
    question = {"method": "item/commandExecution/requestApproval", "id": 0, "params": params}
    async with bench(tmp_path, "t", shared=shared) as made:
        await made.hear(*(decode(msgspec.json.encode(one)) for one in (hidden, question)))

        assert await made.told() == []
        assert len(made.answered) == answers
        assert all(answer.error is not None for _, answer in made.answered)


@pytest.mark.parametrize("gone", ["thread/closed", "thread/deleted"])
async def test_a_thread_that_is_unloaded_or_deleted_asks_nothing_any_more(tmp_path: Path, gone: str) -> None:
    params = {"threadId": "t", "turnId": "u", "itemId": "i", "command": "touch x", "cwd": "/p"}
    words = [
        {"method": "item/commandExecution/requestApproval", "id": 0, "params": params},
        {"method": gone, "params": {"threadId": "t"}},
    ]
    async with bench(tmp_path, "t") as made:
        await made.hear(*(decode(msgspec.json.encode(one)) for one in words))

        assert await made.ends() == [("closed", None, "thread_closed")]


async def test_what_codex_says_closes_a_question_at_once_or_by_the_clock_half_a_second_later(tmp_path: Path) -> None:
    """Half of the second that is promised: the rest is for the way to the ledger, on which nothing waits by design."""

    def asks(number: int, name: str, **more: Any) -> dict[str, Any]:
        params = {"threadId": "t", "turnId": "u", "itemId": f"i{number}", "cwd": "/p", **more}
        return {"method": name, "id": number, "params": params}

    def resolved(number: int) -> dict[str, Any]:
        return {"method": "serverRequest/resolved", "params": {"threadId": "t", "requestId": number}}

    async with bench(tmp_path, "t") as made:
        words = [
            asks(0, "item/tool/requestUserInput", questions=[]),
            asks(1, "item/commandExecution/requestApproval", command="true"),
            resolved(0),
            resolved(1),
        ]
        await made.hear(*(decode(msgspec.json.encode(one)) for one in words))
        at_once = await made.ends()
        await made.clock.advance(approvals_ends.ITEM_SECONDS - 0.01)
        early = await made.database.run(lambda db: approvals_ends.overdue(db, made.clock.now()))
        await made.clock.advance(0.01)
        over, more = await made.database.run(lambda db: approvals_ends.overdue(db, made.clock.now()))

    assert at_once == [("superseded", "unknown", None)]
    assert early == ([], True)
    assert ([one.event_type for one in over], more) == (["worker.approval.superseded"], False)
    assert approvals_ends.ITEM_SECONDS <= 0.5


async def test_what_codex_has_an_answer_to_is_not_closed_for_being_out_of_reach(tmp_path: Path) -> None:
    def gone(db: Any) -> list[str]:
        lost = (
            approvals_ends.codex_ended(db, row, made.clock.now(), reason="out_of_reach")
            for row in approvals.open_ones(db)
        )
        return sorted(one.event_type for one in lost)

    def asks(number: int) -> dict[str, Any]:
        params = {"threadId": "t", "turnId": "u", "itemId": f"i{number}", "cwd": "/p", "command": "true"}
        return {"method": "item/commandExecution/requestApproval", "id": number, "params": params}

    resolved = {"method": "serverRequest/resolved", "params": {"threadId": "t", "requestId": 1}}
    async with bench(tmp_path, "t") as made:
        await made.hear(*(decode(msgspec.json.encode(one)) for one in (asks(0), asks(1), resolved)))
        types = await made.database.run(gone)

    assert types == ["worker.approval.closed", "worker.approval.superseded"]
