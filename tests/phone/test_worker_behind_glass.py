"""A worker as a finger finds it, over real Codex on the scripted model: live, looked into, reached by a handshake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import flet as ft
import pytest
from playwright.async_api import Browser
from tests.ios.apps import Secrets
from tests.ios.worker_desk import Hand, Root
from tests.phone.conftest import Codex
from tests.phone.glass import LOOKS, App, Glass, glass, served
from tests.waiting import until

from autopilot.client import RuntimeCodexClient, Session
from autopilot.client.app_core import AppCore
from autopilot.client.keychain import KeychainTokenStore
from autopilot_ios.look import palette
from autopilot_ios.screens.connect import ConnectScreen
from autopilot_ios.screens.details import DetailsScreen
from autopilot_ios.screens.request import RequestScreen
from autopilot_ios.screens.stop import StopScreen
from autopilot_ios.screens.worker import WorkerScreen
from autopilot_ios.shell import Shell, Tab

pytestmark = pytest.mark.e2e


async def nothing() -> None:
    """No emergency."""


@dataclass
class Inside:
    """The app's own side of the glass."""

    shell: Shell | None = None
    core: AppCore | None = None
    hand: Hand = field(default_factory=Hand)

    def show(self, kind: type[RequestScreen | DetailsScreen | StopScreen | ConnectScreen], worker_id: str) -> None:
        """Go to a screen, where a test of its own looks at the way there."""
        assert self.shell is not None
        assert self.core is not None
        self.shell.replace(kind(self.core, worker_id, self.hand))


def app(codex: Codex, inside: Inside) -> App:
    """The app as far as a worker's screen needs it."""

    async def main(page: ft.Page) -> None:
        palette.paint(page)
        url = codex.up.url
        store = await KeychainTokenStore.opened(Secrets(codex.secrets))
        async with (
            Session(url, store, surface="ios") as session,
            RuntimeCodexClient(url, session, surface="ios") as client,
            asyncio.TaskGroup() as tasks,
        ):
            core = AppCore(session, client, device_id="dev_glass")
            tasks.create_task(core.run())
            await until(lambda: core.view.phase == "here" and core.view.overview.overview.is_known)
            shell = Shell(page, [Tab("Workers", ft.CupertinoIcons.DESKTOPCOMPUTER, Root)] * 2, tasks, nothing)
            page.on_view_pop = lambda _event: shell.view_popped()
            shell.show()
            shell.push(WorkerScreen(core, codex.worker_id, inside.hand, on_answer=_noted, on_trace=_noted))
            inside.shell, inside.core = shell, core
            await asyncio.Event().wait()

    return main


def _noted(_id: str) -> None:
    """It leads elsewhere."""


@asynccontextmanager
async def opened(
    launched: Browser, codex: Codex, folder: Path, look: str = "phone", theme: str = "light"
) -> AsyncIterator[tuple[Glass, Inside]]:
    inside = Inside()
    async with served(app(codex, inside), folder) as url, glass(launched, look, theme) as held:
        await held.switch_on(url)
        await held.sees("Answer")
        yield held, inside
        assert held.complaints == []


async def menu(held: Glass, name: str) -> None:
    await held.button("More about this session").click()
    await held.button(name).last.click()


@pytest.mark.parametrize(("look", "theme"), LOOKS)
async def test_a_worker_and_all_that_one_does_with_it(
    launched: Browser, codex: Codex, tmp_path: Path, look: str, theme: str
):
    async with opened(launched, codex, tmp_path, look, theme) as (held, inside):
        await held.picture("worker")
        await menu(held, "Send a request")
        await held.sees("A new turn")
        await held.write(held.page.get_by_role("textbox").last, '{"input": ')
        await held.sees("This is not JSON")
        await held.picture("worker-request")
        await held.button("Back").first.click()
        await held.button("More about this session").wait_for()
        inside.show(DetailsScreen, codex.worker_id)
        await held.sees("Companion")
        await held.picture("worker-details")
        inside.show(StopScreen, codex.worker_id)
        await held.sees("Its machine interrupts the turn")
        await held.picture("worker-stop")
        inside.show(ConnectScreen, codex.worker_id)
        await held.sees("Not asked yet.")
        await held.button("Connect").last.click()
        await held.sees("Connected.")
        await held.picture("worker-connect")
