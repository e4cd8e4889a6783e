"""What one asked for, as it moves: how far it has come, its id, and what can still be done about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import flet as ft

from autopilot.client.acts import Act
from autopilot.client.presenters import acts as said
from autopilot.client.presenters import receipts
from autopilot.contract import Receipt, RequestOutcome
from autopilot_ios.look import blocks, palette


def receipt(
    act: Act,
    *,
    on_copy: Callable[[str], Awaitable[None]],
    on_again: Callable[[Act], Awaitable[None]],
    on_edit: Callable[[Act], Awaitable[None]] | None = None,
    may_edit: bool = True,
    on_take_back: Callable[[Act], Awaitable[None]] | None = None,
    on_dismiss: Callable[[Act], object] | None = None,
) -> ft.Control:
    """One of them. Never says more than the server has.

    `on_edit`: takes its words up again, where they were refused for good; `may_edit`: there is a field for them.
    """
    view = act.view
    label = said.label(view)
    trouble = said.trouble(view)
    title = blocks.words(receipts.asked(act.deed.method), size=14, strong=True)
    state = blocks.words(label.text, size=13, color=palette.TONES[label.tone])
    hint = [blocks.footnote(trouble.hint)] if trouble and trouble.hint else []
    number = ft.Text(
        act.request_id, style=palette.mono(11, palette.MUTED), max_lines=1, overflow=ft.TextOverflow.ELLIPSIS
    )

    async def copy() -> None:
        await on_copy(act.request_id)

    text = ft.Column(
        [
            title,
            state,
            *hint,
            ft.Container(number, key=f"id-{act.request_id}", on_click=copy),
        ],
        spacing=1,
        tight=True,
        expand=True,
    )
    doings: list[ft.Control] = []
    if said.may_send_again(view):
        doings.append(_small("Send again", f"again-{act.request_id}", _done(on_again, act)))
    elif on_edit is not None and view.phase == "refused":
        edit = _small("Edit", f"edit-{act.request_id}", _done(on_edit, act))
        edit.visible = may_edit  # Flutter does not always draw what comes between others later
        doings.append(edit)
    if on_take_back is not None and _can_take_back(act):
        doings.append(_small("Take back", f"take-back-{act.request_id}", _done(on_take_back, act)))
    if on_dismiss is not None and (view.has_ended or view.phase == "refused"):
        doings.append(
            blocks.icon_button(
                ft.CupertinoIcons.XMARK,
                "Dismiss",
                key=f"dismiss-{act.request_id}",
                on_click=lambda: on_dismiss(act),
                color=palette.MUTED,
            )
        )
    row = ft.Row([text, *doings], spacing=4)
    return ft.Semantics(
        content=ft.Container(
            row,
            key=f"receipt-{act.request_id}",
            padding=ft.Padding(12, 6, 4, 6),
            border_radius=10,
            bgcolor=palette.CARD,
        ),
        live_region=True,
    )


def _can_take_back(act: Act) -> bool:
    result = act.view.result
    return isinstance(result, Receipt | RequestOutcome) and result.state == "accepted"


def _done(what: Callable[[Act], Awaitable[None]], act: Act) -> blocks.Click:
    """A touch, which waits where that takes time: Flet awaits nothing that a lambda hands back."""

    async def touched() -> None:
        await what(act)

    return touched


def _small(text: str, key: str, on_click: blocks.Click) -> ft.Control:
    return ft.CupertinoButton(
        ft.Text(text, size=14, weight=ft.FontWeight.W_600, color=palette.TINT),
        key=key,
        on_click=on_click,
        padding=ft.Padding(8, 6, 8, 6),
        min_size=ft.Size(blocks.TOUCH, blocks.TOUCH),
    )
