"""Guests: who looks on without an account, the link that lets somebody in once, and taking it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.guest_store import GuestLink, Guests, GuestStore
from autopilot.client.presenters import guests as said
from autopilot.client.presenters import standing
from autopilot.contract import Guest, WorkerSummary
from autopilot_ios.look import blocks, figures, palette
from autopilot_ios.screen import update
from autopilot_ios.screens.acting import ActingScreen
from autopilot_ios.screens.phones import PhoneWays
from autopilot_ios.screens.sure import sure


class Sharing(PhoneWays, Protocol):
    """Of the phone: autopilot_ios.device.Device."""

    async def share(self, text: str, *, title: str) -> None:
        """Offer it to other apps."""
        ...


class GuestsScreen(ActingScreen):
    """Those who look on."""

    title, route, what = "Guests", "/guests", "Asking who looks on…"

    def __init__(self, core: AppCore, hands: Sharing) -> None:
        self._guests = GuestStore(core.client)
        super().__init__(core, self._guests, hands)
        self._sharing = hands

    def content(self) -> Sequence[ft.Control] | None:
        """See LookingScreen."""
        found = self._guests.view.asked.value
        if found is None:
            return None
        link = self._guests.link
        nobody = blocks.padded(blocks.footnote(said.NOBODY))
        return [
            *self.told(),
            *([self._link(link)] if link is not None else []),
            blocks.section("Now", [self._row(one, found) for one in found.guests] or [nobody]),
            self._inviting(found),
        ]

    def _inviting(self, found: Guests) -> ft.Control:
        if not found.workers:
            return blocks.section("Invite", [blocks.padded(blocks.footnote(said.NOTHING_TO_SHOW))])
        way = blocks.row("Invite somebody", key="invite", icon=ft.CupertinoIcons.PERSON_ADD, on_click=self._invite)
        return blocks.section("", [way], note=said.MEANS)

    def _invite(self) -> None:
        self.stage.push(InviteScreen(self.core, self._guests, self._sharing))

    def _link(self, link: GuestLink) -> ft.Control:
        async def share() -> None:
            await self._sharing.share(link.url, title=f"For {link.name}")

        async def copy() -> None:
            await self._sharing.copy(link.url)
            await self._sharing.succeeded()

        address = ft.Text(link.url, style=palette.mono(12, palette.TEXT), selectable=True, key="guest-link")
        ways = ft.Row(
            [
                blocks.button(
                    "Share", key="share", kind="primary", icon=ft.CupertinoIcons.SHARE, on_click=share, expand=True
                ),
                blocks.button("Copy", key="copy", icon=ft.CupertinoIcons.DOC_ON_DOC, on_click=copy, expand=True),
            ],
            spacing=10,
        )
        body = blocks.padded(blocks.column([address, ways]))
        return blocks.section(f"The link for {link.name}", [body], note=said.LINK)

    def _row(self, guest: Guest, found: Guests) -> ft.Control:
        async def end() -> None:
            await self.do("End what a guest may see", lambda: self._guests.revoke(guest))

        def ask() -> None:
            sure(self.stage, f"End {guest.name}?", said.ENDING, button="End", on_click=end)

        is_doing = self._guests.view.doing == guest.guest_id
        words = blocks.column(
            [
                blocks.words(guest.name, size=16),
                blocks.footnote(said.shown(guest, found.workers), lines=3),
                blocks.footnote(said.stay(guest, self.now)),
            ],
            gap=3,
        )
        words.expand = True
        act = (
            ft.CupertinoActivityIndicator(radius=8)
            if is_doing
            else ft.Icon(ft.CupertinoIcons.MINUS_CIRCLE, size=22, color=palette.RED)
        )
        inside = ft.Row([words, act], spacing=12)
        return blocks.tappable(inside, key=f"guest-{guest.guest_id}", on_click=ask, name=f"End {guest.name}")


class InviteScreen(ActingScreen):
    """Choosing what somebody may read, and for how long."""

    title, route, what = "Invite", "/guests/invite", "Loading your sessions…"

    def __init__(self, core: AppCore, guests: GuestStore, hands: Sharing) -> None:
        super().__init__(core, guests, hands)
        self._guests = guests
        self._name = blocks.field("Who is it for?", key="guest-name", on_change=self._draw_foot)
        self._name.max_length = said.LONGEST_NAME
        self._named = blocks.labelled(self._name, "Who is it for?")
        self._seconds = said.FIRST_TIME
        self._chosen: set[str] = set()
        self._is_tried = False
        self._foot = ft.Container(padding=ft.Padding(16, 8, 16, 8))

    def content(self) -> Sequence[ft.Control] | None:
        """See LookingScreen."""
        found = self._guests.view.asked.value
        if found is None:
            return None
        self._draw_foot()
        times = [(str(seconds), words) for seconds, words in said.TIMES]
        choices = [self._choice(worker) for worker in found.workers[: said.MOST_OFFERED]]
        return [
            *(self.told() if self._is_tried else []),
            self._named,
            blocks.section("What may they read?", choices, note=said.MEANS),
            blocks.column(
                [
                    ft.Container(blocks.footnote("For how long?"), padding=ft.Padding(16, 0, 16, 0)),
                    figures.segments(times, str(self._seconds), self._for, key="for"),
                ],
                gap=6,
            ),
        ]

    def foot(self) -> ft.Control:
        """See Screen."""
        return self._foot

    def _draw_foot(self) -> None:
        is_ready = said.can_be_made(self._name.value or "", self._chosen) and not self.is_busy
        way = blocks.button("Make a link", key="make-link", kind="primary", on_click=self._make, disabled=not is_ready)
        self._foot.content = blocks.column([way])
        update(self._foot)

    def _for(self, seconds: str) -> None:
        self._seconds = int(seconds)
        self.redraw()

    def _choice(self, worker: WorkerSummary) -> ft.Control:
        is_chosen = worker.worker_id in self._chosen
        row = blocks.row(
            standing.title(worker),
            key=f"show-{worker.worker_id}",
            subtitle=standing.last_words(worker) or None,
            trailing=blocks.mark(is_chosen=is_chosen),
            on_click=self._toggles(worker.worker_id),
            leads=False,
        )
        return ft.Semantics(content=row, checked=is_chosen, container=True)

    def _toggles(self, worker_id: str) -> Callable[[], None]:
        def toggle() -> None:
            self._chosen ^= {worker_id}
            self.redraw()

        return toggle

    async def _make(self) -> None:
        self._is_tried = True
        name, workers = self._name.value or "", sorted(self._chosen)
        if await self.do("Invite a guest", lambda: self._guests.invite(name, workers, self._seconds)):
            self.stage.pop()
