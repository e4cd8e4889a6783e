"""The web app, composed: which path shows what.

`Web` is an ASGI app for every path that is none of the API's; `serve` gives it the API to call and the browsers'
cookies. Relies on the API's edge around it (host, origin, limits on the head, ids, log). Never touches a database or
the runtime.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.client.everything import Entry
from autopilot.contract import WorkerSummary
from autopilot.contract.errors import AutopilotError, NotFound
from autopilot.web import problems
from autopilot.web.answers import html
from autopilot.web.assets import Assets
from autopilot.web.boards import Boards
from autopilot.web.forms import form_of
from autopilot.web.live import Put, Tab
from autopilot.web.pages import sign_in, worker, workers
from autopilot.web.parts.layout import Frame, Screen, page, screen_element
from autopilot.web.parts.rows import put_row
from autopilot.web.visitors import CSRF_FIELD, CSRF_HEADER, Browsers, Visitor, Visitors

Handler = Callable[[Request, Visitor], Awaitable[Response | Screen]]
SAFE = frozenset({"GET", "HEAD"})


class Web:
    """The ASGI app."""

    def __init__(self, *, stopping: asyncio.Event, clock: Clock = SYSTEM_CLOCK) -> None:
        """`stopping`, once set, ends the open streams."""
        self.assets = Assets()
        self.boards = Boards()
        self.clock = clock
        self._stopping = stopping
        self._visitors: Visitors | None = None
        self._app = Starlette(
            routes=[
                *self.assets.routes(),
                Route("/sign-in", self._sign_in, methods=["GET"]),
                Route("/sign-in/email", self._send_code, methods=["POST"]),
                Route("/sign-in/code", self._verify, methods=["POST"]),
                self._route("/sign-out", self._sign_out, "POST"),
                self._route("/", self._workers),
                Route("/live", self._live, methods=["GET"]),
                self._route("/w/{worker_id}", self._worker),
            ],
            exception_handlers={AutopilotError: self._problem, HTTPException: self._framework_problem},
        )
        self._app.router.redirect_slashes = False

    def serve(self, app: ASGIApp, browsers: Browsers) -> None:
        """The API to call, before the first request."""
        self._visitors = Visitors(app, browsers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        await self._app({**scope, "root_path": ""}, receive, send)

    @property
    def visitors(self) -> Visitors:
        """Who receives browsers."""
        assert self._visitors is not None, "serve() comes first"
        return self._visitors

    def _route(self, path: str, handler: Handler, method: str = "GET") -> Route:
        """A path for those who are signed in; what is posted carries the proof that it is from a form of ours."""

        async def endpoint(request: Request) -> Response:
            visitor = self.visitors.visitor(request)
            async with visitor.client:
                if method not in SAFE:
                    visitor.check(request.headers.get(CSRF_HEADER) or (await form_of(request)).get(CSRF_FIELD))
                answer = await handler(request, visitor)
                return await self._framed(request, visitor, answer) if isinstance(answer, Screen) else answer

        return Route(path, endpoint, methods=[method])

    async def _framed(self, request: Request, visitor: Visitor, screen: Screen) -> Response:
        """A screen: alone where htmx asks for it, else in its page."""
        if "hx-request" in request.headers:
            return html(screen_element(screen))
        pane = await workers.pane(visitor, screen.attributes.get("worker"))
        return html(page(screen, Frame(self.assets, visitor.csrf, visitor.key, pane)))

    # Signing in and out.

    async def _sign_in(self, request: Request) -> Response:
        return await sign_in.show(request, self.assets)

    async def _send_code(self, request: Request) -> Response:
        return await sign_in.send_code(request, self.visitors, self.assets)

    async def _verify(self, request: Request) -> Response:
        return await sign_in.verify(request, self.visitors, self.assets)

    async def _sign_out(self, request: Request, visitor: Visitor) -> Response:
        await visitor.client.sign_out()
        response = RedirectResponse("/sign-in", status_code=303)
        self.visitors.farewell(request, response)
        return response

    # Screens.

    async def _workers(self, _request: Request, _visitor: Visitor) -> Screen:
        return workers.screen()

    async def _worker(self, request: Request, visitor: Visitor) -> Screen:
        return await worker.screen(visitor, self.boards, request.path_params["worker_id"])

    async def _live(self, request: Request) -> Response:
        worker_id = request.query_params.get("worker") or None
        return _Streamed(
            Tab(
                visitor=self.visitors.visitor(request),
                boards=self.boards,
                render=_puts,
                render_item=worker.put_item,
                stopping=self._stopping,
                worker_id=worker_id,
                after=_place(request),
                sleep=self.clock.sleep,
            )
        )

    # What can't be done.

    async def _problem(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, AutopilotError)
        return problems.answer(request, error, self.assets)

    async def _framework_problem(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problems.answer(request, NotFound("There is no such page.", reason_code="no_such_route"), self.assets)


class _Streamed(Response):
    """A response that is an ASGI app of its own."""

    def __init__(self, tab: Tab) -> None:
        super().__init__()
        self._tab = tab

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the protocol's shape
        async with self._tab.visitor.client:
            await self._tab.run(receive, send)


def _place(request: Request) -> int:
    """Where the worker's events go on."""
    for written in (request.headers.get("last-event-id"), request.query_params.get("after")):
        if written and written.isascii() and written.isdigit():
            return int(written[:18])
    return 0


def _puts(entry: Entry) -> list[Put]:
    match entry:
        case WorkerSummary():
            return [put_row(entry)]
        case _:
            return []
