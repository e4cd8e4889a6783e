"""What is set for this app, what it is connected to, how one is told, what it is made of; and signing out."""

from __future__ import annotations

from typing import Protocol

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.presenters import alerting, errors, licences
from autopilot.client.presenters import settings as said
from autopilot.client.presenters.labels import Label
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import blocks, figures, palette
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.phones import NOT_OWNER
from autopilot_ios.screens.sure import sure


class Owner(Protocol):
    """Of the phone: autopilot_ios.device.Device."""

    async def has_face(self) -> bool:
        """Whether it can recognise its owner."""
        ...

    async def is_owner(self, reason: str) -> bool:
        """Whether its owner is there."""
        ...

    async def open(self, url: str) -> None:
        """Open a web page."""
        ...


class SettingsScreen(Screen):
    """Of this phone."""

    title, route = "Settings", "/settings"

    def __init__(self, core: AppCore, owner: Owner) -> None:
        self._core = core
        self._owner = owner
        self._switch = ft.CupertinoSwitch(
            key="asks-for-owner", value=core.asks_for_owner, active_track_color=palette.TINT, on_change=self._choose
        )
        self._face = ft.Container()
        self._told = ft.Container(visible=False)
        self._leave = ft.Container()
        self._has_face = False

    def build(self) -> ft.Control:
        """See Screen."""
        state = self._core.session.state
        self._draw_face()
        self._leave.content = blocks.button("Sign out", key="sign-out", kind="danger", on_click=self._sure)
        sections = [
            self._told,
            blocks.section(
                "Signed in",
                [
                    figures.fact("As", state.email or f"User {state.user_id}"),
                    figures.fact("Server", self._core.client.base_url),
                ],
            ),
            self._face,
            blocks.section(
                "Notifications",
                [blocks.row("How this phone is told", key="told", subtitle=said.TOLD, on_click=self._how, leads=False)],
            ),
            blocks.section(
                "About",
                [
                    figures.fact("Appearance", said.THEME),
                    *(figures.fact(name, value) for name, value in said.versions()),
                    blocks.row("Licences", key="licences", on_click=self._licences),
                ],
            ),
            self._leave,
            blocks.footnote(said.SIGN_OUT_MEANS),
        ]
        return ft.ListView([blocks.column(sections, gap=18)], padding=ft.Padding(16, 8, 16, 32), expand=True)

    async def run(self) -> None:
        """See Screen."""
        self._has_face = await self._owner.has_face()
        self._draw_face()
        update(self._face)

    # Who has to be recognised.

    def _draw_face(self) -> None:
        self._switch.value = self._core.asks_for_owner
        self._switch.disabled = not self._has_face and not self._core.asks_for_owner
        text = ft.Column(
            [blocks.words(said.ASKS, size=16), blocks.footnote(said.ASKS_ABOUT)], spacing=2, tight=True, expand=True
        )
        line = ft.Row([text, blocks.labelled(self._switch, said.ASKS)], spacing=12)
        note = None if self._has_face else said.NO_FACE
        self._face.content = blocks.section(
            "Security", [ft.Container(line, padding=ft.Padding(16, 10, 14, 10))], note=note
        )

    async def _choose(self) -> None:
        """Either way its owner has to be there: nobody else may switch it off, and it has to work to be switched on."""
        wanted = bool(self._switch.value)
        settings = self._core.settings
        if settings is None or not await self._owner.is_owner(said.CHANGING):
            self.stage.say(NOT_OWNER)
        else:
            try:
                await settings.ask_for_owner(wanted=wanted)
            except AutopilotError as error:
                self._tell(error)
        self._draw_face()
        update(self._face)

    # More to read.

    def _how(self) -> None:
        steps = [
            ft.Container(
                ft.Row(
                    [blocks.words(f"{number}.", strong=True), ft.Container(blocks.words(step), expand=True)],
                    spacing=8,
                    vertical_alignment=ft.CrossAxisAlignment.START,
                ),
                padding=ft.Padding(16, 10, 14, 10),
            )
            for number, step in enumerate(alerting.STEPS, 1)
        ]
        body = blocks.column(
            [
                blocks.words(alerting.WHILE_OPEN),
                blocks.words(alerting.WHILE_CLOSED),
                blocks.section("Until then", steps),
                blocks.button("Open the web app", key="open-web", on_click=self._open_web),
            ],
            gap=14,
        )
        self.stage.sheet("How this phone is told", ft.ListView([body], padding=16, expand=True))

    async def _open_web(self) -> None:
        await self._owner.open(self._core.client.base_url)

    def _licences(self) -> None:
        rows = [figures.fact(name, licence) for name, licence in licences.listed()]
        body = blocks.column([blocks.words(licences.OURS), blocks.section("Made of", rows)])
        self.stage.sheet("Licences", ft.ListView([body], padding=16, expand=True))

    # Signing out.

    def _sure(self) -> None:
        sure(self.stage, "Sign out?", said.SIGN_OUT_MEANS, button="Sign out", on_click=self._sign_out)

    async def _sign_out(self) -> None:
        self._leave.content = blocks.loading("Signing out…")
        update(self._leave)
        try:
            await self._core.sign_out()
        except AutopilotError as error:
            self.stage.say(said.not_told(error))

    def _tell(self, error: AutopilotError) -> None:
        told = errors.trouble(error)
        self._told.content = blocks.notice(Label(told.sentence, "bad"), key="trouble", detail=told.hint)
        self._told.visible = True
        update(self._told)
