"""The one stream of a tab: whatever changes on its screen, as pieces of HTML with a place to put them.

`GET /live?worker=&after=`: the state of everything of the principal, and the events of the worker on the screen. Two
followers of the SDK feed one bounded queue; a browser that reads slowly slows them down. A frame says what to put
where, and scripts only do that: words and looks are made here. Every few seconds a beat, so that a browser knows a
connection that stands still from one where nothing happens. Ends when the session does, when the server stops, when
the browser leaves. Never keeps what it has sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import htpy as h
from starlette.types import Receive, Send

from autopilot.client import log
from autopilot.client.connection import ConnectionState
from autopilot.client.everything import Entry
from autopilot.client.name_book import actors_of
from autopilot.client.overview import OverviewFold, OverviewLimits
from autopilot.client.presenters import errors
from autopilot.client.timeline_items import Item
from autopilot.client.timeline_pages import HISTORY_EVENTS
from autopilot.client.tokens import SignInAgain
from autopilot.contract import (
    Actor,
    Approval,
    Decision,
    Envelope,
    Receipt,
    StateRecovery,
    StreamCaughtUp,
    WorkerSummary,
)
from autopilot.contract.errors import AutopilotError, Forbidden, StaleCursor
from autopilot.web.boards import Board, Boards, Missed
from autopilot.web.parts.notices import notice_of
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
    version: str
    """Of the app's files: a page of another one is loaded anew."""
    sleep: Callable[[float], Awaitable[None]]
    window: Window
    meet: Callable[..., Awaitable[None]]
    """Learns the names of actors, before what they did is rendered."""
    _link: ConnectionState = field(default_factory=ConnectionState, init=False)
    _link_changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self, receive: Receive, send: Send) -> None:
        """Answer the request."""
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-cache, no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUED)
        await queue.put(
            b"retry: %d\n\n" % RETRY_MS + frame("hello", {"version": self.version, "session": self.visitor.key})
        )
        async with asyncio.TaskGroup() as tasks:
            works = [tasks.create_task(work) for work in self._works(queue, send)]
            ends = [tasks.create_task(_left(receive)), tasks.create_task(self.stopping.wait())]
            await asyncio.wait([*works, *ends], return_when=asyncio.FIRST_COMPLETED)
            for task in [*works, *ends]:
                task.cancel()
        await self._look_away()
        await send({"type": "http.response.body", "body": _rest(queue), "more_body": False})

    def _works(self, queue: asyncio.Queue[bytes], send: Send) -> Iterator[Coroutine[Any, Any, None]]:
        yield _send(queue, send)
        yield self._beat(queue)
        yield self._links(queue)
        yield self._until_over(self._states(queue), queue)
        if self.worker_id is not None:
            yield self._look(self.worker_id)
            yield self._until_over(self._events(queue, self.worker_id), queue)

    async def _until_over(self, work: Coroutine[Any, Any, None], queue: asyncio.Queue[bytes]) -> None:
        """Do it; an end that no reconnecting changes is told to the browser."""
        try:
            await work
        except AutopilotError as error:
            await queue.put(over(error))

    async def _beat(self, queue: asyncio.Queue[bytes]) -> None:
        while True:
            await self.sleep(BEAT_SECONDS)
            if queue.empty():
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

    async def _states(self, queue: asyncio.Queue[bytes]) -> None:
        """Workers, machines, approvals, receipts and who is held, as they become."""
        known, told = OverviewFold(OF_A_TAB), None
        async with aclosing(self.visitor.client.follow_everything()) as follower:
            self._link = follower.state
            cancel = follower.on_state(self._link_became)
            try:
                async for entry in follower:
                    known.take(entry)
                    await self.meet(actor_of(entry))
                    if isinstance(entry, WorkerSummary) and known.is_catching_up:
                        continue
                    if isinstance(entry, StreamCaughtUp):
                        for worker in reversed(known.overview.workers):
                            await _put(queue, self.render(worker))
                    await _put(queue, self.render(entry))
                    if isinstance(entry, StateRecovery | StreamCaughtUp) and not known.is_catching_up:
                        await queue.put(self.render_held(known.overview.recoveries).frame())
                    pending = known.pending_count if known.is_known else None
                    if pending is not None and (pending != told or isinstance(entry, StreamCaughtUp)):
                        told = pending
                        await queue.put(frame("inbox", {"pending": pending}))
            finally:
                cancel()

    def _link_became(self, state: ConnectionState) -> None:
        self._link = state
        self._link_changed.set()

    async def _links(self, queue: asyncio.Queue[bytes]) -> None:
        """How the server's own connection to the ledger stands; of what changes fast the last."""
        while True:
            await self._link_changed.wait()
            self._link_changed.clear()
            error = self._link.error
            words = errors.trouble(error).sentence if error else None
            await queue.put(frame("link", {"kind": self._link.kind, "error": words}))

    async def _events(self, queue: asyncio.Queue[bytes], worker_id: str) -> None:
        """The timeline of the worker on the screen; where it can't be gone on from, the screen is to be loaded anew."""
        async with aclosing(self.visitor.client.follow(worker_id, cursor=self.after)) as follower:
            try:
                async for event in follower:
                    if (follower.state.latest_seq or 0) - event.seq >= HISTORY_EVENTS:
                        raise Missed  # a laptop that slept: more than a screen that is loaded anew would read
                    await self._tell(queue, self.boards.of(worker_id), event)  # an event came: it may be read
            except Missed:
                await queue.put(frame("reload", {}))
            except StaleCursor as error:
                self.boards.of(worker_id).forget()
                await queue.put(frame("reload", {"html": str(notice_of(error))}))

    async def _tell(self, queue: asyncio.Queue[bytes], board: Board, event: Envelope) -> None:
        items = await board.changed_by(self.visitor.client, event)
        await self.meet(event.actor, *actors_of(items))
        puts = [put.frame() for item in items for put in self.render_item(item)]
        await queue.put(b"".join(puts) + frame("seq", {"seq": event.seq}, place=str(event.seq)))


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


async def _put(queue: asyncio.Queue[bytes], puts: Iterable[Put]) -> None:
    for put in puts:
        await queue.put(put.frame())


async def _send(queue: asyncio.Queue[bytes], send: Send) -> None:
    while True:
        first = await queue.get()
        await send({"type": "http.response.body", "body": first + _rest(queue), "more_body": True})


def _rest(queue: asyncio.Queue[bytes]) -> bytes:
    pieces: list[bytes] = []
    while not queue.empty():
        pieces.append(queue.get_nowait())
    return b"".join(pieces)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
