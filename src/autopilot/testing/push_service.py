"""A push service of one's own, and the browsers that subscribe at it: what stands where Google's or Apple's would.

It takes messages over HTTP as RFC 8030 has it, checks who signed them (RFC 8292), and decrypts each with the key of the
browser that it is for (RFC 8291). Give `app` to a server on loopback. It answers as it is told.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api.push_keys import from_urlsafe, urlsafe

AUTH_BYTES = 16
TAKEN, REFUSED, GONE = 201, 403, 410


@dataclass(frozen=True, slots=True)
class Browser:
    """What subscribed."""

    name: str
    endpoint: str
    private: ec.EllipticCurvePrivateKey
    auth: bytes
    server_key: str
    """The `applicationServerKey` that it subscribed for."""

    def subscription(self) -> dict[str, Any]:
        """`PushSubscription.toJSON()`."""
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {
            "endpoint": self.endpoint,
            "expirationTime": None,
            "keys": {"p256dh": urlsafe(point), "auth": urlsafe(self.auth)},
        }


@dataclass(frozen=True, slots=True)
class Received:
    """A message that arrived."""

    browser: str
    headers: Mapping[str, str]
    claims: Mapping[str, Any]
    """What the server signed."""
    notification: dict[str, Any]
    """The payload, decrypted."""
    text: str
    """The very payload."""


@dataclass(slots=True)
class PushService:
    """One push service."""

    url: str = ""
    """Where it is reached; set it once that is known."""
    received: list[Received] = field(default_factory=list)
    tries: int = 0
    """Messages that came, taken or not."""
    answers: deque[Response] = field(default_factory=deque)
    """What to answer next, one for each message; then 201."""
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: it takes what comes and answers nothing."""
    browsers: dict[str, Browser] = field(default_factory=dict)
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.awake.set()

    @property
    def app(self) -> Starlette:
        """What serves it."""
        return Starlette(routes=[Route("/push/{name}", self._take, methods=["POST"])])

    def subscribe(self, server_key: str) -> Browser:
        """What a browser makes for this server."""
        name, private = secrets.token_urlsafe(12), ec.generate_private_key(ec.SECP256R1())
        browser = Browser(name, f"{self.url}/push/{name}", private, os.urandom(AUTH_BYTES), server_key)
        self.browsers[name] = browser
        return browser

    def forget(self, browser: Browser) -> None:
        """As when somebody takes the permission away in their browser."""
        del self.browsers[browser.name]

    async def until(self, count: int, *, seconds: float = 30.0) -> list[Received]:
        """Return once so many messages were taken.

        Raises:
            TimeoutError: they did not come.
        """
        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(lambda: len(self.received) >= count)
        return list(self.received)

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        self.tries += 1
        await self.awake.wait()
        browser = self.browsers.get(request.path_params["name"])
        if browser is None:
            return Response(status_code=GONE)
        claims = _signed(request.headers.get("authorization", ""), browser.server_key)
        if claims is None or claims.get("aud") != self.url:
            return Response(status_code=REFUSED)
        if self.answers:
            return self.answers.popleft()
        text = http_ece.decrypt(body, private_key=browser.private, auth_secret=browser.auth, version="aes128gcm")
        async with self._came:
            self.received.append(Received(browser.name, dict(request.headers), claims, json.loads(text), text.decode()))
            self._came.notify_all()
        return Response(status_code=TAKEN)


def _signed(authorization: str, server_key: str) -> dict[str, Any] | None:
    """The claims, where the server that the browser subscribed for signed them."""
    scheme, _, rest = authorization.partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    if scheme != "vapid" or parts.get("k") != server_key:
        return None
    point = from_urlsafe(server_key)
    key = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": urlsafe(point[1:33]), "y": urlsafe(point[33:])})
    return dict(jwt.decode(parts["t"], key, algorithms=["ES256"]).claims)
