"""The ways in: what a page module makes its routes with, and shares with every other one.

A page module has `routes(doors)`; the app only lists the modules. Behind `page` is somebody who is signed in, and what
is posted there carries the proof that it is from a form of ours; behind `open` is anybody. Never decides what somebody
may do: the API does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.client.presenters.people import Names
from autopilot.web.answers import html
from autopilot.web.assets import Assets
from autopilot.web.boards import Boards
from autopilot.web.forms import form_of
from autopilot.web.looks import HEADER, Looks
from autopilot.web.names import NameBook, person_key
from autopilot.web.parts.layout import Frame, Screen, page, screen_element
from autopilot.web.timeline.cache import RenderCache
from autopilot.web.visitors import CSRF_FIELD, CSRF_HEADER, Browsers, Visitor, Visitors
from autopilot.web.windows import Windows

Handler = Callable[[Request, Visitor], Awaitable[Response | Screen]]
OpenHandler = Callable[[Request], Awaitable[Response]]
Pane = Callable[[Visitor, Names, str | None], Awaitable[h.Node]]
USER_HEADER = "x-autopilot-user"
"""Of a screen: whose it is, by a name that tells nothing. The service worker keeps no other (static/sw.js)."""
SAFE = frozenset({"GET", "HEAD"})


@dataclass
class Doors:
    """What all pages have in common."""

    pane: Pane
    """The list beside a screen, of whom, with the names they know, with which worker chosen."""
    clock: Clock = SYSTEM_CLOCK
    assets: Assets = field(default_factory=Assets)
    boards: Boards = field(default_factory=Boards)
    rendered: RenderCache = field(default_factory=RenderCache)
    windows: Windows = field(default_factory=Windows)
    _visitors: Visitors | None = field(default=None, init=False)
    _shown: set[str] = field(default_factory=set, init=False)
    """Paths that can be gone to: an address that only takes forms would be gone back to in vain."""

    def serve(self, app: ASGIApp, browsers: Browsers) -> None:
        """The API to call, before the first request."""
        self._visitors = Visitors(app, browsers, self.clock)

    @property
    def visitors(self) -> Visitors:
        """Who receives browsers."""
        assert self._visitors is not None, "serve() comes first"
        return self._visitors

    @cached_property
    def names(self) -> NameBook:
        """By which names screens call people, devices and machines."""
        return NameBook(self.clock)

    def page(self, path: str, handler: Handler, method: str = "GET") -> Route:
        """A path for those who are signed in: a screen, or whatever else the handler answers."""

        async def endpoint(request: Request) -> Response:
            visitor = self.visitors.visitor(request)
            async with visitor.client:
                if method not in SAFE:
                    visitor.check(request.headers.get(CSRF_HEADER) or (await form_of(request)).get(CSRF_FIELD))
                answer = await handler(request, visitor)
                if not isinstance(answer, Screen):
                    return answer
                response = await self._framed(request, visitor, answer)
                if path not in self._shown:
                    response.headers["hx-push-url"] = answer.path or "false"
                return response

        if method in SAFE:
            self._shown.add(path)
        return Route(path, endpoint, methods=[method])

    def dialog(self, path: str, handler: Handler, *, over: str) -> Route:
        """What opens over the screen at `over`, a path with some of the same parameters: it is no page by itself.

        Whoever goes there by its address is led to that screen.
        """

        async def opened(request: Request, visitor: Visitor) -> Response | Screen:
            if "hx-request" in request.headers:
                return await handler(request, visitor)
            named = {name: quote(value, safe="") for name, value in request.path_params.items()}
            return RedirectResponse(over.format_map(named), status_code=303)

        return self.page(path, opened)

    def open(self, path: str, handler: OpenHandler, method: str = "GET") -> Route:
        """A path for everybody."""
        return Route(path, handler, methods=[method])

    async def _framed(self, request: Request, visitor: Visitor, screen: Screen) -> Response:
        """A screen: alone where htmx asks for it, else in its page."""
        if "hx-request" in request.headers:
            response = html(screen_element(screen), status=screen.status)
        else:
            names = await self.names.of(visitor)
            pane = await self.pane(visitor, names, screen.attributes.get("worker"))
            frame = Frame(self.assets, visitor.csrf, visitor.key, person_key(visitor, names), pane, Looks.of(request))
            response = html(page(screen, frame), status=screen.status)
        response.headers[USER_HEADER] = visitor.key
        response.headers[HEADER] = Looks.of(request).written
        return response
