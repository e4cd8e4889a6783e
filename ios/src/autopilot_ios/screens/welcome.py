"""The first thing one sees: which server, who, and the proof. Draws `autopilot.client.signing_in`, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import flet as ft

from autopilot.client.presenters import addresses
from autopilot.client.presenters.labels import Label
from autopilot.client.signing_in import SigningIn, SigningInView
from autopilot_ios.look import blocks, palette

MOST_POINTS = 460
"""Wider, lines are tiring to read."""
BUTTONS = frozenset({"continue", "accept", "send-code", "sign-in"})
"""Each step's own."""
COPY_FROM = "The web app shows one under Devices, and so does the command “autopilot pair”."


class Welcome:
    """The way in, on a page of its own: nothing else can be reached before it."""

    def __init__(self, page: ft.Page, signing_in: SigningIn) -> None:
        self._page = page
        self._core = signing_in
        self._column = blocks.column([], gap=16)
        self._body = ft.Container(
            ft.Column(
                [ft.Container(self._column, width=MOST_POINTS, padding=24)],
                scroll=ft.ScrollMode.AUTO,
                alignment=ft.MainAxisAlignment.CENTER,
                horizontal_alignment=ft.CrossAxisAlignment.CENTER,
            ),
            expand=True,
            alignment=ft.Alignment.CENTER,
        )
        self._shown: SigningInView | None = None
        self._fields: dict[str, ft.CupertinoTextField] = {}
        self._labelled: dict[str, ft.Control] = {}

    def show(self) -> Callable[[], None]:
        """Take the page; returns what ends that."""
        self._page.views[:] = [
            ft.View(
                route="/welcome",
                padding=0,
                bgcolor=palette.BACKGROUND,
                controls=[ft.SafeArea(self._body, expand=True)],
            )
        ]
        self._draw(self._core.view)
        self._page.update()
        return self._core.subscribe(self._changed)

    def _changed(self, view: SigningInView) -> None:
        self._draw(view)
        self._body.update()

    def _draw(self, view: SigningInView) -> None:
        steps = {
            "server": self._server,
            "invited": self._invited,
            "email": self._email,
            "code": self._code,
            "words": self._words,
        }
        self._shown = view
        step = steps.get(view.step)
        parts = [*_head(), *(step(view) if step else [blocks.loading("Opening your sessions…")])]
        if view.problem:
            parts.insert(_above_button(parts), blocks.notice(Label(view.problem, "bad"), key="problem"))
        self._column.controls = parts

    # Steps.

    def _server(self, view: SigningInView) -> list[ft.Control]:
        address = self._field("server", "https://autopilot.example.com", keyboard=ft.KeyboardType.URL, go=self._choose)
        return [
            _title("Where is your Autopilot server?"),
            address,
            self._go("Continue", "continue", view, self._choose),
            blocks.footnote(f"Or paste a pairing link here, or scan its code with the camera. {COPY_FROM}"),
        ]

    def _invited(self, view: SigningInView) -> list[ft.Control]:
        server = view.server
        warned = addresses.warnings(server) if server else ()
        return [
            _title("Pair this phone with this server?"),
            blocks.card(ft.Text(server.url if server else "", size=17, color=palette.TEXT, key="invited-server")),
            *(blocks.notice(Label(warning, "warn"), key="warning") for warning in warned),
            blocks.footnote(
                "A link has opened this. Pair only if you asked for it: what you write goes to this server then."
            ),
            self._go("Pair", "accept", view, self._core.accept),
            self._back("No"),
        ]

    def _email(self, view: SigningInView) -> list[ft.Control]:
        server = view.server
        warned = addresses.warnings(server) if server else ()
        return [
            *(blocks.notice(Label(warning, "warn"), key="warning") for warning in warned),
            _title("Sign in"),
            blocks.footnote(server.url if server else ""),
            self._field("email", "E-mail address", keyboard=ft.KeyboardType.EMAIL, go=self._ask),
            self._go("Send me a code", "send-code", view, self._ask),
            blocks.footnote("Or pair this phone with a device that is signed in:"),
            self._field("pairing", "Pairing code", go=self._join),
            self._go("Pair", "pair", view, self._join, kind="plain"),
            self._back("Another server"),
        ]

    def _code(self, view: SigningInView) -> list[ft.Control]:
        return [
            _title("Enter the code"),
            blocks.footnote(f"It was sent to {view.email}. A server without mail prints it on its console."),
            self._field("code", "Code", keyboard=ft.KeyboardType.NUMBER, go=self._prove, autofocus=True),
            self._go("Sign in", "sign-in", view, self._prove),
            self._back("Another address"),
        ]

    def _words(self, view: SigningInView) -> list[ft.Control]:
        if not view.words:
            return [blocks.loading("Waiting for the other device…"), self._back("Cancel")]
        shown = ft.Semantics(
            content=blocks.card(
                ft.Text(
                    "\n".join(view.words),
                    size=26,
                    weight=ft.FontWeight.W_600,
                    color=palette.TEXT,
                    text_align=ft.TextAlign.CENTER,
                    key="words",
                ),
                padding=20,
            ),
            label="Words to compare",
        )
        whose = f"Asked by {view.account}. " if view.account else ""
        return [
            _title("Compare these words"),
            shown,
            blocks.footnote(f"{whose}The other screen must show the same ones. Say yes there only if it does."),
            ft.CupertinoActivityIndicator(radius=10),
            self._back("Cancel"),
        ]

    # Parts.

    def _field(
        self,
        name: str,
        placeholder: str,
        *,
        go: blocks.Click,
        keyboard: ft.KeyboardType = ft.KeyboardType.TEXT,
        autofocus: bool = False,
    ) -> ft.Control:
        """One field, the same for as long as the app lives: what is typed stays."""
        if name not in self._fields:
            self._fields[name] = blocks.field(
                placeholder, key=name, keyboard=keyboard, on_submit=go, autofocus=autofocus
            )
            self._fields[name].autocorrect = False
            self._labelled[name] = blocks.labelled(self._fields[name], placeholder)
        return self._labelled[name]

    def _go(
        self, text: str, key: str, view: SigningInView, on_click: blocks.Click, *, kind: str = "primary"
    ) -> ft.Control:
        shown = "One moment…" if view.is_busy else text
        return blocks.button(shown, key=key, kind=kind, on_click=on_click, disabled=view.is_busy)

    def _back(self, text: str) -> ft.Control:
        return blocks.button(text, key="back", kind="quiet", on_click=self._core.back)

    async def _choose(self) -> None:
        await self._core.choose_server(self._fields["server"].value)

    async def _ask(self) -> None:
        await self._core.ask_code(self._fields["email"].value)

    async def _prove(self) -> None:
        await self._core.give_code(self._fields["code"].value)

    async def _join(self) -> None:
        await self._core.join_by_code(self._fields["pairing"].value)


def _title(text: str) -> ft.Control:
    """What a step is about, below the name of the app."""
    words = blocks.words(text, size=17, strong=True)
    words.text_align = ft.TextAlign.CENTER
    return ft.Semantics(content=words, header=True)


def _above_button(parts: Sequence[ft.Control]) -> int:
    """Where a problem is said: between what was typed and the button that was touched."""
    return next((at for at, part in enumerate(parts) if part.key in BUTTONS), len(parts))


def _head() -> list[ft.Control]:
    mark = ft.Container(
        ft.Icon(ft.CupertinoIcons.PAPERPLANE_FILL, size=34, color=palette.ON_TINT),
        width=68,
        height=68,
        border_radius=16,
        bgcolor=palette.TINT,
        alignment=ft.Alignment.CENTER,
    )
    return [
        ft.Row([mark], alignment=ft.MainAxisAlignment.CENTER),
        ft.Text("Autopilot", size=28, weight=ft.FontWeight.W_700, color=palette.TEXT, text_align=ft.TextAlign.CENTER),
    ]
