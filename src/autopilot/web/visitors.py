"""Whose browser asks: the cookie, the client that speaks for it, and the proof that a form is ours.

Relies on `Browsers` (the API's) to trade the cookie for access tokens, which are kept here for some minutes and never
leave. The proof against forged forms is derived from the cookie, which no other site and no script can read. Never
decides what somebody may do: the API does.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote
from weakref import WeakValueDictionary

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from autopilot.client import Session
from autopilot.client.answers import AnswerBounds
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.client.http import Http
from autopilot.client.tokens import MemoryTokenStore, SignInAgain
from autopilot.contract.errors import Forbidden
from autopilot.web.inside import BASE_URL, Outside, client_arguments

COOKIE = "autopilot"
SECURE_COOKIE = "__Host-autopilot"
"""The prefix has browsers refuse one that a neighbour domain sets."""
TOKENS_KEPT = 2000
BOUNDS = AnswerBounds(retry_seconds=4.0)
"""Somebody waits before a page: what may work a little later is told soon, and they ask again."""
CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf"
_LOCAL = re.compile(r"/(?![/\\])[^\x00-\x1f\x7f]*")
LOOPBACK = ("localhost", "127.", "[::1]")


class Browsers(Protocol):
    """Who trades cookies for tokens (autopilot.api.browsers)."""

    @property
    def lives_seconds(self) -> float:
        """How long a cookie lasts that nobody uses."""
        ...

    async def keep(self, access_token: str) -> str:
        """A cookie for the session of this token."""
        ...

    async def access(
        self, cookie: str, client: tuple[str, int] | None, headers: Sequence[tuple[bytes, bytes]]
    ) -> str | None:
        """A new access token of the cookie's session, or None; the call that brought it came from `client`."""
        ...


class Visitors:
    """Receives browsers."""

    def __init__(self, app: ASGIApp, browsers: Browsers, clock: Clock = SYSTEM_CLOCK) -> None:
        self.app = app
        self._clock = clock
        self._browsers = browsers
        self._tokens: OrderedDict[str, str] = OrderedDict()
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def visitor(self, request: Request) -> Visitor:
        """Who asks.

        Raises:
            SignInAgain: a browser without a cookie.
        """
        cookie = request.cookies.get(cookie_name(request))
        if not cookie:
            raise SignInAgain("nobody is signed in here", reason_code="no_cookie")
        outside = Outside.of(request.scope)
        tokens = CookieTokens(self, cookie, outside)
        return Visitor(RuntimeCodexClient(BASE_URL, tokens, **self._ways(outside)), cookie)

    def stranger(self, request: Request, store: MemoryTokenStore | None = None) -> Session:
        """A session to sign in with, or that was signed in (in `store`); what it gets is handed to `welcome`."""
        outside = Outside.of(request.scope)
        return Session(BASE_URL, store or MemoryTokenStore(), **self._ways(outside))

    def calls(self, request: Request) -> Http:
        """Calls of nobody: what is to be paired makes them."""
        return Http(BASE_URL, tokens=None, **self._ways(Outside.of(request.scope)))

    def _ways(self, outside: Outside) -> dict[str, Any]:
        """What every client of ours is made with."""
        return {**client_arguments(self.app, outside), "clock": self._clock, "bounds": BOUNDS}

    async def welcome(self, request: Request, response: Response, session: Session) -> None:
        """Give the browser a cookie for the session that was just opened."""
        cookie = await self._browsers.keep(await session.access_token())
        response.set_cookie(
            cookie_name(request),
            cookie,
            max_age=int(self._browsers.lives_seconds),
            path="/",
            secure=is_secure(request),
            httponly=True,
            samesite="strict",
        )

    def farewell(self, request: Request, response: Response) -> None:
        """Take the cookie back."""
        name = cookie_name(request)
        self.forget(request.cookies.get(name, ""))
        response.delete_cookie(name, path="/", secure=is_secure(request), httponly=True, samesite="strict")
        response.headers["clear-site-data"] = '"cache", "storage"'

    def forget(self, cookie: str) -> None:
        """What is kept for a cookie is good no more."""
        self._tokens.pop(cookie, None)

    async def token(self, cookie: str, outside: Outside, rejected: str | None = None) -> str:
        """An access token of the cookie's session; another one than `rejected`.

        Raises:
            SignInAgain: the cookie stands for nobody any more.
        """
        async with self._asking.setdefault(cookie, asyncio.Lock()):
            known = self._tokens.get(cookie)
            if known is not None and known != rejected:
                self._tokens.move_to_end(cookie)
                return known
            return await self._new_token(cookie, outside)

    async def _new_token(self, cookie: str, outside: Outside) -> str:
        token = await self._browsers.access(cookie, outside.client, outside.headers())
        if token is None:
            self.forget(cookie)
            raise SignInAgain("the session of this browser is over", reason_code="session_over")
        self._tokens[cookie] = token
        if len(self._tokens) > TOKENS_KEPT:
            self._tokens.popitem(last=False)
        return token


@dataclass(frozen=True, slots=True)
class CookieTokens:
    """The tokens of one cookie's session (a client's TokenSource)."""

    visitors: Visitors
    cookie: str
    outside: Outside

    async def access_token(self) -> str:
        """See TokenSource."""
        return await self.visitors.token(self.cookie, self.outside)

    async def renew(self, rejected: str) -> str:
        """See TokenSource."""
        return await self.visitors.token(self.cookie, self.outside, rejected)


@dataclass(frozen=True, slots=True, repr=False)
class Visitor:
    """A browser that is signed in, for one request of it."""

    client: RuntimeCodexClient
    cookie: str

    @property
    def csrf(self) -> str:
        """What a form of ours carries."""
        return hmac.new(self.cookie.encode(), b"autopilot csrf", hashlib.sha256).hexdigest()

    @property
    def key(self) -> str:
        """A name for this session that tells nothing: for what a browser keeps of it."""
        return hmac.new(self.cookie.encode(), b"autopilot cache", hashlib.sha256).hexdigest()[:16]

    def check(self, given: str | None) -> None:
        """Let a post pass.

        Raises:
            Forbidden: `csrf`: it is not from a form of ours.
        """
        if not hmac.compare_digest(self.csrf.encode(), (given or "").encode()):
            raise Forbidden("this form is not from here, or too old; open the page again", reason_code="csrf")


def is_secure(request: Request) -> bool:
    """Whether the browser came by https."""
    return request.scope["state"].get("scheme") == "https"


def origin_of(request: Request) -> str:
    """The server as this browser calls it: `https://autopilot.example.com`."""
    state = request.scope["state"]
    return f"{state['scheme']}://{state['host']}"


def may_sign_in(request: Request) -> bool:
    """Whether a session may be carried by this connection: https, or this very machine."""
    return is_secure(request) or request.headers.get("host", "").startswith(LOOPBACK)


def cookie_name(request: Request) -> str:
    """What the cookie is called on this connection."""
    return SECURE_COOKIE if is_secure(request) else COOKIE


def path_for(worker_id: str, *rest: str) -> str:
    """The path of a worker's screen."""
    return "/".join(["/w", *(quote(part, safe="") for part in (worker_id, *rest))])


def local_path(written: str | None) -> str:
    """Where to go after signing in: a path of ours, whatever was asked for.

    Browsers read a backslash as a slash, and leave tabs and line ends out before they read.
    """
    return written if written and _LOCAL.fullmatch(written) else "/"
