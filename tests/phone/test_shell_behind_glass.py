"""Navigation as a finger finds it, drawn by Flutter: tabs, a screen upon another, both panes of a pad, both themes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import flet as ft
import pytest
from playwright.async_api import Browser
from tests.phone.glass import LOOKS, glass, served

from autopilot.client.presenters.labels import Label
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import Screen
from autopilot_ios.shell import Shell, Tab


class Chosen(Screen):
    title, route = "Session in project", "/worker"

    def build(self) -> ft.Control:
        return blocks.empty(ft.CupertinoIcons.DOC_TEXT, "Nothing was said yet", "It is known that there is nothing.")


class Sessions(Screen):
    title, route = "Workers", "/workers"

    def build(self) -> ft.Control:
        pill = blocks.pill(Label("Working", "busy"))
        row = blocks.row("Session in project", key="row", subtitle="Done.", trailing=pill, on_click=self.chosen)
        return ft.ListView([ft.Container(blocks.section("Desktop", [row]), padding=16)], expand=True)

    def chosen(self) -> None:
        self.stage.push(Chosen())


async def no_emergency() -> None:
    """Nobody stops anything here."""


async def app(page: ft.Page) -> None:
    palette.paint(page)
    async with asyncio.TaskGroup() as tasks:
        shell = Shell(page, [Tab("Workers", ft.CupertinoIcons.DESKTOPCOMPUTER, Sessions)] * 2, tasks, no_emergency)
        page.on_view_pop = shell.view_popped
        shell.show()
        await asyncio.Event().wait()


@pytest.mark.e2e
@pytest.mark.parametrize(("look", "theme"), LOOKS)
async def test_a_finger_finds_its_way_there_and_back(launched: Browser, tmp_path: Path, look: str, theme: str):
    async with served(app, tmp_path) as url, glass(launched, look, theme) as held:
        await held.switch_on(url)
        await held.button("Session in project").click()
        await held.sees("Nothing was said yet")
        await held.picture("shell")
        if look == "phone":
            await held.button("Back").first.click()
        await held.sees("Done.")
        assert held.complaints == []
