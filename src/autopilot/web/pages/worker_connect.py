"""Connecting: the handshake with a worker's companion, from a dialog, with each of its states as it comes.

The browser posts, and the answer stays open until the end is known: a line of JSON for each state, which is the HTML
of the element `#connection`. Leaving ends the wait; the question stays in the ledger. Believes what
`autopilot.client.handshake` believes, and nothing else.
"""

from __future__ import annotations

import asyncio
import json

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from autopilot.client.handshake import TIMEOUT_SECONDS, Connected, HandshakeClient, HandshakeTimeout
from autopilot.client.presenters import connecting, standing
from autopilot.client.presenters.people import Names
from autopilot.contract.errors import AutopilotError
from autopilot.web.answers import HEADERS, html
from autopilot.web.doors import Doors
from autopilot.web.visitors import Visitor, path_for

SOURCE = "autopilot-web"
WHAT = (
    "Asks the companion beside this session for a sign of life through the ledger: the least proof that this browser "
    "and that computer reach each other."
)


def routes(doors: Doors) -> list[Route]:
    """Where it is."""

    async def connect(request: Request, visitor: Visitor) -> Response:
        own = doors.visitors.visitor(request)  # the other one's connections are closed before the answer begins
        return _Connecting(own, request.path_params["worker_id"], await doors.names.of(visitor))

    return [doors.page("/w/{worker_id}/connect", _dialog), doors.page("/w/{worker_id}/connect", connect, "POST")]


async def _dialog(request: Request, visitor: Visitor) -> Response:
    worker = await visitor.client.worker(request.path_params["worker_id"])
    can = worker.status == "running"
    return html(
        h.div("#connect", {"data-connect": path_for(worker.worker_id, "connect")})[
            h.h2["Connect"],
            h.p[h.bdi[standing.title(worker)]],
            h.p(".muted")[WHAT],
            _element("idle", "Not asked yet." if can else connecting.NOT_RUNNING),
            h.template("#connect-idle")[
                _element("idle", "Cancelled. The question may still be answered: the timeline shows it.")
            ],
            h.template("#connect-broken")[_element("failed", "The connection to the server broke. Try again.")],
            h.div(".buttons")[
                h.button({"type": "button", "data-close": True})["Close"],
                h.button("#connect-cancel", type="button", hidden=True)["Cancel"],
                h.button("#connect-start.primary", type="button", disabled=not can)["Connect"],
            ],
        ]
    )


class _Connecting(Response):
    """The states of one handshake, as they come."""

    def __init__(self, visitor: Visitor, worker_id: str, names: Names) -> None:
        super().__init__()
        self._visitor = visitor
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
        await _tell(send, _element("sending", connecting.SENDING))
        asked = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(_tell_once(asked, send))
            end = await self._shaken(asked)
            waiting.cancel()
        await _tell(send, end)

    async def _shaken(self, asked: asyncio.Event) -> h.Element:
        """The end of it, as an element."""
        async with self._visitor.client as client:
            try:
                me = await client.me()
                device_id = me.device.device_id if me.device else SOURCE
                shaker = HandshakeClient(client, device_id=device_id, source=SOURCE, timeout_seconds=TIMEOUT_SECONDS)
                connected = await shaker.run(self._worker_id, on_asked=lambda _seq: asked.set())
            except HandshakeTimeout as silence:
                return _timed_out(asked=silence.fact("asked_seq") is not None)
            except AutopilotError as error:
                return _element("failed", f"It could not be asked: {error.message}")
        return _connected(connected, self._names)


async def _tell(send: Send, element: h.Element) -> None:
    await send({"type": "http.response.body", "body": json.dumps(str(element)).encode() + b"\n", "more_body": True})


async def _tell_once(asked: asyncio.Event, send: Send) -> None:
    await asked.wait()
    await _tell(send, _waiting())


def _element(state: str, *words: h.Node) -> h.Element:
    return h.div("#connection", {"data-state": state, "role": "status", "aria-live": "polite"})[h.p[words]]


def _waiting() -> h.Element:
    seconds = f"{TIMEOUT_SECONDS:g}"
    return _element(
        "waiting",
        f"The question is in the ledger. Waiting for the answer, for {seconds} s at most ",
        h.span({"aria-hidden": "true"})["(", h.b({"data-countdown": seconds})[seconds], " s left)"],
    )


def _connected(connected: Connected, names: Names) -> h.Element:
    facts = connecting.facts(connected, names)
    return h.div("#connection", {"data-state": "connected", "role": "status", "aria-live": "polite"})[
        h.p["Connected."], h.dl(".told")[((h.dt[name], h.dd[h.bdi[value]]) for name, value in facts)]
    ]


def _timed_out(*, asked: bool) -> h.Element:
    if not asked:
        return _element("timed-out", "Timed out: it is not even known whether the question was recorded. Try again.")
    words = f"Timed out: no answer within {TIMEOUT_SECONDS:g} s."
    return _element("timed-out", words, " The companion may be away; the worker's state says since when.")


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
