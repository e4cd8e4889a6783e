"""Markdown of anybody's: prose drawn by Flet, blocks of code as they are, links that are confirmed. Loads nothing."""

from __future__ import annotations

from functools import lru_cache

import flet as ft

from autopilot.client.presenters.markup import Piece, pieces
from autopilot.client.presenters.prose import Prose
from autopilot.client.presenters.timeline import View
from autopilot_ios.look import palette
from autopilot_ios.timeline import frame
from autopilot_ios.timeline.frame import Controls, Place
from autopilot_ios.timeline.terminal import sideways

SIZE = 16


def markdown(of: Prose, view: View, place: Place, name: str = "text", *, breaks: bool = False) -> Controls:
    """A text as it is shown; `breaks`: a line end is one, as people type."""
    parts = [_drawn(piece, place, f"{name}-{number}") for number, piece in enumerate(pieces(of, breaks=breaks))]
    return [*parts, *frame.left_out(of.left_out, view, place, name)]


def _drawn(piece: Piece, place: Place, name: str) -> ft.Control:
    match piece.kind:
        case "code":
            return _code(piece, place, name)
        case "plain":
            return frame.words(piece.text, size=SIZE)
        case _:
            return _prose(piece.text, place)


def _prose(text: str, place: Place) -> ft.Markdown:
    def tapped(event: ft.Event[ft.Markdown]) -> object:
        return place.look.ways.open_link(str(event.data or ""))

    return ft.Markdown(
        text,
        extension_set=ft.MarkdownExtensionSet.GITHUB_WEB,
        on_tap_link=tapped,
        md_style_sheet=_sheet(palette.mono().font_family),
    )


def _code(piece: Piece, place: Place, name: str) -> ft.Control:
    text = ft.Text(piece.text, style=palette.mono(13, palette.CODE_TEXT), no_wrap=True)
    title = ft.Text(piece.language, size=11, color=palette.CODE_MUTED, expand=True)
    copy = ft.Semantics(
        content=ft.Container(
            ft.Icon(ft.CupertinoIcons.DOC_ON_DOC, size=15, color=palette.CODE_MUTED),
            key=f"{place.key}-copy-{name}",
            padding=12,
            on_click=lambda: place.look.ways.copy(piece.text),
        ),
        button=True,
        label="Copy this code",
    )
    return ft.Container(
        ft.Column(
            [
                ft.Container(ft.Row([title, copy], spacing=0), padding=ft.Padding(14, 0, 2, 0)),
                sideways(ft.Container(text, padding=ft.Padding(14, 0, 14, 12))),
            ],
            spacing=0,
            tight=True,
        ),
        bgcolor=palette.CODE,
        border_radius=12,
        clip_behavior=ft.ClipBehavior.HARD_EDGE,
    )


@lru_cache(maxsize=4)
def _sheet(mono: str | None) -> ft.MarkdownStyleSheet:
    text = ft.TextStyle(size=SIZE, color=palette.TEXT, height=1.4)
    heading = ft.TextStyle(size=18, color=palette.TEXT, weight=ft.FontWeight.W_700, height=1.3)
    smaller = ft.TextStyle(size=SIZE, color=palette.TEXT, weight=ft.FontWeight.W_700, height=1.3)
    quote = ft.TextStyle(size=SIZE, color=palette.MUTED, height=1.4)
    return ft.MarkdownStyleSheet(
        p_text_style=text,
        a_text_style=ft.TextStyle(color=palette.TINT, decoration=ft.TextDecoration.UNDERLINE),
        code_text_style=ft.TextStyle(
            font_family=mono, size=14, color=palette.TEXT, bgcolor=palette.tinted(palette.MUTED)
        ),
        h1_text_style=heading,
        h2_text_style=heading,
        h3_text_style=smaller,
        h4_text_style=smaller,
        h5_text_style=smaller,
        h6_text_style=smaller,
        blockquote_text_style=quote,
        blockquote_padding=ft.Padding(12, 2, 0, 2),
        blockquote_decoration=ft.BoxDecoration(border=ft.Border(left=ft.BorderSide(3, palette.LINE))),
        codeblock_padding=ft.Padding(12, 10, 12, 10),
        codeblock_decoration=ft.BoxDecoration(bgcolor=palette.tinted(palette.MUTED, 0.1), border_radius=10),
        table_head_text_style=ft.TextStyle(size=14, color=palette.MUTED, weight=ft.FontWeight.W_600),
        table_body_text_style=ft.TextStyle(size=14, color=palette.TEXT),
        table_cells_padding=ft.Padding(0, 5, 12, 5),
        table_cells_decoration=ft.BoxDecoration(border=ft.Border(bottom=ft.BorderSide(0.5, palette.LINE))),
        list_bullet_text_style=ft.TextStyle(size=SIZE, color=palette.MUTED),
        checkbox_text_style=ft.TextStyle(size=SIZE, color=palette.TINT),
        horizontal_rule_decoration=ft.BoxDecoration(border=ft.Border(top=ft.BorderSide(0.5, palette.LINE))),
        block_spacing=10,
    )
