"""The one stream of a tab: whatever changes on its screen, as pieces of HTML with a place to put them.

`GET /live?worker=&after=`: the state of everything of the principal, and the events of the worker on the screen, from
the principal's one stream. A follower of the SDK feeds a bounded queue; a browser that reads slowly slows it down. A
frame says what to put where, and scripts only do that: words and looks are made here. Every few seconds a beat, so that
a browser knows a connection that stands still from one where nothing happens. Ends when the session does, when the
server stops, when the browser leaves. Never keeps what it has sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import htpy as h
from starlette.types import Receive, Send

from autopilot.client import log
from autopilot.client.backoff import is_transient
from autopilot.client.connection import ConnectionState
from autopilot.client.everything import Entry
from autopilot.client.name_book import actors_of
from autopilot.client.overview import OverviewFold, OverviewLimits
from autopilot.client.presenters import errors
from autopilot.client.timeline_items import Item
from autopilot.client.timeline_pages import HISTORY_EVENTS, PAGE_EVENTS
from autopilot.client.tokens import SignInAgain
from autopilot.contract import (
    Actor,
    Approval,
    Decision,
    Envelope,
    Receipt,
    StateGone,
    StateRecovery,
    StreamCaughtUp,
    StreamOpen,
    StreamStale,
    WorkerSummary,
)
from autopilot.contract.errors import AutopilotError, Forbidden, StaleCursor
from autopilot.web.boards import Board, Boards, Missed
from autopilot.web.parts.notices import notice_of
from autopilot.web.pieces import Pieces
from autopilot.web.visitors import Visitor
from autopilot.web.windows import Window

BEAT_SECONDS = 4.0
LOOK_SECONDS = 25.0
"""A look is good for a minute; of a tab that is hidden, its stream is closed."""
AWAY_SECONDS = 2.0
QUEUED = 64
"""Frames that the browser has not taken."""
RETRY_MS = 1000
OF_A_TAB = OverviewLimits(workers=60, machines=0, receipts=0, bodies=False)
"""Of workers the latest are put at each opening; a page has no more of them, and others come when they change."""

Renders = Callable[[Entry], Iterable["Put"]]


@dataclass(frozen=True, slots=True)
class Put:
    """An element and its place: it replaces the one of the same id, else it goes into `into`, by its `data-at`."""

    id: str
    html: h.Node
    into: str | None = None
    """The id of the element that it is put into, or several: the first that is there; None: it only ever replaces."""
    newest_first: bool = False

    def frame(self) -> bytes:
        """As it goes out."""
        order = {"into": self.into, "desc": self.newest_first} if self.into else {}
        return frame("put", {"id": self.id, **order, "html": str(h.fragment[self.html])})


def frame(kind: str, data: object, *, place: str | None = None) -> bytes:
    """One event of the stream; `place`: where it goes on from after a cut."""
    head = f"id: {place}\n" if place is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


@dataclass(slots=True)
class Tab:
    """One open tab."""

    visitor: Visitor
    boards: Boards
    render: Renders
    render_item: Callable[[Item], Iterable[Put]]
    render_held: Callable[[Iterable[StateRecovery]], Put]
    stopping: asyncio.Event
    worker_id: str | None
    after: int
    """The last event that the screen has, or is about to."""
    version: str
    """Of the app's files: a page of another one is loaded anew."""
    sleep: Callable[[float], Awaitable[None]]
    window: Window
    meet: Callable[..., Awaitable[None]]
    """Learns the names of actors, before what they did is rendered."""
    _link: ConnectionState = field(default_factory=ConnectionState, init=False)
    _stopped: asyncio.Future[None] = field(init=False)
    _has_moved: bool = field(default=False, init=False)
    """The link, since it was told."""
    _told_pending: int | None = field(default=None, init=False)

    async def run(self, receive: Receive, send: Send) -> None:
        """Answer the request."""
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-cache, no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        self._stopped = asyncio.get_running_loop().create_future()
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        queue: Pieces[bytes] = Pieces(QUEUED)
        await queue.put(
            b"retry: %d\n\n" % RETRY_MS + frame("hello", {"version": self.version, "session": self.visitor.key})
        )
        async with asyncio.TaskGroup() as tasks:
            works = [tasks.create_task(work) for work in self._works(queue, send)]
            works.append(tasks.create_task(_left(receive)))
            await asyncio.wait([*works, self._stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in works:
                task.cancel()
        await self._look_away()
        await send({"type": "http.response.body", "body": b"".join(queue.take_now()), "more_body": False})

    def _works(self, queue: Pieces[bytes], send: Send) -> Iterator[Coroutine[Any, Any, None]]:
        yield self._send(queue, send)
        yield self._beat(queue)
        yield self._until_over(self._follow(queue), queue)
        if self.worker_id is not None:
            yield self._look(self.worker_id)

    async def _until_over(self, work: Coroutine[Any, Any, None], queue: Pieces[bytes]) -> None:
        """Do it; an end that no reconnecting changes is told to the browser, after another one it comes back."""
        try:
            await work
        except Missed:
            await queue.put(frame("reload", {}))
        except StaleCursor as error:
            await queue.put(frame("reload", {"html": str(notice_of(error))}))
        except AutopilotError as error:
            if not is_transient(error):
                await queue.put(over(error))

    async def _beat(self, queue: Pieces[bytes]) -> None:
        while True:
            await self.sleep(BEAT_SECONDS)
            if queue.is_empty:
                await queue.put(frame("beat", {}))

    async def _look(self, worker_id: str) -> None:
        """Say that this worker is before somebody's eyes: of what they see nothing has to be sent to the device."""
        while True:
            try:
                await self.window.show(worker_id)
            except Forbidden:
                await asyncio.Event().wait()  # a guest: no device of theirs is ever told
            except AutopilotError as error:
                log.failure("live.look", error, worker_id=worker_id)
            await self.sleep(LOOK_SECONDS)

    async def _look_away(self) -> None:
        with suppress(AutopilotError, TimeoutError):
            async with asyncio.timeout(AWAY_SECONDS):
                await self.window.leave()

    async def _follow(self, queue: Pieces[bytes]) -> None:
        """Workers, machines, approvals, receipts and who is held, as they become; the events of the worker on screen.

        Raises:
            Missed, StaleCursor: its timeline can't be gone on from: the screen is to be loaded anew.
            AutopilotError: what no reconnecting changes, or the log can't be read now.
        """
        known = OverviewFold(OF_A_TAB)
        chosen = () if self.worker_id is None else (self.worker_id,)
        async with aclosing(self.visitor.client.follow_everything(chosen)) as follower:
            self._link = follower.state
            cancel = follower.on_state(partial(self._link_became, queue))
            try:
                async for entry in follower:
                    if self.worker_id is not None:
                        await self._go_on(queue, self.worker_id, entry)
                    if not isinstance(entry, Envelope):
                        await self._became(queue, known, entry)
            finally:
                cancel()

    async def _became(self, queue: Pieces[bytes], known: OverviewFold, entry: Entry) -> None:
        """A state, or that all of it was told."""
        known.take(entry)
        await self.meet(actor_of(entry))
        if isinstance(entry, WorkerSummary) and known.is_catching_up:
            return
        if isinstance(entry, StreamCaughtUp):
            for worker in reversed(known.overview.workers):
                await _put(queue, self.render(worker))
        await _put(queue, self.render(entry))
        if isinstance(entry, StateRecovery | StreamCaughtUp) and not known.is_catching_up:
            await queue.put(self.render_held(known.overview.recoveries).frame())
        pending = known.pending_count if known.is_known else None
        if pending is not None and (pending != self._told_pending or isinstance(entry, StreamCaughtUp)):
            self._told_pending = pending
            await queue.put(frame("inbox", {"pending": pending}))

    def _link_became(self, queue: Pieces[bytes], state: ConnectionState) -> None:
        """How the server's own connection to the ledger stands; of what changes fast the last is told."""
        self._link, self._has_moved = state, True
        if self.stopping.is_set() and not self._stopped.done():  # the API has ended the stream that this is made of
            self._stopped.set_result(None)
        if queue.is_empty:
            queue.put_now(b"")  # else whoever sends is about to look anyway

    async def _send(self, queue: Pieces[bytes], send: Send) -> None:
        while True:
            body = b"".join(await queue.take())
            if self._has_moved:
                self._has_moved, error = False, self._link.error
                words = errors.trouble(error).sentence if error else None
                body += frame("link", {"kind": self._link.kind, "error": words})
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})

    async def _go_on(self, queue: Pieces[bytes], worker_id: str, entry: Entry) -> None:
        """The timeline of the worker on the screen, event by event, from the one that the screen has.

        The stream brings what comes after its opening; what was before is read then.
        """
        match entry:
            case Envelope():
                await self._tell(queue, self.boards.of(worker_id), entry)  # an event came: it may be read
            case StreamOpen():
                await self._catch_up(queue, worker_id)
            case StreamStale():
                self.boards.of(worker_id).forget()
                raise StaleCursor("the log does not go on from here", reason_code="ahead_of_log")
            case StateGone(kind="worker") if entry.id == worker_id:
                await self.visitor.client.worker(worker_id)  # says why it may be read no more

    async def _catch_up(self, queue: Pieces[bytes], worker_id: str) -> None:
        """Tell what the screen lacks of the log as it is now."""
        board, client = self.boards.of(worker_id), self.visitor.client
        latest_seq = (await client.worker(worker_id)).latest_seq
        if latest_seq - self.after >= HISTORY_EVENTS:
            raise Missed  # a laptop that slept: more than a screen that is loaded anew would read
        try:
            while self.after != latest_seq:
                events = await client.events(worker_id, after=self.after, limit=PAGE_EVENTS)
                for event in events:
                    await self._tell(queue, board, event)
                latest_seq = max(latest_seq, self.after) if events else self.after
        except StaleCursor:
            board.forget()
            raise

    async def _tell(self, queue: Pieces[bytes], board: Board, event: Envelope) -> None:
        if event.seq <= self.after:
            return
        items = await board.changed_by(self.visitor.client, event)
        await self.meet(event.actor, *actors_of(items))
        puts = [put.frame() for item in items for put in self.render_item(item)]
        await queue.put(b"".join(puts) + frame("seq", {"seq": event.seq}, place=str(event.seq)))
        self.after = event.seq


def actor_of(entry: Entry) -> Actor | None:
    """Who did what a change of state is about, where it says so."""
    match entry:
        case Receipt():
            return entry.actor
        case Approval(decision=Decision(actor=actor)):
            return actor
        case _:
            return None


def over(error: AutopilotError) -> bytes:
    """The last frame: what ended the stream, and under which name it is found in the logs."""
    told = errors.trouble(error, reading=True)
    why = "signed_out" if isinstance(error, SignInAgain) else error.code
    return frame("over", {"why": why, "message": told.sentence, "request_id": told.reference})


async def _put(queue: Pieces[bytes], puts: Iterable[Put]) -> None:
    for put in puts:
        await queue.put(put.frame())


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
