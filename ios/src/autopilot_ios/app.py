"""Composition: the phone, the client core and the shell meet here, and nowhere else.

One page is one phone. Somebody who is not signed in sees the way in; then the core runs for as long as they are, and
the shell draws it. The app going to the background and coming back, the network changing, a link that opens the app:
all of that is passed on from here. Decides nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import flet as ft

from autopilot.client import RuntimeCodexClient, Session
from autopilot.client.addresses import AddressRefused, ApprovalLink, PairLink, WorkerLink, read_deep_link
from autopilot.client.app_core import AppCore
from autopilot.client.app_settings import AppSettings
from autopilot.client.keychain import Kept, Keychain, KeychainTokenStore, StorageFailed
from autopilot.client.offline_cache import OfflineCache
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.state_line import state_line
from autopilot.client.session import SessionState
from autopilot_ios import memory
from autopilot_ios.device.device import Device
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import SHEET_SECONDS
from autopilot_ios.shell import Shell
from autopilot_ios.ways import Ways

MARKER = "installed"
"""A file that goes with the app, as the Keychain does not."""
CACHE = "known.sqlite"
TICK_SECONDS = 2.0
AWAY = frozenset({ft.AppLifecycleState.HIDE, ft.AppLifecycleState.PAUSE, ft.AppLifecycleState.DETACH})
HIDDEN = AWAY | {ft.AppLifecycleState.INACTIVE}
"""The system may show its screen to anybody: the app switcher does, from the first moment on that it is inactive."""
BACK = frozenset({ft.AppLifecycleState.SHOW, ft.AppLifecycleState.RESUME, ft.AppLifecycleState.RESTART})


async def main(page: ft.Page) -> None:
    """What Flet calls for each page."""
    await App(page, Device.of(page)).run()


class App:
    """The app on one phone."""

    def __init__(self, page: ft.Page, device: Device) -> None:
        self._page = page
        self._device = device
        self._link = page.route

    async def run(self) -> None:
        """Until the page is closed."""
        palette.paint(self._page)
        self._page.on_route_change = self._opened_by_link
        keychain = await self._keychain()
        while True:
            while (server := _server_of(keychain)) is None:
                await self._come_in(keychain)
            await self._signed_in(keychain, server)

    async def _keychain(self) -> Keychain:
        """What the phone keeps; before its first unlock it can't be read, and is asked for again."""
        while True:
            try:
                return await Keychain.opened(self._device.keychain, marker=self._device.storage / MARKER)
            except StorageFailed as failed:
                again = asyncio.Event()
                body = blocks.missing(failed, again.set)
                self._page.views[:] = [ft.View(controls=[body], bgcolor=palette.BACKGROUND)]
                self._page.update()
                await again.wait()

    # Nobody is signed in.

    async def _come_in(self, keychain: Keychain) -> None:
        from autopilot.client.signing_in import SigningIn  # noqa: PLC0415 - whoever is signed in waits for none of it
        from autopilot_ios.screens.welcome import Welcome  # noqa: PLC0415 - as above

        signing_in = SigningIn(keychain, device_name=await self._device.name(), platform=self._device.platform)
        done = asyncio.Event()
        end = signing_in.subscribe(lambda view: done.set() if view.step == "done" else None)
        stop_drawing = Welcome(self._page, signing_in).show()
        memory.settle()
        try:

            def look() -> None:
                if isinstance(link := self._linked(), PairLink):
                    signing_in.invited(link)

            def linked(event: ft.RouteChangeEvent) -> None:
                self._link = event.route
                look()

            self._page.on_route_change = linked
            look()
            await done.wait()
        finally:
            self._page.on_route_change = self._opened_by_link
            stop_drawing()
            end()

    # Somebody is.

    async def _signed_in(self, keychain: Keychain, server: str) -> None:
        """Until they are no more."""
        async with (
            Session(server, KeychainTokenStore(keychain), surface="ios") as session,
            RuntimeCodexClient(server, session, surface="ios") as client,
        ):
            core = AppCore(
                session,
                client,
                open_cache=lambda who: self._cache(keychain, server, who),
                is_here=False,
                settings=AppSettings(keychain),
                device_id=await keychain.device_id(),
            )
            with suppress(_SignedOut):
                await self._show(core, keychain, server)

    async def _cache(self, keychain: Keychain, server: str, who: SessionState) -> OfflineCache | None:
        try:
            key = await keychain.cache_key()
        except StorageFailed:  # told by the Keychain; an app without a cache only begins with nothing
            return None
        return OfflineCache(self._device.storage / CACHE, key, server=server, user_id=who.user_id or 0)

    async def _show(self, core: AppCore, keychain: Keychain, server: str) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(core.run())
                await self._begun(core)
                ways = Ways(core, self._device, server)
                ways.shell = shell = Shell(self._page, ways.tabs(), tasks, ways.emergency)
                self._listen(core, ways, keychain)
                shell.show()
                memory.settle()
                core.foreground()  # nothing is followed before the first picture: that of the cache is there at once
                tasks.create_task(self._asks(core, shell))
                tasks.create_task(self._tick(core, shell))
                self._follow_link(ways)
                await self._draw(core, ways)
        except* _SignedOut:
            raise _SignedOut from None
        finally:
            self._listen_no_more()

    async def _begun(self, core: AppCore) -> None:
        async for view in core.changes():
            if view.phase in ("here", "away"):
                return
            if view.phase == "signed_out":
                raise _SignedOut

    async def _draw(self, core: AppCore, ways: Ways) -> None:
        """What the frame around all screens says, until nobody is signed in any more."""
        shell = ways.shell
        async for view in core.changes():
            if view.phase == "signed_out":
                shell.close()
                await core.settled()  # what was kept is wiped
                await core.left()  # before its connections are closed
                raise _SignedOut
            shell.state(_state(core))
            shell.warn(ways.held())
            shell.badge(len(view.overview.overview.pending))

    def _listen(self, core: AppCore, ways: Ways, keychain: Keychain) -> None:
        """Pass on what happens to the phone."""
        shell = ways.shell

        async def life(event: ft.AppLifecycleStateChangeEvent) -> None:
            if event.state in HIDDEN and core.asks_for_owner:
                shell.cover()
            elif event.state is ft.AppLifecycleState.RESUME:
                shell.uncover()
            if event.state in AWAY:
                shell.sleep()
                await core.background()
            elif event.state in BACK:
                core.foreground()
                shell.wake()
            with suppress(StorageFailed):  # told by the Keychain, and tried again at the next occasion
                await keychain.settle()

        def linked(event: ft.RouteChangeEvent) -> None:
            self._link = event.route
            self._follow_link(ways)

        self._page.on_app_lifecycle_state_change = life
        self._page.on_route_change = linked
        self._page.on_resize = lambda _event: shell.resized()
        self._page.on_view_pop = lambda _event: shell.view_popped()
        self._device.on_network(lambda online: core.network_changed(online=online))
        core.on_alert(ways.alert)

    def _listen_no_more(self) -> None:
        """What happens to the phone is nothing to a session that is over: its screens are not to come back by it."""
        self._page.on_app_lifecycle_state_change = self._page.on_resize = self._page.on_view_pop = None
        self._page.on_route_change = self._opened_by_link
        self._device.on_network(lambda _online: None)

    def _follow_link(self, ways: Ways) -> None:
        """Go where a link leads that opened the app."""
        match self._linked():
            case WorkerLink(worker_id=worker_id):
                ways.worker(worker_id)
            case ApprovalLink(approval_id=approval_id):
                ways.question(approval_id)
            case PairLink():
                ways.shell.say(Label("This phone is signed in already: sign out first to pair it anew."))

    async def _tick(self, core: AppCore, shell: Shell) -> None:
        """What the line says changes with the time alone: a silence, an age."""
        while True:
            await core.client.clock.sleep(TICK_SECONDS)
            shell.state(_state(core))

    async def _asks(self, core: AppCore, shell: Shell) -> None:
        """Ask whoever is there for a code that was mailed, when the server wants to know who it is."""
        async for view in core.prompt.changes():
            if view.is_asked:
                await core.client.clock.sleep(SHEET_SECONDS)
                await _asked(core, shell)

    # Links.

    def _opened_by_link(self, event: ft.RouteChangeEvent) -> None:
        self._link = event.route

    def _linked(self) -> PairLink | WorkerLink | ApprovalLink | None:
        """What the app was opened for, once."""
        link, self._link = self._link, ""
        try:
            return read_deep_link(link)
        except AddressRefused:
            return None


async def _asked(core: AppCore, shell: Shell) -> None:
    """The question stands for as long as its answer is waited for, and no longer, whoever ends that."""
    dialog = _code_dialog(core)
    shell.ask(dialog)
    try:
        async for view in core.prompt.changes():
            if not view.is_asked:
                return
    finally:
        shell.withdraw(dialog)


def _code_dialog(core: AppCore) -> ft.CupertinoAlertDialog:
    code = blocks.field("Code", key="step-up-code", keyboard=ft.KeyboardType.NUMBER, autofocus=True)

    def give() -> None:
        core.prompt.give(code.value or "")

    return ft.CupertinoAlertDialog(
        modal=True,
        title="Is it you?",
        content=blocks.column([blocks.footnote("For this a code was sent to you. It is good once."), code]),
        actions=[
            ft.CupertinoDialogAction("Cancel", key="step-up-cancel", on_click=core.prompt.cancel),
            ft.CupertinoDialogAction("Confirm", key="step-up-confirm", default=True, on_click=give),
        ],
    )


class _SignedOut(Exception):
    """Nobody is signed in any more."""


def _server_of(keychain: Keychain) -> str | None:
    """The server of whoever is signed in, which their tokens name; None: nobody is."""
    held = KeychainTokenStore(keychain).load()
    return None if held is None else held.base_url or keychain.get(Kept.SERVER)


def _state(core: AppCore) -> Label | None:
    """What the line on top says; None while all is well."""
    line = state_line(core.standing, core.client.clock.now())
    return None if line.layer == "live" else Label(line.text, line.tone)
