"""Connecting: the handshake with a worker's companion, from a dialog, with each of its states as it comes.

The browser posts, and the answer stays open until the end is known: a line of JSON for each moment, which is the HTML
of the element `#connection`. Leaving ends the wait; the question stays in the ledger. What the states are, and their
words, are those of `autopilot.client` (`HandshakeAct`, `presenters.connecting`); here they are drawn.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from autopilot.client.acts import ActView, Deed, HandshakeAct
from autopilot.client.clock import within
from autopilot.client.handshake import HandshakeClient
from autopilot.client.presenters import connecting, standing
from autopilot.client.presenters.connecting import Connection
from autopilot.client.presenters.people import Names
from autopilot.contract.errors import AutopilotError
from autopilot.web.answers import HEADERS, html
from autopilot.web.doors import Doors
from autopilot.web.visitors import Visitor, path_for

SOURCE = "autopilot-web"
LOOK_SECONDS = 1.0
"""How often it is said how long an answer is waited for yet."""


def routes(doors: Doors) -> list[Route]:
    """Where it is."""

    async def connect(request: Request, visitor: Visitor) -> Response:
        own = doors.visitors.visitor(request)  # the other one's connections are closed before the answer begins
        return _Connecting(own, request.path_params["worker_id"], await doors.names.of(visitor))

    return [
        doors.dialog("/w/{worker_id}/connect", _dialog, over="/w/{worker_id}"),
        doors.page("/w/{worker_id}/connect", connect, "POST"),
    ]


async def _dialog(request: Request, visitor: Visitor) -> Response:
    worker = await visitor.client.worker(request.path_params["worker_id"])
    in_the_way = connecting.in_the_way(worker)
    idle = connecting.idle(in_the_way)
    return html(
        h.div("#connect", {"data-connect": path_for(worker.worker_id, "connect")})[
            h.h2["Connect"],
            h.p[h.bdi[standing.title(worker)]],
            h.p(".muted")[connecting.WHAT],
            _drawn(idle),
            h.template("#connect-left")[_drawn(connecting.left())],
            h.template("#connect-broken")[_drawn(connecting.broken())],
            h.div(".buttons")[
                h.button({"type": "button", "data-close": True})["Close"],
                h.button("#connect-cancel", type="button", hidden=True)["Cancel"],
                h.button("#connect-start.primary", type="button", disabled=bool(in_the_way))[idle.button],
            ],
        ]
    )


class _Connecting(Response):
    """The moments of one handshake, as they come."""

    def __init__(self, visitor: Visitor, worker_id: str, names: Names) -> None:
        super().__init__()
        self._client = visitor.client
        self._worker_id = worker_id
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the protocol's shape
        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        headers += [(b"content-type", b"application/x-ndjson"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(self._run(send))
            left = tasks.create_task(_left(receive))
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
            work.cancel()
            left.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _run(self, send: Send) -> None:
        async with self._client as client:
            try:
                me = await client.me()
            except AutopilotError as error:
                await _tell(send, self._as_of(ActView("refused", error=error)))
                return
            shaker = HandshakeClient(client, device_id=me.device.device_id if me.device else SOURCE, source=SOURCE)
            act = HandshakeAct(client, Deed("handshake", self._worker_id), shaker)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(act.send())
                await self._tell_all(send, act)

    async def _tell_all(self, send: Send, act: HandshakeAct) -> None:
        """Each moment that is another one, until the last."""
        clock, changed = self._client.clock, asyncio.Event()
        act.subscribe(lambda _view: changed.set())
        told: Connection | None = None
        while True:
            changed.clear()
            now = self._as_of(act.view, None if act.asked_at is None else clock.monotonic() - act.asked_at)
            if now != told:
                await _tell(send, now)
                told = now
            if not now.is_running:
                return
            with contextlib.suppress(TimeoutError):
                await within(clock, LOOK_SECONDS, changed.wait)

    def _as_of(self, view: ActView, seconds_waited: float | None = None) -> Connection:
        return connecting.connection(view, self._names, seconds_waited=seconds_waited)


async def _tell(send: Send, now: Connection) -> None:
    line = json.dumps(str(_drawn(now))).encode() + b"\n"
    await send({"type": "http.response.body", "body": line, "more_body": True})


def _drawn(now: Connection) -> h.Element:
    """One moment; what changes each second is seen, and not read aloud each time."""
    about = {"data-state": now.state, "data-again": now.button, "role": "status", "aria-live": "polite"}
    return h.div("#connection", about)[
        h.p[now.label.text, h.span(".left", aria_hidden="true")[now.left] if now.left else None],
        h.p(".muted")[now.detail] if now.detail else None,
        h.dl(".told")[((h.dt[name], h.dd[h.bdi[value]]) for name, value in now.facts)] if now.facts else None,
    ]


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
