"""Answer Codex with what people decided: each question once, in the words of its kind; and see to it that each ends.

Owns the way from a decision in the feed to Codex's connection, and the ends that no word of Codex's brings: its death,
questions that were resolved while nobody listened, items that keep silent. Nothing is answered that was not asked in
the present session: Codex asks again what is still open. On the user's shared daemon the clock decides nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import msgspec
import structlog

from autopilot.companion import approvals, approvals_ends
from autopilot.companion.approvals import Row
from autopilot.companion.approvals_asking import Asking
from autopilot.companion.codex import history, questions
from autopilot.companion.codex.forms import Choice, Unfit
from autopilot.companion.codex.messages import CodexError, CodexRefused
from autopilot.companion.codex.questions import Answer
from autopilot.companion.codex.supervisor import Codex, Session
from autopilot.companion.codex.translate import Event
from autopilot.companion.database import Database
from autopilot.companion.recorder import Recorder
from autopilot.companion.threads import Thread, Threads
from autopilot.contract import ApprovalAnswer
from autopilot.ops.clock import Clock
from autopilot.ops.log import correlated

UNFIT = "answer_unfit"
CLIENT_MESSAGE = "approval:"
"""What `clientUserMessageId` of words to the model begins with: finds them again after a crash."""
IN_DOUBT_ITEMS = 200
"""So far back it is looked whether words were said before a crash."""

REPEAT_SECONDS = 1.0
"""Codex asks again within milliseconds of a thread's being taken up, before or after its answer to that."""
LONGEST_REPEAT_SECONDS = 10.0
"""So long while Codex says that the thread waits for somebody."""
LOOK_SECONDS = 0.05

Ending = Callable[[sqlite3.Connection, Row, datetime], Event]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Repeating:
    """A thread was taken up; on the monotonic clock."""

    until: float
    at_most: float


class _Status(msgspec.Struct, frozen=True):
    activeFlags: list[str] = []  # noqa: N815  # the wire's name; msgspec copies defaults


class _Thread(msgspec.Struct, frozen=True):
    status: _Status = _Status()


class _Read(msgspec.Struct, frozen=True):
    thread: _Thread = _Thread()


async def _nothing() -> None:
    """Nobody wants to know."""


class Answers:
    """Keep `run` running; `wake` it when a question was asked, or something became of one."""

    def __init__(
        self, codex: Codex, *, database: Database, recorder: Recorder, threads: Threads, asking: Asking, clock: Clock
    ) -> None:
        self._codex = codex
        self._database = database
        self._recorder = recorder
        self._threads = threads
        self._asking = asking
        self._clock = clock
        self._wake = asyncio.Event()
        self._said: set[str] = set()
        """What was answered in the present session."""
        self._repeating: dict[str, _Repeating] = {}
        """By thread: until when Codex may repeat what is open."""
        self._repeated_at: float | None = None
        """When whatever Codex repeats has been heard, after a companion's file was lost; None: not yet, or long ago."""
        self.asked_anew: Callable[[], Awaitable[None]] = _nothing
        """Called when whatever was asked under a forgotten name is closed and asked anew."""
        self._in_doubt: set[str] = set()
        """Words of which an attempt may have reached Codex: before us, or over a connection that ended."""

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    async def decide(self, answer: ApprovalAnswer) -> None:
        """Make a person's decision durable, and have it answered."""
        choice = Choice(answer.option_id, answer.content, answer.message)
        with correlated(x_request_id=answer.x_request_id, traceparent=answer.traceparent):
            new = await self._database.run(lambda db: approvals.decide(db, answer.approval_id, choice))
            log.info("approval.decided", approval_id=answer.approval_id, option_id=answer.option_id, new=new)
        self._wake.set()

    async def expire(self, approval_id: str) -> None:
        """Nobody decided in time: refuse, where it is ours to refuse."""

        def decide(db: sqlite3.Connection) -> bool:
            row = approvals.find(db, approval_id)
            refusal = None if row is None or row.state == "ended" else questions.declining(row.method, row.params)
            return refusal is not None and approvals.decide(db, approval_id, Choice(refusal))

        if not self._asking.shared:
            log.info("approval.expired", approval_id=approval_id, refused=await self._database.run(decide))
            self._wake.set()

    async def forget(self, approval_id: str) -> None:
        """The runtime closed it: nobody is to be told of its end, and nobody can answer it any more."""

        def end(db: sqlite3.Connection) -> None:
            row = approvals.find(db, approval_id)
            if row is not None and not row.answered:
                approvals.end(db, row, self._clock.now().timestamp(), words=False)

        await self._database.run(end)

    async def begin(self, session: Session) -> None:
        """A session begins: what an earlier Codex asked died with it."""
        gone = {row.incarnation for row in await self._database.run(approvals.open_ones)} - {session.incarnation}
        left = [one for one in gone if not await self._codex.shared_lives_as(one)]
        self._asking.begin(session.incarnation, shared=session.shared)
        self._said.clear()
        self._repeating.clear()
        self._repeated_at = None
        await self._end(lambda row: row.incarnation in left, approvals_ends.codex_ended)
        lost = partial(approvals_ends.codex_ended, reason=approvals_ends.OUT_OF_REACH)
        await self._end(lambda row: row.thread_id != row.told_in, lost)

    async def codex_ended(self) -> None:
        """Our own app-server is no more."""
        if not self._asking.shared:
            await self._end(lambda row: row.incarnation == self._asking.incarnation, approvals_ends.codex_ended)

    async def taken_up(self, thread: Thread) -> None:
        """Codex asks again what is still open in this thread, at about the time at which it is taken up."""
        now = self._clock.monotonic()
        self._repeating[thread.thread_id] = _Repeating(now + REPEAT_SECONDS, now + LONGEST_REPEAT_SECONDS)
        self._wake.set()

    def caught_up(self) -> None:
        """Every thread that Codex has loaded is taken up: what it repeats now is what was asked before."""
        if self._asking.forgotten:
            self._repeated_at = self._clock.monotonic() + LONGEST_REPEAT_SECONDS
            self._wake.set()

    async def _forget_names(self) -> float | None:
        """Once whatever was asked before is asked anew, there is nothing under the forgotten names any more."""
        if self._repeated_at is None:
            return None
        left = self._repeated_at - self._clock.monotonic()
        if left > 0:
            return left
        self._repeated_at, self._asking.forgotten = None, ()
        await self.asked_anew()
        return None

    async def run(self) -> None:
        """Answer, forever."""
        self._in_doubt = {row.approval_id for row in await self._database.run(approvals.words_due)}
        while True:
            self._wake.clear()
            waits = [await self._finish(), await self._end_unheard(), await self._forget_names()]
            await self._answer_all()
            await self._say_words()
            try:
                async with asyncio.timeout(min((one for one in waits if one is not None), default=None)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _finish(self) -> float | None:
        """End what is overdue; the seconds until it is looked again."""
        events, more = await self._database.run(lambda db: approvals_ends.overdue(db, self._clock.now()))
        if events:
            await self._recorder.record(events)
        return LOOK_SECONDS if more else None

    async def _end_unheard(self) -> float | None:
        """End what Codex did not ask again: it was resolved while we were away. The seconds until there is more."""
        asking, now = self._asking, self._clock.monotonic()
        unheard = [
            row
            for row in await self._database.run(approvals.open_ones)
            if row.incarnation == asking.incarnation and row.approval_id not in asking.heard
        ]
        waiting = {row.thread_id for row in unheard}
        for thread_id, repeating in list(self._repeating.items()):
            if thread_id not in waiting:
                del self._repeating[thread_id]
            elif repeating.until <= now and (repeating.at_most <= now or not await self._is_waited_for(thread_id)):
                over = {row.approval_id for row in unheard if row.thread_id == thread_id}
                ending = partial(approvals_ends.absent, shared=asking.shared)
                await self._end(lambda row, over=over: row.approval_id in over - asking.heard, ending)
                self._repeating.pop(thread_id, None)
        times = [one.until - now for one in self._repeating.values()]
        return max(LOOK_SECONDS, min(times)) if times else None

    async def _is_waited_for(self, thread_id: str) -> bool:
        """Whether Codex says that this thread waits for somebody, or does not say anything."""
        try:
            raw = await self._codex.call("thread/read", {"threadId": thread_id})
        except CodexError:
            return True
        return bool(msgspec.json.decode(raw, type=_Read).thread.status.activeFlags)

    async def _end(self, which: Callable[[Row], bool], ending: Ending) -> None:
        """End every open question that is one of those."""
        now = self._clock.now()

        def end(db: sqlite3.Connection) -> int:
            events = [ending(db, row, now) for row in approvals.open_ones(db) if which(row)]
            self._recorder.store(db, events, [])
            return len(events)

        ended = await self._database.run(end)
        if ended:
            log.info("approvals.ended", number=ended)
            self._recorder.written()
            self._wake.set()

    async def _answer_all(self) -> None:
        session = self._codex.session
        if session is None or session.incarnation != self._asking.incarnation:
            return
        ready = [row for row in await self._database.run(approvals.open_ones) if self._is_ready(row)]
        for row in ready:
            await self._answer(session, row)

    def _is_ready(self, row: Row) -> bool:
        decided = row.choice is not None and row.resolved_at is None
        return decided and row.approval_id in self._asking.heard and row.approval_id not in self._said

    async def _answer(self, session: Session, row: Row) -> None:
        assert row.choice is not None
        try:
            answer = Answer(result=questions.wire(row.method, row.params, row.choice))
        except Unfit as unfit:
            log.error("approval.unfit", approval_id=row.approval_id, error=str(unfit))  # noqa: TRY400  # the words tell
            await self._close_unfit(session, row)
            return
        if not await self._database.run(lambda db: approvals.answering(db, row.approval_id)):
            return
        log.info("approval.answered", approval_id=row.approval_id, option_id=row.choice.option_id)
        await self._send(session, row, answer)

    async def _close_unfit(self, session: Session, row: Row) -> None:
        """The runtime took what does not fit: it can't be said, and nothing else was decided."""
        await self._end(
            lambda one: one.approval_id == row.approval_id,
            partial(approvals_ends.closed, reason=UNFIT),
        )
        if not session.shared:
            await self._send(session, row, questions.unfit(row.method))

    async def _send(self, session: Session, row: Row, answer: Answer) -> None:
        self._said.add(row.approval_id)
        try:
            await session.connection.reply(msgspec.Raw(row.codex_id.encode()), answer)
        except CodexError as error:  # it is asked again in the next session, where it is still open
            self._said.discard(row.approval_id)
            log.info("approval.not_answered", approval_id=row.approval_id, error=str(error))

    async def _say_words(self) -> None:
        """Tell the model what people said with their refusals, in the turn that was refused something."""
        for row in await self._database.run(approvals.words_due):
            thread = self._threads.get(row.told_in)
            try:
                trouble = "the thread is not known any more" if thread is None else await self._steer(row)
            except CodexRefused as refused:
                trouble = refused.message
            except CodexError as error:  # the next session begins with them
                log.info("approval.words_wait", approval_id=row.approval_id, error=str(error))
                self._in_doubt.add(row.approval_id)
                return
            events = [] if thread is None or trouble is None else [self._unsaid(thread, row, trouble)]
            await self._said_words(row, events)

    async def _steer(self, row: Row) -> None:
        assert row.choice is not None
        client_id = f"{CLIENT_MESSAGE}{row.approval_id}"
        if row.approval_id in self._in_doubt:
            found = await history.turn_of_message(
                self._codex.call, row.thread_id, client_id, within_items=IN_DOUBT_ITEMS
            )
            if found is not None:
                return
        params = {
            "threadId": row.thread_id,
            "expectedTurnId": row.turn_id,
            "input": [{"type": "text", "text": row.choice.message}],
            "clientUserMessageId": client_id,
        }
        await self._codex.call("turn/steer", params)
        log.info("approval.words_said", approval_id=row.approval_id)

    def _unsaid(self, thread: Thread, row: Row, trouble: str) -> Event:
        told = {"approval_id": row.approval_id, "turnId": row.turn_id, "reason": trouble}
        event_id = f"words:{row.approval_id}"
        return self._recorder.fact(thread, "desktop/words_not_said", told, event_id=event_id, turn_id=row.turn_id)

    async def _said_words(self, row: Row, events: Sequence[Event]) -> None:
        def settle(db: sqlite3.Connection) -> None:
            self._recorder.store(db, events, [])
            approvals.words_said(db, row.approval_id)

        await self._database.run(settle)
        self._recorder.written()
