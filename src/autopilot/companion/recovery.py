"""Hear of every thread again, and fill in what was missed: after Codex or the companion was away.

Owns the comparison of Codex's history with what was put into the outbox. Every item that Codex has in its history gets
its `item/completed` (the same event id as the live one: what was put already is not put twice), every turn that ended
its `turn/completed`; what was begun and will never be completed is said. Never asks Codex to do anything.

Threads in which something ran, and the latest active ones, are taken up at once when a session begins; the histories of
the others are compared afterwards, one at a time, without Codex having to load them. Which Codex a thread's history was
compared with is kept with the thread: whenever its turn comes, what an earlier one took with it is said. Threads of the
user's own programs are only taken up where those have them loaded, or when somebody asks (places.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import structlog

from autopilot.companion import threads as registry
from autopilot.companion.codex import history, translate
from autopilot.companion.codex.history import IN_PROGRESS, INTERRUPTED, HistoryTurn
from autopilot.companion.codex.messages import CodexError, CodexGone, CodexRefused, CodexTooLarge, CodexUnavailable
from autopilot.companion.codex.supervisor import Codex, Session
from autopilot.companion.codex.translate import Event, Names
from autopilot.companion.database import Database
from autopilot.companion.outbox import Outbox
from autopilot.companion.places import Places
from autopilot.companion.recorder import Recorder
from autopilot.companion.threads import OpenItem, Thread, Threads
from autopilot.ops.clock import Clock

RESUMED_AT_ONCE = 64
"""So many threads, the latest active first, are taken up when Codex starts, and all in which something ran."""
SETTLE_SECONDS = 1.0
"""So long a Codex that is gone is heard to its end: also when the companion is about to end."""
SMALLER_PAGES = (10, 1, 0)
"""So many items of a history are asked for after a page of more was too large for the connection; 0: none are read."""
TURN_BYTES = 8 * 1024 * 1024
"""What is filled in of a turn is written down when it is so much, and not kept in memory to its end."""
COMPARED_A_SECOND = 20
"""The others are compared no faster than this: who has thousands shall not notice."""

log = structlog.get_logger(__name__)


class Recovery:
    """The listener of Codex's sessions."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        threads: Threads,
        recorder: Recorder,
        *,
        places: Places,
        clock: Clock,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._threads = threads
        self._recorder = recorder
        self._places = places
        self._clock = clock
        self._caught_up = asyncio.Event()
        self._pages: dict[str, int] = {}
        """Threads whose history was too large for a page, and how many items are asked for since."""
        self.codex: Codex | None = None
        """Set once, by whoever composes."""
        self.begins: Callable[[Session], Awaitable[None]] | None = None
        """Called before anything is caught up."""
        self.taken_up: Callable[[Thread], Awaitable[None]] | None = None
        """Called when a thread is heard of, and what was missed of it is filled in."""
        self.heard: Callable[[Thread], Awaitable[None]] | None = None
        """Called when a thread is heard of from now on: taken up, or started by us."""
        self.ended: Callable[[], Awaitable[None]] | None = None
        """Called when the Codex that was connected is no more."""
        self.began: Callable[[Session], Awaitable[None]] | None = None
        """Called when everything is caught up."""
        self.changed: Callable[[], None] = lambda: None
        """Called when a session has begun or ended."""

    async def session_began(self, session: Session) -> None:
        """Take the threads up again, and say what an earlier Codex took with it."""
        self._threads.incarnation = session.incarnation
        self.changed()
        await self._recorder.settle()
        if self.begins is not None:
            await self.begins(session)
        unfinished = await self._database.run(registry.unfinished)
        open_threads = self._latest_first()
        ran = [one for one in open_threads[RESUMED_AT_ONCE:] if one.active_turn or one.thread_id in unfinished]
        known = bool(open_threads)  # a file that knows none is new: what an older one knew may still be loaded
        loaded = await self._places.loaded() if session.shared or not known else []
        for thread in [*open_threads[:RESUMED_AT_ONCE], *ran]:
            if thread.thread_id in loaded or self._places.may_be_taken_up(thread, session):
                await self._first_of_all(thread.thread_id, self.resume(thread))
        for thread_id in loaded:
            await self._first_of_all(thread_id, self.adopt(thread_id))
        self._caught_up.set()
        if self.began is not None:
            await self.began(session)

    async def session_ended(self, session: Session) -> None:
        """Nothing is heard of any thread."""
        log.info("codex.disconnected", incarnation=session.incarnation)
        self.changed()
        self._caught_up.clear()
        self._recorder.forget_unplaced()
        for thread in self._threads:
            thread.subscribed = thread.compared = False
        if self.ended is not None and self.codex is not None and self.codex.gone:
            with contextlib.suppress(TimeoutError):  # its recorder may be waiting for room on the disk
                async with asyncio.timeout(SETTLE_SECONDS):
                    await self._recorder.settle()
            await self.ended()

    async def compare_the_rest(self) -> None:
        """Fill in what was missed of the threads that were not taken up at once, whenever a session began; forever."""
        while True:
            await self._caught_up.wait()
            self._caught_up.clear()
            rest = [one for one in self._latest_first() if not one.compared]
            try:
                compared = 0
                for thread in rest:
                    compared += await self._compared(thread)
                    await self._clock.sleep(1 / COMPARED_A_SECOND)
            except (CodexGone, CodexUnavailable) as error:  # the next session begins with all that is left
                log.info("threads.not_all_compared", error=str(error))
            except sqlite3.OperationalError:  # begun again by whoever supervises this
                self._caught_up.set()
                raise
            else:
                log.info("threads.compared", threads=compared, not_compared=len(rest) - compared)

    async def _first_of_all(self, thread_id: str, doing: Awaitable[object]) -> None:
        """Do this for a thread before the session has begun; where it can't be done, the others have their turn.

        Raises:
            CodexError: it can't be done for any: Codex answers nothing at all, or is gone.
        """
        if not await self._by_itself(thread_id, doing):
            await self._places.loaded()

    async def _compared(self, thread: Thread) -> bool:
        return await self._by_itself(thread.thread_id, self._compare(thread))

    async def _by_itself(self, thread_id: str, doing: Awaitable[object]) -> bool:
        """Do this for a thread, in its time; False: it can't be now, which is no reason to leave out the others.

        Raises:
            CodexGone, CodexUnavailable: no other can be either.
            sqlite3.OperationalError: nothing can be written down.
        """
        try:
            await doing
        except (CodexGone, CodexUnavailable, sqlite3.OperationalError):
            raise
        except CodexError as error:
            log.warning("thread.not_compared", thread_id=thread_id, error=str(error))
        except Exception:  # whatever is odd about one history is only its own; the next session tries it again
            log.exception("thread.not_compared", thread_id=thread_id)
        else:
            return True
        return False

    async def resume(self, thread: Thread) -> None:
        """Hear of the thread from now on, and fill in what was missed. Refusals of Codex's are said in the log.

        Raises:
            CodexError: the connection failed; it is done again with the next session.
        """
        async with thread.reading:
            if not (thread.subscribed and thread.compared):
                await self._read(thread, self._take_up)
                if thread.subscribed and self.taken_up is not None:
                    await self.taken_up(thread)
                await self._hear(thread)

    async def _compare(self, thread: Thread) -> None:
        """Fill in what was missed; where a turn runs, hear of it from now on."""
        async with thread.reading:
            if not thread.compared and thread.is_open:
                await self._read(thread, self._fill_in)
        if thread.active_turn is not None and not thread.subscribed:
            await self.resume(thread)

    def _latest_first(self) -> list[Thread]:
        return sorted((one for one in self._threads if one.is_open), key=lambda one: -one.active_at)

    async def _read(self, thread: Thread, reading: Callable[[Thread], Awaitable[None]]) -> None:
        """Do what reads the history, while what Codex says of the thread meanwhile is held back."""
        thread.held_back = []
        try:
            await reading(thread)
        except CodexRefused as refused:
            await self._refused(thread, refused)
        except msgspec.DecodeError as error:
            log.error("thread.history_unreadable", thread_id=thread.thread_id, error=str(error))  # noqa: TRY400  # drift
        except CodexTooLarge:  # it ended the connection: the next one must not ask for the same again
            smaller = next((size for size in SMALLER_PAGES if size < self._limit(thread)), 0)
            self._pages[thread.thread_id] = smaller
            log.warning("thread.history_in_smaller_pages", thread_id=thread.thread_id, items=smaller)
            raise
        finally:
            await self._recorder.release(thread)

    async def _take_up(self, thread: Thread) -> None:
        await self._call("thread/resume", {"threadId": thread.thread_id, "excludeTurns": True})
        await self._places.taken_up(thread)
        await self._fill_in(thread)

    async def look_again(self, thread: Thread) -> int:
        """Fill in what another process has written meanwhile; how many events that were.

        Raises:
            CodexError: the connection failed.
        """
        thread.compared, thread.filled = False, 0
        await self._compare(thread)
        return thread.filled

    def _died(self, thread: Thread) -> bool:
        """Whether the Codex is gone that this thread's history was compared with last."""
        return thread.incarnation not in {None, self._threads.incarnation}

    async def refill(self, left_out: dict[str, int]) -> None:
        """Say of these workers how many events found no room, and read from Codex's history what it keeps of them."""
        for worker_id, events in left_out.items():
            thread = self._threads.of_worker(worker_id)
            if thread is None:
                continue
            thread.whole = thread.compared = False
            await self._database.run(partial(self._say_left_out, thread, events))
            self._recorder.written()
            await self.resume(thread)

    def _say_left_out(self, thread: Thread, events: int, db: sqlite3.Connection) -> None:
        told = {"events": events, "reason": "the companion's outbox was full"}
        event_id = f"left_out:{uuid.uuid4().hex[:12]}"
        fact = self._recorder.fact(thread, "desktop/events_left_out", told, event_id=event_id)
        self._recorder.store(db, [fact], [thread])
        self._outbox.said_left_out(db, thread.worker_id, events)

    async def reread(self, thread: Thread) -> None:
        """The ledger has lost some of this thread: read all of it from Codex's history again.

        Raises:
            CodexError: Codex is away; nothing was forgotten.
        """
        raw = msgspec.json.decode(await self._call("thread/read", {"threadId": thread.thread_id}), type=_Thread).thread
        await self._database.run(lambda db: self._outbox.forget_all(db, thread.worker_id))
        thread.whole = thread.compared = False
        await self.introduce(raw)
        told = {"reason": "the ledger had less than it was sent"}
        event_id = f"ledger_went_back:{uuid.uuid4().hex[:12]}"
        await self._recorder.record(
            [self._recorder.fact(thread, "desktop/history_sent_again", told, event_id=event_id)]
        )
        await self.resume(thread)

    async def adopt(self, thread_id: str) -> Thread | None:
        """Make a thread that we don't know a worker, with its whole history; None: it is one that must not be.

        Raises:
            CodexError: Codex does not know it, or is away.
        """
        thread = self._threads.get(thread_id)
        if thread is None:
            read = await self._call("thread/read", {"threadId": thread_id})
            raw = msgspec.json.decode(read, type=_Thread).thread
            named = translate.names(msgspec.Raw(b'{"thread":' + bytes(raw) + b"}"))
            if named.hidden_thread:
                self._threads.hide(thread_id, named.came_from)
                await self._recorder.hear_again(thread_id)
                return None
            thread = await self.introduce(raw)
        self._recorder.forget_unplaced(thread_id)  # Codex repeats what it asks
        if not thread.subscribed and thread.is_open:
            await self.resume(thread)
        return thread

    async def introduce(self, raw: msgspec.Raw) -> Thread:
        """The worker of a thread that Codex described in an answer; its `thread/started` is put once."""
        now = datetime.now(UTC)
        thread = self._threads.introduce(msgspec.json.decode(raw), now=now.timestamp())
        named = Names(thread_id=thread.thread_id)
        event_id = translate.identity("thread/started", named) or ""
        params = {"thread": raw}
        event = translate.make(named, "thread/started", params, event_id=event_id, occurred_at=now, backfilled=True)
        await self._recorder.record([event])
        return thread

    async def started(self, raw: msgspec.Raw) -> Thread:
        """The worker of a thread that we have started, by Codex's answer to that: whoever starts one hears of it."""
        thread = await self.introduce(msgspec.json.decode(raw, type=_Thread).thread)
        thread.subscribed = True
        await self._hear(thread)
        return thread

    async def _hear(self, thread: Thread) -> None:
        if thread.subscribed and self.heard is not None:
            await self.heard(thread)

    async def _fill_in(self, thread: Thread) -> None:
        if self._limit(thread) == 0:
            log.error("thread.history_too_large", thread_id=thread.thread_id)
            thread.compared = True  # it is heard of all the same
            return
        incarnation, died = self._threads.incarnation, self._died(thread)
        died = died and (thread.subscribed or not await self._places.may_run(thread))
        open_items = await self._database.run(lambda db: registry.open_items(db, thread.thread_id))
        turns = await self._turns_to_compare(thread, {item.turn_id for item in open_items})
        # Codex calls a turn interrupted that another process may well be running: that one has no end yet.
        doubtful = bool(turns) and turns[0].completed_at is None and not (thread.subscribed or died)
        filled = 0
        for turn in reversed(turns):
            begun = [item for item in open_items if item.turn_id == turn.turn_id]
            over = turn.status != IN_PROGRESS and not (doubtful and turn is turns[0])
            filled += await self._fill_in_turn(thread, turn, begun, died=died, over=over)
        running = turns[0].turn_id if turns and turns[0].status == IN_PROGRESS else None
        thread.whole, thread.active_turn, thread.filled, thread.doubtful = True, running, filled, doubtful
        # Last: whoever dies before this finds out again that something was lost.
        thread.compared = incarnation == self._threads.incarnation
        if not doubtful:
            thread.incarnation = incarnation
        await self._database.run(lambda db: self._threads.save(db, thread))
        log.info(
            "thread.resumed" if thread.subscribed else "thread.compared",
            thread_id=thread.thread_id,
            turns=len(turns),
            filled_in=filled,
            running=running,
        )

    async def _turns_to_compare(self, thread: Thread, unfinished: set[str]) -> list[HistoryTurn]:
        """The turns since the last one of which everything is known to be put, newest first."""
        found: list[HistoryTurn] = []
        missing = set(unfinished)
        pages = history.turns(self._call, thread.thread_id, newest_first=True, limit=self._limit(thread))
        async for turn in pages:
            found.append(turn)
            missing.discard(turn.turn_id)
            if thread.whole and not missing and turn.turn_id not in unfinished and await self._ended(thread, turn):
                break
        return found

    def _limit(self, thread: Thread) -> int:
        return self._pages.get(thread.thread_id, history.PAGE)

    async def _ended(self, thread: Thread, turn: HistoryTurn) -> bool:
        """Whether we have put the end of this turn."""
        event_id = translate.identity("turn/completed", Names(thread.thread_id, turn.turn_id)) or ""
        return await self._database.run(lambda db: self._outbox.knows(db, thread.worker_id, event_id))

    async def _fill_in_turn(
        self, thread: Thread, turn: HistoryTurn, begun: list[OpenItem], *, died: bool, over: bool
    ) -> int:
        named = Names(thread.thread_id, turn.turn_id, turn_status=turn.status)
        events: list[Event] = [self._turn_event(named, "turn/started", turn, turn.started_at)]
        completed: set[str | None] = set()
        new = size = 0
        pages = history.items(self._call, thread.thread_id, turn_id=turn.turn_id, limit=self._limit(thread))
        async for entry in pages:
            event = _item_event(thread.thread_id, entry)
            completed.add(event.item_id)
            events.append(event)
            size += len(entry.item)
            if size > TURN_BYTES:
                new += await self._recorder.record(events)
                events.clear()
                size = 0
        lost = [item for item in begun if item.item_id not in completed]
        if over and died and (lost or (turn.status == INTERRUPTED and not await self._ended(thread, turn))):
            events.append(self._cut_off(thread, turn, lost))
        if over:
            events.append(self._turn_event(named, "turn/completed", turn, turn.completed_at))
        new += await self._recorder.record(events)
        if over and died:
            await self._database.run(lambda db: registry.close_items(db, thread.thread_id, turn.turn_id))
        return new

    def _turn_event(self, named: Names, method: str, turn: HistoryTurn, at: float | None) -> Event:
        params = {"threadId": named.thread_id, "turn": turn.raw}
        occurred = (None if at is None else translate.moment(at * 1000)) or datetime.now(UTC)
        event_id = translate.identity(method, named) or ""
        return translate.make(named, method, params, event_id=event_id, occurred_at=occurred, backfilled=True)

    def _cut_off(self, thread: Thread, turn: HistoryTurn, lost: list[OpenItem]) -> Event:
        """Our own fact: Codex ended under this turn, and these items will never be completed."""
        told = {
            "turnId": turn.turn_id,
            "status": turn.status,
            "reason": "codex_ended",
            "lostItems": [{"id": item.item_id, "type": item.item_type} for item in lost],
        }
        event_id = f"cut_off:{turn.turn_id}"
        return self._recorder.fact(thread, "desktop/turn_cut_off", told, event_id=event_id, turn_id=turn.turn_id)

    async def _refused(self, thread: Thread, refused: CodexRefused) -> None:
        """Codex won't let us hear of it: say why, once."""
        log.warning("thread.not_resumed", thread_id=thread.thread_id, reason=refused.message)
        if "no rollout found" in refused.message and not self._died(thread):
            return  # it has had no turn yet; it is heard of from its first one on
        if "no rollout found" in refused.message:
            told = {"reason": refused.message}
            lost = self._recorder.fact(thread, "desktop/thread_lost", told, event_id="thread:lost")
            await self._recorder.record([lost])
        elif await self._places.refused(thread, refused):
            await self._fill_in(thread)

    async def _call(self, method: str, params: Any) -> msgspec.Raw:
        assert self.codex is not None
        return await self.codex.call(method, params)


class _Thread(msgspec.Struct, frozen=True):
    thread: msgspec.Raw


def _item_event(thread_id: str, entry: history.HistoryItem) -> Event:
    params = entry.params(thread_id)
    named = translate.names(msgspec.Raw(msgspec.json.encode(params)))
    occurred = translate.moment(entry.completedAtMs) or datetime.now(UTC)
    event_id = translate.identity("item/completed", named) or ""
    return translate.make(named, "item/completed", params, event_id=event_id, occurred_at=occurred, backfilled=True)
