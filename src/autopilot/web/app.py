"""The web app, composed: which path shows what.

`Web` is an ASGI app for every path that is none of the API's; `serve` gives it the API to call and the browsers'
cookies. A page module brings its own paths (`routes`), and what becomes of its screen as things change (`puts`). Relies
on the API's edge around it (host, origin, limits on the head, ids, log). Never touches a database or the runtime.
"""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.client.everything import Entry
from autopilot.client.presenters import recoveries
from autopilot.client.presenters.people import Names
from autopilot.client.tokens import SignInAgain
from autopilot.contract.errors import AutopilotError, NotFound
from autopilot.web import problems, pwa
from autopilot.web.doors import Doors
from autopilot.web.live import Put, Tab, over
from autopilot.web.names import Acquaintance
from autopilot.web.pages import (
    audit,
    devices,
    guests,
    inbox,
    joining,
    leaving,
    letting_in,
    machines,
    more,
    new,
    notifications,
    passkeys,
    policy,
    recovery,
    settings,
    sign_in,
    sign_in_ways,
    spend,
    step_up,
    stop_all,
    teams,
    threads,
    trace,
    worker,
    workers,
)
from autopilot.web.parts.held import put_banner
from autopilot.web.timeline import Look
from autopilot.web.visitors import Browsers

PAGES = (
    sign_in,
    sign_in_ways,
    joining,
    step_up,
    workers,
    worker,
    inbox,
    new,
    machines,
    threads,
    stop_all,
    spend,
    audit,
    trace,
    policy,
    teams,
    letting_in,
    guests,
    leaving,
    passkeys,
    devices,
    recovery,
    more,
    settings,
    notifications,
)
"""Each has `routes(doors)`."""
LIVE_PATH = "/live"
ZIPPED_BYTES = 1000
"""What is smaller goes as it is; so do streams. That a page's length tells of what is in it helps nobody: no other site
can have a browser ask for one with its cookie (SameSite=Strict)."""
LIVE = (workers, inbox, stop_all)
"""Each has `puts(entry, names)`."""


class Web:
    """The ASGI app."""

    def __init__(self, *, stopping: asyncio.Event, clock: Clock = SYSTEM_CLOCK) -> None:
        """`stopping`, once set, ends the open streams."""
        self.doors = Doors(pane=workers.pane, clock=clock)
        self._stopping = stopping
        self._app = Starlette(
            routes=[
                *self.doors.assets.routes(),
                *pwa.routes(self.doors.assets),
                self.doors.open(LIVE_PATH, self._live),
                *(route for page in PAGES for route in page.routes(self.doors)),
            ],
            middleware=[Middleware(GZipMiddleware, minimum_size=ZIPPED_BYTES, compresslevel=4)],
            exception_handlers={AutopilotError: self._problem, HTTPException: self._framework_problem},
        )
        self._app.router.redirect_slashes = False

    @property
    def routes(self) -> list[Route]:
        """Every path, for whoever goes through them all."""
        return [route for route in self._app.routes if isinstance(route, Route)]

    def serve(self, app: ASGIApp, browsers: Browsers) -> None:
        """The API to call, before the first request."""
        self.doors.serve(app, browsers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        inside = {**scope, "root_path": ""}
        is_tab = scope["type"] == "http" and scope["path"] == LIVE_PATH and scope["method"] == "GET"
        await (self._serve_tab if is_tab else self._app)(inside, receive, send)

    async def _serve_tab(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Past the router and the compressor, which would keep what they need for it as long as the tab is open."""
        request = Request(scope, receive)
        try:
            response = await self._live(request)
        except AutopilotError as error:
            response = await self._problem(request, error)
        await response(scope, receive, send)

    async def _live(self, request: Request) -> Response:
        worker_id = request.query_params.get("worker") or None
        try:
            visitor = self.doors.visitors.visitor(request)
        except SignInAgain as error:  # no script sees where an EventSource was led to
            return Response(over(error), media_type="text/event-stream", headers={"cache-control": "no-store"})
        known = Acquaintance(self.doors.names, visitor, await self.doors.names.of(visitor))
        return _Streamed(
            Tab(
                visitor=visitor,
                boards=self.doors.boards,
                render=lambda entry: _puts(entry, known.names, worker_id),
                render_item=lambda item: worker.put_item(self.doors, Look(worker_id or "", known.names), item),
                render_held=lambda told: put_banner(recoveries.of_frames(told, known.names.device), visitor.csrf),
                meet=known.meet,
                stopping=self._stopping,
                worker_id=worker_id,
                after=_place(request),
                version=self.doors.assets.version,
                sleep=self.doors.clock.sleep,
                window=self.doors.windows.of(visitor),
            )
        )

    # What can't be done.

    async def _problem(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, AutopilotError)
        return problems.answer(request, error, self.doors.assets)

    async def _framework_problem(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        missing = NotFound("There is no such page.", reason_code="no_such_route")
        return problems.answer(request, missing, self.doors.assets)


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


def _puts(entry: Entry, names: Names, worker_id: str | None) -> list[Put]:
    return [put for page in LIVE for put in page.puts(entry, names)] + worker.puts(entry, names, worker_id)
