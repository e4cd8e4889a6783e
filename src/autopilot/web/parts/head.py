"""What stands in the head of every page: the app's files, its colours, and what makes it one that is installed."""

from __future__ import annotations

from dataclasses import dataclass

import htpy as h

from autopilot.web.assets import Assets
from autopilot.web.looks import Looks

DARK, LIGHT = "#000000", "#f2f2f7"
HTMX = (
    '{"includeIndicatorStyles":false,"allowEval":false,"historyCacheSize":0,"selfRequestsOnly":true,'
    '"scrollIntoViewOnBoost":false,"attributesToSettle":["class"],'
    '"responseHandling":[{"code":"204","swap":false},{"code":"...","swap":true}]}'
)
"""No inline style, no eval, no page kept in storage; errors are swapped in like everything else."""


@dataclass(frozen=True, slots=True)
class Splash:
    """The start screen of a kind of iPhone or iPad; iOS shows none but of exactly its own size."""

    width: int
    height: int
    ratio: int

    @property
    def pixels(self) -> tuple[int, int]:
        """Its size in pixels."""
        return self.width * self.ratio, self.height * self.ratio

    def file(self, theme: str) -> str:
        """The name of its picture."""
        return f"start-{self.width}x{self.height}-{theme}.png"

    def link(self, theme: str, assets: Assets) -> h.VoidElement:
        """For the head of a page."""
        fits = f"(device-width: {self.width}px) and (device-height: {self.height}px)"
        looks = f"(-webkit-device-pixel-ratio: {self.ratio}) and (prefers-color-scheme: {theme})"
        return h.link(rel="apple-touch-startup-image", media=f"{fits} and {looks}", href=assets[self.file(theme)].path)


SPLASHES = (
    Splash(375, 667, 2),
    Splash(375, 812, 3),
    Splash(390, 844, 3),
    Splash(393, 852, 3),
    Splash(402, 874, 3),
    Splash(414, 896, 2),
    Splash(430, 932, 3),
    Splash(440, 956, 3),
    Splash(820, 1180, 2),
)
"""In CSS pixels."""


def head(title: str, assets: Assets, looks: Looks) -> h.Element:
    """The head of a page."""
    return h.head[
        h.meta(charset="utf-8"),
        h.meta(name="viewport", content="width=device-width,initial-scale=1,viewport-fit=cover"),
        h.title[f"{title} · Autopilot" if title else "Autopilot"],
        _colors(looks.theme),
        h.meta(name="htmx-config", content=HTMX),
        h.link(rel="stylesheet", href=assets["app.css"].path),
        h.script(src=assets["htmx-2.0.11.min.js"].path, defer=True),
        h.script(src=assets["app.js"].path, defer=True),
        _installed(assets),
    ]


def _colors(theme: str) -> list[h.VoidElement]:
    """Which themes the page has, and what surrounds it on a phone: its --bg."""
    if theme == "system":
        return [
            h.meta(name="color-scheme", content="light dark"),
            h.meta(name="theme-color", content=LIGHT, media="(prefers-color-scheme: light)"),
            h.meta(name="theme-color", content=DARK, media="(prefers-color-scheme: dark)"),
        ]
    color = DARK if theme == "dark" else LIGHT
    return [h.meta(name="color-scheme", content=theme), h.meta(name="theme-color", content=color)]


def _installed(assets: Assets) -> list[h.VoidElement]:
    return [
        h.link(rel="manifest", href="/manifest.webmanifest"),
        h.link(rel="icon", href=assets["icon.svg"].path, type="image/svg+xml"),
        h.link(rel="apple-touch-icon", href=assets["apple-touch-icon.png"].path),
        h.meta(name="mobile-web-app-capable", content="yes"),
        h.meta(name="apple-mobile-web-app-title", content="Autopilot"),
        h.meta(name="apple-mobile-web-app-status-bar-style", content="default"),
        *(splash.link(theme, assets) for splash in SPLASHES for theme in ("light", "dark")),
    ]
