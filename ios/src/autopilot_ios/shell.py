"""Where screens are shown: tabs, a stack in each, and on a wide window the list beside what was chosen from it.

Owns which screens are alive: each runs as a task of the shell for as long as it can be seen, and is cancelled when it
can't, when the app goes to the background, when the shell ends. What a screen fails of is shown in its place, and
leaves the others alone. Knows nothing of what screens show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flet as ft

from autopilot.client import log
from autopilot.client.groups import first_error
from autopilot.client.presenters import visible
from autopilot.client.presenters.labels import Label
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import blocks, palette
from autopilot_ios.look.cover import Cover
from autopilot_ios.screen import Screen, update

WIDE_POINTS = 760
LIST_POINTS = 360


@dataclass(frozen=True, slots=True)
class Tab:
    """One of the places at the bottom."""

    name: str
    icon: ft.IconData
    root: Callable[[], Screen]


@dataclass(frozen=True, slots=True)
class Warned:
    """What stands on every screen, for as long as it is so."""

    model: Hashable
    """Equal: nothing has to be drawn anew."""
    make: Callable[[], ft.Control]
    """Its control; called for each screen."""
    route: str
    """Of the screen that tells it in full, and needs no more of it."""


@dataclass(eq=False)
class Shown:
    """A screen with what was built of it."""

    screen: Screen
    body: ft.Container
    state: ft.Container
    warning: ft.Container
    view: ft.Control | None = None
    task: asyncio.Task[None] | None = None


@dataclass(eq=False)
class Shell:
    """The stage of one page."""

    page: ft.Page
    tabs: Sequence[Tab]
    tasks: asyncio.TaskGroup
    on_emergency: Callable[[], Awaitable[Any]]
    _stacks: list[list[Shown]] = field(init=False)
    _current: int = field(default=0, init=False)
    _awake: bool = field(default=True, init=False)
    _state: Label | None = field(default=None, init=False)
    _warned: Warned | None = field(default=None, init=False)
    _over: ft.Container = field(default_factory=lambda: ft.Container(visible=False), init=False)
    """Of a wide window: above both panes."""
    _wide_made: tuple[Shown, Shown, ft.View] | None = field(default=None, init=False)
    """What stands beside each other in a wide window, and the view of both."""
    _badge: int = field(default=0, init=False)
    _wide: bool = field(default=False, init=False)
    _asked: list[ft.DialogControl] = field(default_factory=list, init=False)
    """Questions and sheets that may still stand before everything, the last one on top."""

    _cover: Cover = field(init=False)
    _said: ft.SnackBar | None = field(default=None, init=False)
    """What was said in passing last."""

    def __post_init__(self) -> None:
        self._stacks = [[] for _ in self.tabs]
        self._cover = Cover(self.page)

    # The stage.

    @property
    def is_wide(self) -> bool:
        """See Stage."""
        return self._wide

    def push(self, screen: Screen) -> None:
        """See Stage."""
        if self._wide and len(self._stack) > 1 and self._top.screen.route != screen.route and not self._deeper(screen):
            self._drop_to(1)
        if any(shown.screen.route == screen.route for shown in self._stack):
            self._drop_to(next(at for at, one in enumerate(self._stack) if one.screen.route == screen.route) + 1)
        else:
            self._stack.append(self._made(screen))
        self.show()

    def _deeper(self, screen: Screen) -> bool:
        """Whether it belongs to what is on top: a part of the same worker."""
        return screen.route.startswith(self._top.screen.route + "/")

    def pop(self) -> None:
        """See Stage."""
        if len(self._stack) > 1:
            self._drop_to(len(self._stack) - 1)
            self.show()

    def replace(self, screen: Screen) -> None:
        """See Stage."""
        if len(self._stack) > 1:
            self._drop_to(len(self._stack) - 1)
        self.push(screen)

    def say(
        self, label: Label, *, button: str | None = None, on_click: Callable[[], Awaitable[Any]] | None = None
    ) -> None:
        """See Stage."""
        bar = ft.SnackBar(
            ft.Semantics(
                content=ft.Text(visible.prose(label.text), color=palette.TEXT, size=15, key="said"), live_region=True
            ),
            bgcolor=palette.RAISED,
            behavior=ft.SnackBarBehavior.FLOATING,
            action=ft.SnackBarAction(button, text_color=palette.TINT, on_click=on_click) if button else None,
            shape=ft.RoundedRectangleBorder(radius=blocks.RADIUS),
        )
        self._said = bar
        self.page.show_dialog(bar)
        self._stay_covered()

    def ask(self, dialog: ft.CupertinoAlertDialog) -> None:
        """See Stage."""
        self._put_before(dialog)

    def withdraw(self, dialog: ft.DialogControl) -> None:
        """Take just this question away, where it still stands."""
        if dialog.open:
            dialog.open = False
            dialog.update()

    def sheet(self, title: str, body: ft.Control) -> None:
        """See Stage."""
        grip = ft.Container(width=36, height=5, border_radius=3, bgcolor=palette.LINE)
        head = ft.Row(
            [
                ft.Container(blocks.words(title, size=17, strong=True), expand=True),
                blocks.button("Done", key="sheet-done", kind="quiet", on_click=self.dismiss),
            ]
        )
        content = ft.Column(
            [
                ft.Row([grip], alignment=ft.MainAxisAlignment.CENTER),
                ft.Container(head, padding=ft.Padding(16, 0, 4, 0)),
                body,
            ],
            spacing=4,
            expand=True,
        )
        height = (self.page.height or 800) * 0.7
        held = ft.Container(content, bgcolor=palette.BACKGROUND, padding=ft.Padding(0, 8, 0, 0), border_radius=20)
        self._put_before(ft.CupertinoBottomSheet(held, height=height, bgcolor=palette.BACKGROUND))

    def dismiss(self) -> None:
        """See Stage. Never what was said in passing, which may be the later one of Flet's dialogs."""
        if standing := [dialog for dialog in self._asked if dialog.open]:
            self.withdraw(standing[-1])

    def _put_before(self, dialog: ft.DialogControl) -> None:
        self._asked = [*(one for one in self._asked if one.open), dialog]
        self.page.show_dialog(dialog)
        self._stay_covered()

    # What the app tells it.

    def select(self, tab: int) -> None:
        """Go to a tab; to the one that is shown: back to its beginning."""
        if tab == self._current and len(self._stack) > 1:
            self._drop_to(1)
        self._current = tab
        self.show()

    def go(self, name: str) -> None:
        """Go to the tab of this name, where one was there."""
        self._current = next(at for at, tab in enumerate(self.tabs) if tab.name == name)
        self.show()

    def state(self, label: Label | None) -> None:
        """What the line on top of every screen says; None: nothing is worth it."""
        if label != self._state:
            self._state = label
            for shown in self._visible():
                self._tell_state(shown)

    def warn(self, warned: Warned | None) -> None:
        """What stands above every screen until it is so no longer; None: nothing does."""
        before, self._warned = self._warned, warned
        if (before.model if before else None) != (warned.model if warned else None):
            for shown in self._visible():
                self._tell_warning(shown)

    def badge(self, pending: int) -> None:
        """How many questions wait."""
        if pending != self._badge:
            self._badge = pending
            self.show()

    def sleep(self) -> None:
        """The app is not seen: nothing runs."""
        self._awake = False
        self._run_visible()

    def close(self) -> None:
        """Nothing of it is to be seen any more: nothing runs, and no question or sheet stays before what comes next."""
        self.sleep()
        while self.page.pop_dialog() is not None:
            pass
        self.uncover()

    def wake(self) -> None:
        """It is seen again."""
        self._awake = True
        self._run_visible()

    def cover(self) -> None:
        """Nothing of it is to be seen in the app switcher: until `uncover`."""
        self._cover.put([*self._asked, *([self._said] if self._said is not None else [])])

    def uncover(self) -> None:
        """It is before its owner again."""
        self._cover.take()

    def show(self) -> None:
        """Bring the page to what is to be seen."""
        self._wide = (self.page.width or 0) >= WIDE_POINTS
        if not self._stack:
            self._stack.append(self._made(self.tabs[self._current].root()))
        self.page.views[:] = [self._wide_view()] if self._wide else self._narrow_views()
        for shown in self._visible():
            self._tell_warning(shown, is_drawn=False)
        self._run_visible()
        self.page.update()
        self._stay_covered()

    async def refresh(self) -> None:
        """Have what is seen look now."""
        for shown in self._visible():
            await shown.screen.refresh()

    # Inside.

    def _stay_covered(self) -> None:
        if self._cover.is_on:
            self.cover()

    @property
    def _stack(self) -> list[Shown]:
        return self._stacks[self._current]

    @property
    def _top(self) -> Shown:
        return self._stack[-1]

    def _made(self, screen: Screen) -> Shown:
        screen.stage = self
        shown = Shown(screen, ft.Container(expand=True), ft.Container(), ft.Container(visible=False))
        shown.body.content = screen.build()
        self._tell_state(shown)
        return shown

    def _drop_to(self, length: int) -> None:
        for shown in self._stack[length:]:
            self._stop(shown)
        del self._stack[length:]

    def _visible(self) -> list[Shown]:
        if not self._stack:
            return []
        return [self._stack[0], self._top] if self._wide and len(self._stack) > 1 else [self._top]

    def _run_visible(self) -> None:
        seen = self._visible() if self._awake else []
        for stack in self._stacks:
            for shown in stack:
                if shown not in seen:
                    self._stop(shown)
        for shown in seen:
            if shown.task is None:
                shown.task = self.tasks.create_task(self._run(shown))

    def _stop(self, shown: Shown) -> None:
        if shown.task is not None:
            shown.task.cancel()
            shown.task = None

    async def _run(self, shown: Shown) -> None:
        try:
            await shown.screen.run()
        except* AutopilotError as failed:  # of the screen itself, or of something that it does beside others
            error = first_error(failed)
            assert isinstance(error, AutopilotError)
            log.failure("screen.failed", error, screen=shown.screen.route)
            shown.body.content = blocks.missing(error, lambda: self._again(shown))
            shown.body.update()

    def _again(self, shown: Shown) -> None:
        shown.body.content = shown.screen.build()
        self._stop(shown)
        self.show()

    def _tell_state(self, shown: Shown) -> None:
        label = self._state
        shown.state.visible = label is not None
        if label is not None:
            color = palette.TONES[label.tone]
            line = ft.Row(
                [ft.Icon(ft.CupertinoIcons.CIRCLE_FILL, size=8, color=color), blocks.footnote(label.text, lines=2)],
                spacing=8,
                vertical_alignment=ft.CrossAxisAlignment.CENTER,
            )
            line.controls[1].expand = True
            shown.state.content = ft.Semantics(content=line, live_region=True)
            shown.state.padding = ft.Padding(16, 6, 16, 6)
            shown.state.bgcolor = palette.tinted(color, 0.1)
        if shown.view is not None and self.page.views:
            shown.state.update()

    def _tell_warning(self, shown: Shown, *, is_drawn: bool = True) -> None:
        """Above its screen; on a wide window once above all of them, whichever screen is on top."""
        place = self._over if self._wide else shown.warning
        warned = self._warned
        is_told = warned is not None and self._top.screen.route != warned.route
        place.visible = is_told
        place.content = warned.make() if warned is not None and is_told else None
        if is_drawn and self.page.views:
            update(place)

    # Views.

    def _narrow_views(self) -> list[ft.View]:
        return [self._narrow(shown, below) for below, shown in enumerate(self._stack)]

    def _narrow(self, shown: Shown, below: int) -> ft.View:
        if isinstance(shown.view, ft.View):
            view = shown.view
        else:
            view = shown.view = self._new_view(shown, below)
        if below == 0:
            view.navigation_bar = self._bar()
        return view

    def _new_view(self, shown: Shown, below: int) -> ft.View:
        before = visible.line(self._stack[below - 1].screen.title) if below else None
        foot = shown.screen.foot()
        return ft.View(
            route=shown.screen.route,
            padding=0,
            spacing=0,
            bgcolor=palette.BACKGROUND,
            appbar=ft.CupertinoAppBar(
                title=ft.Text(
                    visible.line(shown.screen.title), size=17, weight=ft.FontWeight.W_600, color=palette.TEXT
                ),
                previous_page_title=before,
                trailing=self._actions(shown),
                bgcolor=palette.BACKGROUND,
                automatic_background_visibility=False,
            ),
            controls=[
                ft.SafeArea(
                    ft.Column(
                        [shown.warning, shown.state, shown.body, *([foot] if foot else [])], spacing=0, expand=True
                    ),
                    avoid_intrusions_top=False,
                    expand=True,
                )
            ],
        )

    def _actions(self, shown: Shown) -> ft.Control:
        stop = blocks.icon_button(
            ft.CupertinoIcons.EXCLAMATIONMARK_OCTAGON,
            "Emergency stop",
            key="emergency",
            on_click=self.on_emergency,
            color=palette.RED,
        )
        return ft.Row([*shown.screen.actions(), stop], spacing=0, tight=True)

    def _bar(self) -> ft.CupertinoNavigationBar:
        return ft.CupertinoNavigationBar(
            selected_index=self._current,
            on_change=self._tapped,
            active_color=palette.TINT,
            inactive_color=palette.MUTED,
            bgcolor=palette.CARD,
            destinations=[self._destination(tab) for tab in self.tabs],
        )

    def _destination(self, tab: Tab) -> ft.NavigationBarDestination:
        badge = str(self._badge) if tab.name == "Inbox" and self._badge else None
        icon = ft.Icon(tab.icon, badge=ft.Badge(badge, bgcolor=palette.RED) if badge else None)
        return ft.NavigationBarDestination(icon=icon, label=tab.name)

    def _tapped(self, event: ft.Event[ft.CupertinoNavigationBar]) -> None:
        self.select(event.control.selected_index)

    def _wide_view(self) -> ft.View:
        root, top = self._stack[0], self._top
        if self._wide_made is not None and self._wide_made[:2] == (root, top):
            view = self._wide_made[2]  # the same: a field in another place would forget what is being typed
            view.navigation_bar = self._bar()
            return view
        beside = (
            self._pane(top) if top is not root else blocks.empty(self.tabs[self._current].icon, "Nothing chosen", "")
        )
        panes = ft.Row(
            [
                ft.Container(self._pane(root), width=LIST_POINTS),
                ft.Container(width=0.5, bgcolor=palette.LINE),
                ft.Container(beside, expand=True),
            ],
            spacing=0,
            expand=True,
            vertical_alignment=ft.CrossAxisAlignment.STRETCH,
        )
        view = ft.View(
            route=top.screen.route,
            padding=0,
            spacing=0,
            bgcolor=palette.BACKGROUND,
            controls=[
                ft.SafeArea(
                    ft.Column([self._over, panes], spacing=0, expand=True),
                    expand=True,
                )
            ],
            navigation_bar=self._bar(),
        )
        self._wide_made = root, top, view
        return view

    def _pane(self, shown: Shown) -> ft.Control:
        if shown.view is not None and not isinstance(shown.view, ft.View):
            return shown.view
        below = self._stack.index(shown)
        back = (
            [blocks.icon_button(ft.CupertinoIcons.BACK, "Back", key="back", on_click=self.pop)]
            if below > 1
            else [ft.Container(width=8)]
        )
        title = ft.Text(
            visible.line(shown.screen.title), size=20, weight=ft.FontWeight.W_700, color=palette.TEXT, expand=True
        )
        head = ft.Container(ft.Row([*back, title, self._actions(shown)], spacing=4), padding=ft.Padding(8, 6, 4, 6))
        foot = shown.screen.foot()
        shown.view = ft.Column([head, shown.state, shown.body, *([foot] if foot else [])], spacing=0, expand=True)
        return shown.view

    def resized(self) -> None:
        """The window is another size: where that makes it wide or narrow, everything is laid out anew."""
        wide = (self.page.width or 0) >= WIDE_POINTS
        if wide != self._wide:
            self._wide_made = None
            for stack in self._stacks:
                for shown in stack:
                    shown.view = None
            self.show()

    def view_popped(self) -> None:
        """Somebody went back by the system's gesture or button."""
        self.pop()
