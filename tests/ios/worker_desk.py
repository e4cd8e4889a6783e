"""A worker's screen on a phone, over a real server: the core runs as in the app, and a machine stands beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flet as ft
from tests.api.contract.world import Person, lease
from tests.ios.apps import Secrets, signed_in
from tests.ios.desk import Cuts
from tests.ios.phone import PHONE, Phone, phone
from tests.waiting import until

from autopilot.client import RuntimeCodexClient, Session
from autopilot.client.app_core import AppCore
from autopilot.client.keychain import KeychainTokenStore
from autopilot_ios.screen import Screen
from autopilot_ios.screens.worker import WorkerScreen
from autopilot_ios.shell import Shell, Tab


@dataclass
class Hand:
    """The phone, as far as screens feel it."""

    felt: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    owner: bool = True

    async def is_owner(self, reason: str) -> bool:
        assert reason
        return self.owner

    async def succeeded(self) -> None:
        self.felt.append("well")

    async def failed(self) -> None:
        self.felt.append("badly")

    async def open(self, url: str) -> None:
        self.opened.append(url)

    async def copy(self, text: str) -> None:
        self.copied.append(text)


class Root(Screen):
    """What is below."""

    title, route = "Workers", "/workers"

    def build(self) -> ft.Control:
        return ft.Text("The list")


@dataclass
class Desk:
    """Somebody looks at their worker."""

    person: Person
    machine: Person
    core: AppCore
    phone: Phone
    shell: Shell
    hand: Hand
    way: Cuts
    """To the server."""
    led: list[tuple[str, str]] = field(default_factory=list)

    def screen(self, worker_id: str | None = None) -> WorkerScreen:
        return WorkerScreen(
            self.core,
            worker_id or self.person.worker_id,
            self.hand,
            on_answer=lambda one: self.led.append(("answer", one)),
            on_trace=lambda one: self.led.append(("trace", one)),
        )

    async def codex(self, method: str, **params: Any) -> None:
        """The machine's Codex says something."""
        await self.machine.append(
            self.person.worker_id, method=method, source="autopilot-desktop", params={"turnId": "t1", **params}
        )

    async def says(self, text: str) -> None:
        """Codex has said something."""
        await self.codex("item/completed", item={"type": "agentMessage", "id": f"m-{text[:12]}", "text": text})

    async def turn(self, turn_id: str | None) -> None:
        """A turn runs; None: it ends."""
        if turn_id is None:
            await self.codex("turn/completed", turn={"id": "t1", "status": "completed"})
        else:
            await self.codex("turn/started", turn={"id": turn_id})

    async def menu(self, key: str) -> None:
        """A way from the menu."""
        await self.phone.tap("more")
        await self.phone.tap(f"menu-{key}")


@asynccontextmanager
async def desk(
    person: Person,
    storage: Path,
    *,
    size: tuple[float, float] = PHONE,
    secrets: dict[str, str] | None = None,
    way: Cuts | None = None,
) -> AsyncIterator[Desk]:
    """With the worker's screen in front; `secrets`: of a phone on which they signed in before; `way`: to the server."""
    way = way or Cuts()
    machine = await person.machine()
    await lease(machine, person.worker_id)
    secrets = secrets or await signed_in(person.world, person.email, storage)
    held, hand, url = phone(size=size), Hand(), person.world.api.url
    store = await KeychainTokenStore.opened(Secrets(secrets))
    async with (
        Session(url, store, surface="ios") as session,
        RuntimeCodexClient(url, session, surface="ios", transport=way) as client,
        asyncio.TaskGroup() as tasks,
    ):
        core = AppCore(session, client, device_id="dev_test")
        running = tasks.create_task(core.run())
        await until(lambda: core.view.phase == "here")
        shell = Shell(held.page, [Tab("Workers", ft.CupertinoIcons.DESKTOPCOMPUTER, Root)] * 2, tasks, _nobody)
        shell.show()
        made = Desk(person, machine, core, held, shell, hand, way)
        shell.push(made.screen())
        try:
            yield made
        finally:
            shell.sleep()
            running.cancel()


async def _nobody() -> None:
    """No emergency."""
