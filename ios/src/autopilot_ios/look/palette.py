"""Colours by what they mean, in both themes; everything else goes by these names. Text contrast is AA at least.

They are the web's (src/autopilot/web/static/css/00-theme.css), carried by the theme's colour scheme: Cupertino's label
colours don't adapt to the dark theme here, the scheme's do. `secondary` is what is well, `tertiary` what wants a look.
"""

from __future__ import annotations

from dataclasses import dataclass

import flet as ft

from autopilot.client.presenters.labels import Tone

BACKGROUND = ft.Colors.SURFACE
CARD = ft.Colors.SURFACE_CONTAINER_LOWEST
RAISED = ft.Colors.SURFACE_CONTAINER_HIGH
TEXT = ft.Colors.ON_SURFACE
MUTED = ft.Colors.ON_SURFACE_VARIANT
LINE = ft.Colors.OUTLINE_VARIANT
TINT = ft.Colors.PRIMARY
ON_TINT = ft.Colors.ON_PRIMARY
GREEN = ft.Colors.SECONDARY
ORANGE = ft.Colors.TERTIARY
RED = ft.Colors.ERROR
PURPLE = ft.Colors.PRIMARY_FIXED
CODE = ft.Colors.SURFACE_DIM
CODE_HEAD = ft.Colors.SURFACE_BRIGHT
CODE_TEXT = ft.Colors.ON_PRIMARY_FIXED
ADDED = ft.Colors.SECONDARY_CONTAINER
REMOVED = ft.Colors.ERROR_CONTAINER

CODE_MUTED = "#a6acb8"
CODE_LINK = "#8fc1ff"
CODE_PROMPT = "#7ee2a0"
CODE_TONES: dict[Tone, str] = {
    "good": CODE_PROMPT,
    "bad": "#ff9b92",
    "warn": "#ffc27d",
    "busy": CODE_LINK,
    "quiet": CODE_MUTED,
}
"""Code is dark in both themes, so that these are the same in both."""
TERMINAL_FRONTS = (
    *("#8d95a3", "#ff8f87", "#7ee2a0", "#f2cf6d", "#86b9ff", "#dda4ff", "#73dbe6", "#d8dce5"),
    *("#a0a7b4", "#ffaaa3", "#9bf0b7", "#ffe08a", "#a5ccff", "#e8bfff", "#97ecf4", "#ffffff"),
)
TERMINAL_BACKS = (
    *("#33373f", "#6b1d1d", "#17502b", "#5c4300", "#17427d", "#552475", "#0d4d55", "#4a505c"),
    *("#454b56", "#7d2424", "#1b5e33", "#6b4f00", "#1d4f94", "#642b89", "#105c66", "#5a6170"),
)
"""A terminal's sixteen colours, in the order of `presenters.terminal`, as the web has them."""

TONES: dict[Tone, ft.Colors] = {"good": GREEN, "bad": RED, "warn": ORANGE, "busy": TINT, "quiet": MUTED}

_LIGHT = ft.ColorScheme(
    primary="#0a60d8",
    on_primary="#ffffff",
    secondary="#1c7a33",
    on_secondary="#ffffff",
    secondary_container="#dff5e3",
    on_secondary_container="#0b0b0f",
    tertiary="#9a4a00",
    on_tertiary="#ffffff",
    error="#c4001a",
    on_error="#ffffff",
    error_container="#fde3e4",
    on_error_container="#0b0b0f",
    surface="#f2f2f7",
    on_surface="#0b0b0f",
    on_surface_variant="#63636a",
    outline="#8e8e93",
    outline_variant="#d5d5da",
    surface_container_lowest="#ffffff",
    surface_container_high="#ffffff",
    surface_tint="#f2f2f7",
    surface_dim="#1c1d21",
    surface_bright="#2b2c31",
    on_primary_fixed="#eceef2",
    primary_fixed="#7a3fb5",
)
_DARK = ft.ColorScheme(
    primary="#5aa2ff",
    on_primary="#001a3d",
    secondary="#4cd26e",
    on_secondary="#00210a",
    secondary_container="#10301a",
    on_secondary_container="#f4f4f6",
    tertiary="#ffb454",
    on_tertiary="#2c1600",
    error="#ff7b72",
    on_error="#330003",
    error_container="#3b1518",
    on_error_container="#f4f4f6",
    surface="#000000",
    on_surface="#f4f4f6",
    on_surface_variant="#a0a0a8",
    outline="#7c7c82",
    outline_variant="#35353a",
    surface_container_lowest="#1a1a1d",
    surface_container_high="#26262a",
    surface_tint="#000000",
    surface_dim="#0d0e11",
    surface_bright="#1b1c20",
    on_primary_fixed="#e8eaf0",
    primary_fixed="#c79bff",
)


@dataclass
class Fonts:
    """Which fonts are used; None: the system's."""

    text: str | None = None
    mono: str = "Menlo"


_FONTS = Fonts()


def fonts(*, text: str, mono: str) -> None:
    """Use these, where the system has none of its own: in tests."""
    _FONTS.text, _FONTS.mono = text, mono


def paint(page: ft.Page) -> None:
    """Give the page both themes."""
    page.theme = ft.Theme(color_scheme=_LIGHT, font_family=_FONTS.text)
    page.dark_theme = ft.Theme(color_scheme=_DARK, font_family=_FONTS.text)
    page.theme_mode = ft.ThemeMode.SYSTEM
    page.adaptive = True


def mono(size: float = 12, color: ft.ColorValue | None = None) -> ft.TextStyle:
    """Text of a terminal."""
    return ft.TextStyle(font_family=_FONTS.mono, size=size, color=color, height=1.35)


def tinted(color: ft.Colors, share: float = 0.14) -> str:
    """A wash of a colour, behind words in it."""
    return ft.Colors.with_opacity(share, color)
