"""Asking twice: what stands before something that can't be taken back."""

from __future__ import annotations

from typing import Any

import flet as ft

from autopilot.client.presenters import visible
from autopilot_ios.look import blocks
from autopilot_ios.screen import Stage


def sure(
    stage: Stage, title: str, words: str, *, button: str, on_click: blocks.Click, key: str = "sure", danger: bool = True
) -> None:
    """Ask whether that is meant; `on_click` when it is."""

    async def go() -> None:
        stage.dismiss()
        await _called(on_click)

    stage.ask(
        ft.CupertinoAlertDialog(
            title=ft.Text(visible.prose(title)),
            content=ft.Text(visible.prose(words)),
            actions=[
                ft.CupertinoDialogAction(ft.Text("Cancel"), key=f"{key}-no", on_click=stage.dismiss),
                ft.CupertinoDialogAction(ft.Text(button), key=f"{key}-yes", destructive=danger, on_click=go),
            ],
        )
    )


async def _called(click: blocks.Click) -> None:
    made: Any = click()
    if made is not None:
        await made
