"""What has no tab of its own, and who one is here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import flet as ft

from autopilot.client.session import SessionState
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import Screen


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row leads."""

    name: str
    words: str
    icon: ft.IconData
    screen: Callable[[], Screen]


class MoreScreen(Screen):
    """The last tab."""

    title, route = "More", "/more"

    def __init__(self, who: SessionState, server: str, places: Sequence[Sequence[Place]]) -> None:
        self._who = who
        self._server = server
        self._places = places

    def build(self) -> ft.Control:
        """See Screen."""
        groups = [
            blocks.section(
                "",
                [
                    blocks.row(
                        place.name,
                        key=f"more-{place.name.lower().replace(' ', '-')}",
                        subtitle=place.words,
                        icon=place.icon,
                        on_click=self._to(place),
                    )
                    for place in group
                ],
            )
            for group in self._places
        ]
        return ft.ListView([blocks.column([self._person(), *groups], gap=20)], padding=16, expand=True)

    def _to(self, place: Place) -> Callable[[], None]:
        return lambda: self.stage.push(place.screen())

    def _person(self) -> ft.Control:
        name = self._who.email or f"User {self._who.user_id}"
        mark = ft.Container(
            ft.Text(name[:1].upper(), size=20, weight=ft.FontWeight.W_600, color=palette.ON_TINT),
            width=48,
            height=48,
            border_radius=24,
            bgcolor=palette.TINT,
            alignment=ft.Alignment.CENTER,
        )
        words = ft.Column(
            [blocks.words(name, size=17, strong=True, lines=1), blocks.footnote(self._server, lines=1)],
            spacing=2,
            tight=True,
            expand=True,
        )
        return blocks.card(ft.Row([mark, words], spacing=14))
