"""What the app switcher shows in place of what was on the screen: the app's name, and nothing else.

An overlay lies below the bar at the top and below what asks, so these are made invisible beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import flet as ft

from autopilot_ios.look import palette


class Cover:
    """Over one page."""

    def __init__(self, page: ft.Page) -> None:
        self._page = page
        self._bars: list[ft.Control] = []
        self._asked: list[ft.Control] = []
        self._sheet = ft.Container(
            ft.Column(
                [
                    ft.Icon(ft.CupertinoIcons.LOCK_SHIELD, size=48, color=palette.TINT),
                    ft.Text("Autopilot", size=20, weight=ft.FontWeight.W_600, color=palette.TEXT),
                ],
                alignment=ft.MainAxisAlignment.CENTER,
                horizontal_alignment=ft.CrossAxisAlignment.CENTER,
                spacing=12,
            ),
            key="cover",
            bgcolor=palette.BACKGROUND,
            alignment=ft.Alignment.CENTER,
            left=0,
            top=0,
            right=0,
            bottom=0,
        )

    @property
    def is_on(self) -> bool:
        """Whether it lies over the page."""
        return self._sheet in self._page.overlay

    def put(self, dialogs: Iterable[ft.DialogControl]) -> None:
        """Lay it over what is on the page now, and over these; again: over what has come since."""
        if not self.is_on:
            self._page.overlay.append(self._sheet)
        for bar in (view.appbar for view in self._page.views):
            if bar is not None and bar.visible:
                bar.visible = False
                self._bars.append(bar)
        for inside in _insides(dialogs):
            if inside.opacity:
                inside.opacity = 0
                self._asked.append(inside)
        self._page.update()

    def take(self) -> None:
        """Take it away."""
        if not self.is_on:
            return
        self._page.overlay.remove(self._sheet)
        for bar in self._bars:
            bar.visible = True
        for inside in self._asked:
            inside.opacity = 1
        self._bars.clear()
        self._asked.clear()
        self._page.update()


def _insides(dialogs: Iterable[ft.DialogControl]) -> Iterator[ft.Control]:
    """What they say."""
    for dialog in dialogs:
        for name in ("title", "content"):
            inside = getattr(dialog, name, None)
            if isinstance(inside, ft.Control):
                yield inside
