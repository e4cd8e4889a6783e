"""From Codex's connection to the outbox: everything it says is written down before anything else happens with it.

Owns the bounded queue between the connection and the file. Joins previews, passes over hidden threads, introduces new
ones; what Codex asks becomes a question to people, and ends with what Codex says, in the same transaction. Relies on
`Threads` for who is a worker, on `Asking` for what a question says. Never waits for the network.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from autopilot.companion import approvals_ends
from autopilot.companion import threads as registry
from autopilot.companion.approvals_asking import Asked, Asking
from autopilot.companion.codex import questions, translate
from autopilot.companion.codex.coalesce import Coalescer, Said
from autopilot.companion.codex.messages import Message
from autopilot.companion.codex.translate import Event, Names
from autopilot.companion.database import Database
from autopilot.companion.facts import MachineFacts
from autopilot.companion.outbox import Outbox
from autopilot.companion.threads import OpenItem, Thread, Threads
from autopilot.ops.clock import Clock

QUEUE_MESSAGES = 4000
BATCH_MESSAGES = 500
OVERHEARD = approvals_ends.FOLLOWED | {"item/started"}
"""What is followed of threads that are no workers, for the sake of their questions."""
MAX_UNPLACED, MAX_UNPLACED_EACH = 100, 50
"""Threads that Codex asks for before it is known what they are, and what is kept of each until it is."""
MAX_HELD_BACK = 5000
"""While a thread's history is read, so many of its live notifications wait; more are written at once, out of order."""

Answer = Callable[[Message, questions.Answer], Awaitable[None]]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Mark:
    """In the queue: everything before it is written when it is reached."""

    reached: asyncio.Future[None]


class Recorder:
    """Give `take` to the connection as its sink, and keep `run` running."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        threads: Threads,
        facts: MachineFacts,
        clock: Clock,
        *,
        asking: Asking,
        answer: Answer,
    ) -> None:
        """`answer` takes to Codex what no person is asked."""
        self._database = database
        self._outbox = outbox
        self._threads = threads
        self._facts = facts
        self._clock = clock
        self._asking = asking
        self._answer = answer
        self._queue: asyncio.Queue[Message | _Mark] = asyncio.Queue(QUEUE_MESSAGES)
        self._coalescer = Coalescer()
        self._unplaced: dict[str, list[Message]] = {}
        """By thread: what was said before it was known what it is."""
        self._crowded: list[Message] = []
        """What found no place among these: to be refused with the batch that brought it."""
        self._incarnation = uuid.uuid4().hex[:12]
        self._numbers = itertools.count(1)
        self.written: Callable[[], None] = lambda: None
        """Called when there is something new in the outbox."""
        self.failed: Callable[[], None] = lambda: None
        """Called when something could not be written: it is to be read again from Codex's history."""
        self.stranger: Callable[[str], None] = lambda _thread_id: None
        """Called with the id of a thread that lives, and of which we don't hear everything."""
        self.asked: Callable[[], None] = lambda: None
        """Called when a question was asked, or something may have become of one."""

    async def take(self, message: Message) -> None:
        """One message of Codex's; waits only while the queue is full."""
        await self._queue.put(message)

    async def hear_again(self, thread_id: str) -> None:
        """It is known by now that this thread is no worker: take what it asked before."""
        for message in self._unplaced.pop(thread_id, []):
            await self.take(message)

    def forget_unplaced(self, thread_id: str | None = None) -> None:
        """It is known by now that this thread is a worker, of which everything is heard again; None: of all threads."""
        if thread_id is None:
            self._unplaced.clear()
        else:
            self._unplaced.pop(thread_id, None)

    async def refuse_unplaced(self, thread_id: str) -> None:
        """Codex says nothing of this thread: nobody can be asked what it asks."""
        await self._refuse(self._unplaced.pop(thread_id, []))

    async def settle(self) -> None:
        """Everything taken so far is written when this returns."""
        mark = _Mark(asyncio.get_running_loop().create_future())
        await self._queue.put(mark)
        await mark.reached

    async def run(self) -> None:
        """Write, forever."""
        while True:
            batch = await self._batch()
            marks = [one for one in batch if isinstance(one, _Mark)]
            try:
                messages = [one for one in batch if not isinstance(one, _Mark)]
                await self._write(messages, everything=bool(marks))
            except BaseException:
                self.failed()
                raise
            finally:
                for mark in marks:
                    if not mark.reached.done():
                        mark.reached.set_result(None)

    async def record(self, events: Sequence[Event | Asked]) -> int:
        """Put events of known threads into the outbox, with what they say about their threads; how many were new."""
        if not events:
            return 0
        touched = {event.thread_id: self._known(event.thread_id) for event in events}
        new = await self._database.run(lambda db: self.store(db, events, touched.values()))
        self.written()
        await self._after([one for one in events if isinstance(one, Asked)])
        if any(isinstance(one, Asked) or one.method in approvals_ends.FOLLOWED for one in events):
            self.asked()
        return new

    def store(self, db: sqlite3.Connection, events: Iterable[Event | Asked], touched: Iterable[Thread]) -> int:
        """The same, inside a transaction of the caller's; call `written` afterwards."""
        for thread in touched:
            self._threads.save(db, thread)
        return sum(self._store_one(db, one) for one in events)

    def _store_one(self, db: sqlite3.Connection, one: Event | Asked) -> int:
        if isinstance(one, Asked):
            return self._put(db, self._asking.ask(db, one))
        registry.note_item(db, one)
        new = 0 if self._threads.is_hidden(one.thread_id) else self._put(db, [one])
        if one.method in approvals_ends.FOLLOWED:
            new += self._put(db, approvals_ends.follow(db, one, self._asking.incarnation, self._clock.now()))
        return new

    def _put(self, db: sqlite3.Connection, events: Sequence[Event]) -> int:
        new = 0
        for event in events:
            thread = self._known(event.thread_id)
            new += self._outbox.put(db, thread.worker_id, [event], parked=not thread.is_open)
        return new

    async def _after(self, asked: Sequence[Asked]) -> None:
        """What was asked is on the file: it may be answered."""
        for one in asked:
            log.info("codex.asked", method=one.message.method, approval_id=one.approval_id, refused=one.refused)
            self._asking.heard.add(one.approval_id)
            if one.refused:
                await self._answer(one.message, questions.unsupported(str(one.message.method)))

    def fact(
        self, thread: Thread, method: str, params: dict[str, Any], *, event_id: str, turn_id: str | None = None
    ) -> Event:
        """An event of our own about a thread (`desktop/…`)."""
        named = Names(thread_id=thread.thread_id, turn_id=turn_id)
        told = {"threadId": thread.thread_id, **params}
        return translate.make(named, method, told, event_id=event_id, occurred_at=self._clock.now())

    async def open_items(self, thread: Thread) -> list[OpenItem]:
        """What Codex has begun in this thread and not completed, by all that it said so far."""
        await self.settle()
        return await self._database.run(lambda db: registry.open_items(db, thread.thread_id))

    async def release(self, thread: Thread) -> None:
        """Write what was held back while the thread's history was read."""
        held, thread.held_back = thread.held_back or [], None
        try:
            await self.record(self._events(held))
        except Exception:
            self.failed()  # nobody has it any more: Codex tells it anew
            raise

    async def _write(self, messages: Sequence[Message], *, everything: bool) -> None:
        """Write these down; `everything`: also previews that could wait."""
        now = self._clock.monotonic()
        said = [each for message in messages for each in self._said(message, now)]
        said += self._coalescer.release_all() if everything else self._coalescer.due(now)
        await self.record(self._events(said))
        for message in messages:
            if message.id:
                await self._answer_as_machine(message)
        crowded = self._crowded.copy()
        self._crowded.clear()
        await self._refuse(crowded)

    async def _refuse(self, messages: Sequence[Message]) -> None:
        """Answer what can't be kept for a person: Codex waits. On the shared daemon others may."""
        for message in messages:
            if message.id and not self._asking.shared:
                log.warning("codex.question_refused", method=message.method)
                await self._answer(message, questions.nobody_to_ask(str(message.method)))

    async def _answer_as_machine(self, message: Message) -> None:
        """Answer what no person is asked, and what names nobody who could be.

        On the shared daemon others may know the answer, and have the secrets.
        """
        method = str(message.method)
        if method == questions.CURRENT_TIME or (method in questions.SECRETS and not self._asking.shared):
            await self._answer(message, questions.answer_of_machine(method, self._clock.now()))
        elif not self._asking.shared and self._is_nobodys(message):
            await self._answer(message, questions.unsupported(method))

    def _is_nobodys(self, message: Message) -> bool:
        """Whether it names no thread, or one that came from no worker: no person can be asked, and Codex waits."""
        thread_id = translate.names(message.params).thread_id
        return thread_id is None or (
            self._threads.is_hidden(thread_id) and self._threads.asks_through(thread_id) is None
        )

    async def _batch(self) -> list[Message | _Mark]:
        """What has come, at least one unless held previews are due first."""
        due = self._coalescer.next_due
        try:
            async with asyncio.timeout(None if due is None else max(0.0, due - self._clock.monotonic())):
                batch = [await self._queue.get()]
        except TimeoutError:
            return []
        while len(batch) < BATCH_MESSAGES and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch

    def _said(self, message: Message, now: float) -> list[Said]:
        named = translate.names(message.params)
        if named.thread_id is None and not message.id:
            log.debug("codex.machine_fact", method=message.method)
            self._facts.take(message, self._clock.now())
        if named.thread_id is None or questions.is_to_machine(str(message.method)):
            return []
        if named.hidden_thread:
            self._threads.hide(named.thread_id, named.came_from)
        if self._threads.is_hidden(named.thread_id):
            return self._overheard(message, named)
        thread = self._threads.get(named.thread_id)
        if thread is None and message.method == "thread/started":
            told = msgspec.json.decode(message.params)["thread"]
            thread = self._threads.introduce(told, now=self._clock.now().timestamp())
        elif thread is None or (not thread.subscribed and message.method == "thread/status/changed"):
            self.stranger(named.thread_id)
        if thread is None:
            self._keep_unplaced(named.thread_id, message)
        return [] if thread is None else self._coalescer.add(message, named, now)

    def _overheard(self, message: Message, named: Names) -> list[Said]:
        """Of a thread that is no worker and came from one: what it asks, and what becomes of that."""
        if self._threads.asks_through(named.thread_id) is None:
            return []
        return [Said(message, named)] if message.id or message.method in OVERHEARD else []

    def _keep_unplaced(self, thread_id: str, message: Message) -> None:
        if not message.id and message.method not in OVERHEARD:
            return
        kept = self._unplaced.setdefault(thread_id, [])
        (kept if len(kept) < MAX_UNPLACED_EACH else self._crowded).append(message)
        if len(self._unplaced) > MAX_UNPLACED:
            self._crowded += self._unplaced.pop(next(iter(self._unplaced)))

    def _events(self, said: Sequence[Said]) -> list[Event | Asked]:
        events: list[Event | Asked] = []
        for one in said:
            thread = self._known(one.names.thread_id or "")
            if thread.held_back is not None and len(thread.held_back) < MAX_HELD_BACK:
                thread.held_back.append(one)
                continue
            if one.message.id:
                events.append(Asked(one.message, thread))
                continue
            number = f"note:{self._incarnation}:{next(self._numbers)}"
            now = self._clock.now()
            event = translate.translate(one.message, one.names, fallback_id=number, now=now, coalesced=one.coalesced)
            if event is not None:
                if not self._threads.is_hidden(event.thread_id):
                    registry.note(thread, event, one.names.turn_status, now.timestamp())
                events.append(event)
        return events

    def _known(self, thread_id: str) -> Thread:
        thread = self._threads.asks_through(thread_id)
        assert thread is not None, "only what is about known threads gets so far"
        return thread
