"""The real thing for the SDK's tests: API and runtime over a real database, on a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
import pytest

from autopilot.api import tokens
from autopilot.api.app import build as build_api
from autopilot.api.mail import CodeMail
from autopilot.api.settings import ApiSettings
from autopilot.client import MemoryTokenStore, RuntimeCodexClient, Session
from autopilot.contract import RegisterMachine
from autopilot.db.pool import open_pool
from autopilot.ops.serve import Server
from autopilot.runtime.app import Runtime
from autopilot.runtime.app import build as build_runtime
from autopilot.runtime.settings import RuntimeSettings

ADA = "ada@example.com"


class Postbox:
    """Keeps the codes that were mailed."""

    def __init__(self) -> None:
        self.mails: list[CodeMail] = []

    async def send(self, mail: CodeMail) -> None:
        self.mails.append(mail)


@dataclass
class Installation:
    url: str
    runtime: Runtime
    accounts: asyncpg.Pool
    post: Postbox
    app: object
    stack: AsyncExitStack

    async def session(self, store=None, **options) -> Session:
        """Ada, signed in by a code out of her mail."""
        session = await self.stack.enter_async_context(Session(self.url, store or MemoryTokenStore(), **options))
        await self.sign_in(session)
        return session

    async def sign_in(self, session: Session) -> None:
        await session.request_code(ADA)
        await self.app.state.api.postman.delivered()
        await session.verify(self.post.mails[-1].code, email=ADA)

    async def client(self, source=None, **options) -> RuntimeCodexClient:
        """A client of Ada's."""
        source = source or await self.session()
        return await self.stack.enter_async_context(RuntimeCodexClient(self.url, source, **options))

    async def machine(self, machine_id: str = "machine-1", **options) -> RuntimeCodexClient:
        """A registered machine of Ada's, with a token that executes."""
        scopes = ("execute", "administer", "observe")
        minted = await tokens.mint(self.accounts, email=ADA, scopes=scopes, machine_id=machine_id, surface="companion")
        client = await self.stack.enter_async_context(
            RuntimeCodexClient(self.url, minted.token, surface="companion", **options)
        )
        await client.register_machine(RegisterMachine(machine_id=machine_id, name="Desk"))
        return client


@pytest.fixture
async def installation(database: str) -> AsyncIterator[Installation]:
    settings = RuntimeSettings(
        digest_key=b"digest" * 6, delivery_key=b"d" * 32, seal_key=b"s" * 32, notify_interval_ms=1
    )
    post, stopping = Postbox(), asyncio.Event()
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(await build_runtime(settings, dsn=database))
        accounts = await stack.enter_async_context(await open_pool(database, schema="api"))
        app = build_api(
            ApiSettings(sign_ins_per_minute=6000.0, sign_up="open"),
            pool=accounts,
            port=runtime,
            mailer=post,
            stopping=stopping,
        )
        server = await stack.enter_async_context(Server(app, stopping=stopping).running())
        clients = await stack.enter_async_context(AsyncExitStack())
        yield Installation(server.url, runtime, accounts, post, app, clients)
