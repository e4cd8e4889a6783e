"""Where screens are shown, on a phone and on a pad: over Flet's own protocol, with screens that say their names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ClassVar

import flet as ft
import pytest
from tests.ios.phone import PAD, PHONE, Phone, phone, walk
from tests.waiting import until

from autopilot.client.form_content import Choice, Field
from autopilot.client.presenters.labels import Label
from autopilot.contract.errors import Unavailable
from autopilot_ios.look import blocks, figures
from autopilot_ios.look.forms import Form
from autopilot_ios.screen import Screen
from autopilot_ios.screens.sure import sure
from autopilot_ios.shell import Shell, Tab, Warned


class Named(Screen):
    """Says its name; remembers whether it runs."""

    running: ClassVar[list[str]] = []
    fails: ClassVar[set[str]] = set()
    fails_within: ClassVar[set[str]] = set()
    """Of these something fails that the screen runs beside others."""

    def __init__(self, name: str) -> None:
        self.title, self.route = name.capitalize(), f"/{name}"

    def build(self) -> ft.Control:
        return blocks.words(f"This is {self.title}")

    async def run(self) -> None:
        if self.route in self.fails:
            await self._fail()
        if self.route in self.fails_within:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.Event().wait())
                tasks.create_task(self._fail())
        self.running.append(self.route)
        try:
            await asyncio.Event().wait()
        finally:
            self.running.remove(self.route)

    async def _fail(self) -> None:
        raise Unavailable("the runtime can't be reached", reason_code="runtime_unreachable")


@pytest.fixture(autouse=True)
def nothing_runs():
    for kept in (Named.running, Named.fails, Named.fails_within):
        kept.clear()


async def nobody() -> None:
    """No emergency."""


@asynccontextmanager
async def shell(size: tuple[float, float] = PHONE, emergency: Callable = nobody) -> AsyncIterator[tuple[Shell, Phone]]:
    held = phone(size=size)
    tabs = [
        Tab("Workers", ft.CupertinoIcons.DESKTOPCOMPUTER, lambda: Named("workers")),
        Tab("Inbox", ft.CupertinoIcons.TRAY, lambda: Named("inbox")),
    ]
    async with asyncio.TaskGroup() as tasks:
        made = Shell(held.page, tabs, tasks, emergency)
        made.show()
        await runs("/workers")
        yield made, held
        made.sleep()


async def runs(*routes: str) -> None:
    await until(lambda: Named.running == list(routes), within_seconds=10)


async def test_a_screen_is_shown_upon_another_and_only_the_one_on_top_runs():
    async with shell() as (made, held):
        made.push(Named("worker"))
        await runs("/worker")
        assert held.shows("This is Worker")
        assert [view.route for view in held.page.views] == ["/workers", "/worker"]

        made.view_popped()
        await runs("/workers")
        assert held.shows("This is Workers")


async def test_a_wide_window_has_the_list_beside_what_was_chosen():
    async with shell(PAD) as (made, held):
        assert held.shows("Nothing chosen")
        made.push(Named("worker"))
        await runs("/workers", "/worker")
        assert held.shows("This is Workers")
        assert held.shows("This is Worker")

        made.push(Named("other"))
        await runs("/workers", "/other")
        assert len(held.page.views) == 1


async def test_what_belongs_to_a_worker_is_shown_upon_it_and_goes_back_to_it():
    async with shell(PAD) as (made, held):
        made.push(Named("worker"))
        made.push(Named("worker/details"))
        await runs("/workers", "/worker/details")
        await held.tap("back")
        await runs("/workers", "/worker")


async def test_each_tab_keeps_its_place_and_a_second_tap_goes_to_its_beginning():
    async with shell() as (made, held):
        made.push(Named("worker"))
        made.select(1)
        await runs("/inbox")
        made.select(0)
        await runs("/worker")
        made.select(0)
        await runs("/workers")
        assert held.shows("This is Workers")


async def test_nothing_runs_while_the_app_is_not_seen():
    async with shell() as (made, _held):
        made.sleep()
        await runs()
        made.wake()
        await runs("/workers")


async def test_turning_a_pad_lays_everything_out_anew_and_keeps_the_place():
    async with shell(PAD) as (made, held):
        made.push(Named("worker"))
        held.page.width = 390
        made.resized()
        await runs("/worker")
        assert [view.route for view in held.page.views] == ["/workers", "/worker"]


async def test_a_screen_that_fails_says_so_in_its_place_and_can_be_tried_again():
    Named.fails.add("/worker")
    async with shell() as (made, held):
        made.push(Named("worker"))
        await held.waits_for("The ledger can't be reached.")
        Named.fails.clear()
        await held.tap("try-again")
        await runs("/worker")
        assert held.shows("This is Worker")


async def test_what_fails_of_a_screen_that_does_several_things_at_once_ends_no_other():
    Named.fails_within.add("/worker")
    async with shell() as (made, held):
        made.push(Named("worker"))
        await held.waits_for("The ledger can't be reached.")
        made.pop()
        await runs("/workers")
        made.push(Named("worker"))
        await held.waits_for("The ledger can't be reached.")
        Named.fails_within.clear()
        await held.tap("try-again")
        await runs("/worker")


class Odd(Screen):
    """Says what only a program would."""

    title, route = "Half \ud83d a character, and \u202eturned", "/odd"

    def build(self) -> ft.Control:
        text = self.title
        field = Field(name=text, kind="choice", label=text, about=text, choices=(Choice(text, text, text),), other=True)
        rows = [
            blocks.row(text, key="row", subtitle=text, name=text, on_click=lambda: None),
            figures.fact(text, text),
            blocks.button(text, key="button", on_click=lambda: None),
            blocks.pill(Label(text)),
            blocks.notice(Label(text), detail=text),
            blocks.failed(text, None, detail=text),
            *Form([field]).controls,
        ]
        return blocks.column(rows)


async def test_what_no_message_can_carry_ends_nothing_and_nothing_turns_text_around():
    async with shell() as (made, held):
        made.push(Odd())
        made.push(Named("worker"))
        made.say(Label(Odd.title))
        sure(made, Odd.title, Odd.title, button="Yes", on_click=lambda: None)
        await runs("/worker")
        said = [text for view in held.page.views for text in said_on(view)] + held.texts()
        assert [text for text in said if "\ud83d" in text or "\u202e" in text] == []
        made.pop()
        assert held.shows("Half \ufffd a character, and ⟨U+202E⟩turned")


def said_on(view: ft.View) -> list[str]:
    names = ("value", "label", "key", "previous_page_title")
    said = (getattr(control, name, None) for control in walk(view) for name in names)
    return [text for text in said if isinstance(text, str)]


async def test_the_line_on_top_says_how_things_stand_and_is_gone_when_all_is_well():
    async with shell() as (made, held):
        made.state(Label("Offline since 08:00. What you see is from then.", "warn"))
        assert held.shows("Offline since 08:00")
        made.push(Named("worker"))
        assert held.shows("Offline since 08:00")
        made.state(None)
        assert not held.shows("Offline since 08:00")


async def test_a_warning_stands_on_every_screen_but_the_one_that_tells_it_and_is_drawn_anew_only_when_it_is_another():
    drawn: list[str] = []

    def warned(words: str) -> Warned:
        def make() -> ft.Control:
            drawn.append(words)
            return blocks.words(words)

        return Warned(words, make, "/told")

    async with shell() as (made, held):
        made.warn(warned("Somebody is here"))
        assert held.shows("Somebody is here")
        made.warn(warned("Somebody is here"))
        assert drawn == ["Somebody is here"]
        made.push(Named("worker"))
        assert held.shows("Somebody is here")
        made.push(Named("told"))
        assert not held.shows("Somebody is here")
        made.warn(None)
        made.view_popped()
        assert not held.shows("Somebody is here")


async def test_a_pad_that_is_turned_keeps_its_warning_once():
    async with shell(PAD) as (made, held):
        made.warn(Warned("x", lambda: blocks.words("Somebody is here"), "/told"))
        made.push(Named("worker"))
        assert held.texts().count("Somebody is here") == 1
        held.page.width = PHONE[0]
        made.resized()
        assert held.texts().count("Somebody is here") == 1


async def test_the_inbox_says_how_many_questions_wait():
    async with shell() as (made, held):
        made.badge(3)
        assert "3" in [badge.label for badge in (getattr(one, "badge", None) for one in held.controls()) if badge]


async def test_the_emergency_stop_is_on_every_screen():
    asked = []

    async def emergency() -> None:
        asked.append(True)

    async with shell(emergency=emergency) as (made, held):
        made.push(Named("worker"))
        await held.tap("emergency")
        assert asked


async def test_what_is_said_in_passing_never_takes_the_place_of_a_question_that_stands():
    async with shell() as (made, held):
        made.sheet("More", blocks.words("What else there is"))
        made.ask(ft.CupertinoAlertDialog(title=ft.Text("Are you sure?")))
        made.say(Label("Somebody else answered meanwhile"))
        made.dismiss()
        assert not held.shows("Are you sure?")
        assert held.shows("What else there is")
        assert held.shows("Somebody else answered meanwhile")
        made.dismiss()
        assert not held.shows("What else there is")
        made.dismiss()
        assert held.shows("Somebody else answered meanwhile")
