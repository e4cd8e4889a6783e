"""A phone with screens of the app on it, over a real server: what a person does there, and what machines do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import flet as ft
import httpx2
from tests.api.contract.world import Person, lease
from tests.ios.phone import PHONE, Phone, phone

from autopilot.client import RuntimeCodexClient
from autopilot.client.new_session_store import NewSessionStore
from autopilot.client.overview_store import OverviewStore
from autopilot.client.presenters.people import Names
from autopilot_ios.screen import Screen
from autopilot_ios.shell import Shell, Tab


@dataclass
class Hand:
    """The phone, as far as screens feel it."""

    felt: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    owner: bool = True

    async def succeeded(self) -> None:
        self.felt.append("well")

    async def failed(self) -> None:
        self.felt.append("badly")

    async def is_owner(self, reason: str) -> bool:
        assert reason
        return self.owner

    async def copy(self, text: str) -> None:
        raise AssertionError(f"nobody copies {text}")

    async def open(self, url: str) -> None:
        self.opened.append(url)


async def _nothing(_request: httpx2.Request) -> None:
    """Nothing happens elsewhere."""


class Cuts(httpx2.AsyncBaseTransport):
    """The way to the server: open, or with answers of its own for some calls."""

    def __init__(self) -> None:
        self._real = httpx2.AsyncHTTPTransport()
        self.instead: Callable[[httpx2.Request], httpx2.Response | None] = lambda _request: None
        self.before: Callable[[httpx2.Request], Awaitable[None]] = _nothing
        """What happens elsewhere before a call arrives."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await self.before(request)
        answer = self.instead(request)
        return await self._real.handle_async_request(request) if answer is None else answer

    async def aclose(self) -> None:
        await self._real.aclose()

    def refuse(self, path: str, status: int, code: str, **detail: object) -> None:
        """Calls whose path ends so are refused."""
        body = {"error": {"code": code, "message": "so it is", "details": [detail] if detail else []}}
        headers = {"x-request-id": "told-by-a-test", "retry-after": "0", "content-type": "application/json"}

        def instead(request: httpx2.Request) -> httpx2.Response | None:
            is_it = request.url.path.endswith(path)
            streamed = httpx2.ByteStream(json.dumps(body).encode())  # as an answer from outside is
            return httpx2.Response(status, headers=headers, stream=streamed, request=request) if is_it else None

        self.instead = instead

    def cut(self, path: str = "") -> None:
        """There is no way to these."""

        def instead(request: httpx2.Request) -> httpx2.Response | None:
            if request.url.path.endswith(path):
                raise httpx2.ConnectError("cut", request=request)
            return None

        self.instead = instead


@dataclass
class Core:
    """What screens read."""

    client: RuntimeCodexClient
    overview: OverviewStore
    names: Names
    new_session: NewSessionStore
    asks_for_owner: bool = False


@dataclass
class Desk:
    """Somebody with a phone in their hand, and a machine of theirs."""

    person: Person
    machine: Person
    core: Core
    phone: Phone
    shell: Shell
    hand: Hand
    way: Cuts


def cut() -> Cuts:
    """There is no network."""
    way = Cuts()
    way.cut()
    return way


@asynccontextmanager
async def desk(
    person: Person,
    screen: Callable[[Core, Hand], Screen],
    *,
    size: tuple[float, float] = PHONE,
    way: Cuts | None = None,
) -> AsyncIterator[Desk]:
    """`screen`: what is on the phone first; `way`: to the server."""
    machine = await person.machine()
    await lease(machine, person.worker_id)
    way, hand, held = way or Cuts(), Hand(), phone(size=size)
    async with RuntimeCodexClient(person.world.api.url, person.token, surface="ios", transport=way) as client:
        overview = OverviewStore(client)
        core = Core(client, overview, Names(me=person.user_id), NewSessionStore(client, overview))
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(overview.run())
            tab = Tab("Inbox", ft.CupertinoIcons.TRAY, lambda: screen(core, hand))
            shell = Shell(held.page, [tab, Tab("Other", ft.CupertinoIcons.GEAR, Other)], tasks, _nobody)
            shell.show()
            try:
                yield Desk(person, machine, core, held, shell, hand, way)
            finally:
                shell.sleep()
                following.cancel()


class Other(Screen):
    """Another tab."""

    title, route = "Other", "/other"

    def build(self) -> ft.Control:
        return ft.Text("Another tab")


async def _nobody() -> None:
    """No emergency."""
