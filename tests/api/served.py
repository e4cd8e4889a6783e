"""The API, served for real on a port of its own, in front of a runtime of a few lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx2

from autopilot.api import admins, tokens
from autopilot.api.app import build
from autopilot.api.mail import CodeMail
from autopilot.api.settings import ApiSettings, Limits
from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.contract import SignedIn
from autopilot.contract.port import RuntimePort, RuntimeRequest, RuntimeResponse
from autopilot.db.pool import open_pool
from autopilot.ops.serve import Server
from autopilot.web.app import Web


class EchoRuntime:
    """Answers with what it was asked; streams what a test puts into it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As new, for the next test that shares it."""
        self.calls: list[RuntimeRequest] = []
        self.audited: list[RuntimeRequest] = []  # what the API hands over of its own accord, whenever it comes to it
        self.chunks: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.answer: Callable[[RuntimeRequest], Awaitable[RuntimeResponse]] | None = None
        self.closed = asyncio.Event()

    async def call(self, request: RuntimeRequest) -> RuntimeResponse:
        (self.audited if request.path == "/audit/records" else self.calls).append(request)
        if self.answer is not None:
            return await self.answer(request)
        if request.path.endswith(("/stream", "/feed")):
            return RuntimeResponse(
                200,
                {"content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no"},
                self._stream(),
            )
        told = {"method": request.method, "path": request.path, "query": request.query, "bytes": len(request.body)}
        body = json.dumps({"data": told}).encode()
        return RuntimeResponse(200, {"content-type": "application/json", "server": "internal"}, body)

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            while (chunk := await self.chunks.get()) is not None:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            self.closed.set()

    async def aclose(self) -> None:
        return None


class Postbox:
    """Keeps the codes that were mailed."""

    def __init__(self) -> None:
        self.mails: list[CodeMail] = []

    async def send(self, mail: CodeMail) -> None:
        self.mails.append(mail)


@dataclass
class ServedApi:
    url: str
    client: httpx2.AsyncClient
    pool: asyncpg.Pool
    runtime: Any
    post: Postbox
    server: Server
    app: Any

    async def code_for(self, email: str) -> str:
        """Ask for a code and take it out of the mail."""
        answer = await self.client.post("/api/auth/email", json={"email": email})
        assert answer.status_code == 200, answer.text
        await self.app.state.api.postman.delivered()
        return self.post.mails[-1].code

    async def sign_in(self, email: str, **headers: str) -> dict[str, Any]:
        code = await self.code_for(email)
        answer = await self.client.post("/api/auth/verify", json={"email": email, "code": code}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def mint(self, email: str | None = None, *scopes: str, **rest: Any) -> SignedIn:
        if "admin" in scopes and email is not None:  # as somebody at the machine does before
            await tokens.mint(self.pool, email=email, scopes=["observe"])
            await admins.grant(self.pool, email)
        return await tokens.mint(self.pool, email=email, scopes=scopes or ("observe", "administer"), **rest)


async def eventually(holds: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Let others run until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0)


async def raw(api: ServedApi, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """One request, byte for byte; its whole answer."""
    parts = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        async with asyncio.timeout(30):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split()[1]), headers, body
    finally:
        writer.close()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@asynccontextmanager
async def serving(
    dsn: str,
    runtime: RuntimePort,
    *,
    settings: ApiSettings | None = None,
    limits: Limits | None = None,
    mailer: Any = None,
    with_web: bool = False,
    web_clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[ServedApi]:
    """`with_web`: the web app beside it, as an installation has it; `web_clock`: by whose time it waits."""
    post = Postbox()
    settings = settings or ApiSettings(sign_ins_per_minute=6000.0, sign_up="open")
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(await open_pool(dsn, schema="api"))
        stopping = asyncio.Event()
        web = Web(stopping=stopping, clock=web_clock) if with_web else None
        app = build(
            settings,
            pool=pool,
            port=runtime,
            mailer=mailer or post,
            limits=limits or Limits(),
            stopping=stopping,
            pages=web,
        )
        if web is not None:
            web.serve(app, app.state.api.browsers)
        server = await stack.enter_async_context(Server(app, stopping=stopping).running())
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=server.url, timeout=20, trust_env=False))
        yield ServedApi(server.url, client, pool, runtime, post, server, app)
