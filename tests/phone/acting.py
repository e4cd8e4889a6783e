"""The screens that act, behind glass: one phone with inbox, new session and machines, over a server of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import flet as ft
from playwright.async_api import expect
from tests.ios.desk import Core, Hand
from tests.phone.glass import App, Glass

from autopilot.client import RuntimeCodexClient
from autopilot.client.name_book import names_of
from autopilot.client.new_session_store import NewSessionStore
from autopilot.client.overview_store import OverviewStore
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import Screen
from autopilot_ios.screens.approval import ApprovalScreen
from autopilot_ios.screens.emergency import EmergencyScreen
from autopilot_ios.screens.inbox import InboxScreen
from autopilot_ios.screens.machine import MachineScreen, Ways
from autopilot_ios.screens.machines import MachinesScreen
from autopilot_ios.screens.new_session import NewSessionScreen
from autopilot_ios.screens.threads import ThreadsScreen
from autopilot_ios.shell import Shell, Tab


class Opened(Screen):
    """Where a worker's screen would be."""

    title = "Session"

    def __init__(self, worker_id: str) -> None:
        self.route = f"/w/{worker_id}"
        self._worker_id = worker_id

    def build(self) -> ft.Control:
        return blocks.words(f"Opened {self._worker_id}")


@asynccontextmanager
async def following(url: str, token: str) -> AsyncIterator[Core]:
    """What the screens read, for as long as the test lasts."""
    async with RuntimeCodexClient(url, token, surface="ios") as client:
        overview = OverviewStore(client)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(overview.run())
            yield Core(client, overview, await names_of(client), NewSessionStore(client, overview))
            task.cancel()


def app_of(core: Core, hand: Hand) -> App:
    """What Flet runs for each page."""

    async def app(page: ft.Page) -> None:
        palette.paint(page)

        def worker(worker_id: str) -> None:
            shell.push(Opened(worker_id))

        def inbox() -> Screen:
            return InboxScreen(core, lambda one: shell.push(ApprovalScreen(core, one, hand, worker)))

        def new() -> Screen:
            return NewSessionScreen(core, hand, worker)

        def machines() -> Screen:
            ways = Ways(worker, lambda _machine: shell.select(1), threads)
            return MachinesScreen(core, lambda one: shell.push(MachineScreen(core, one, hand, ways)))

        def threads(machine_id: str) -> None:
            shell.push(ThreadsScreen(core, machine_id, hand, worker))

        async def emergency() -> None:
            shell.push(EmergencyScreen(core, hand))

        async with asyncio.TaskGroup() as tasks:
            tabs = [
                Tab("Inbox", ft.CupertinoIcons.TRAY, inbox),
                Tab("New", ft.CupertinoIcons.PLUS_CIRCLE, new),
                Tab("Machines", ft.CupertinoIcons.DESKTOPCOMPUTER, machines),
            ]
            shell = Shell(page, tabs, tasks, emergency)
            page.on_view_pop = lambda _event: shell.view_popped()
            shell.show()
            await asyncio.Event().wait()

    return app


async def tab(held: Glass, name: str) -> None:
    """Go to one of the places at the bottom."""
    there = held.page.locator(f'[aria-label^="{name}"]').or_(held.page.get_by_text(name, exact=True))
    await there.last.click()


async def back(held: Glass) -> None:
    """Go back to the list, where it is not beside what was chosen; what slides away takes no touch for the list."""
    if held.look == "phone":
        await held.button("Back").first.click()
        await expect(held.button("Back")).to_have_count(0)
