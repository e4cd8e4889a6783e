"""Draw the web app's icons and start screens with Chromium: `.venv/bin/python tools/draw_icons.py`.

From its one drawing, icon.svg. What it draws is kept in the repository; it is run again when the drawing changes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

from playwright.async_api import Browser, async_playwright

ICONS = Path(__file__).resolve().parent.parent / "src/autopilot/web/static/icons"
sys.path.insert(0, str(ICONS.parents[3]))

from autopilot.web.parts.head import SPLASHES  # noqa: E402 - the path comes first

SQUARES = {
    "icon-192": (192, 0.0),
    "icon-512": (512, 0.0),
    "apple-touch-icon": (180, 0.0),
    "icon-maskable-512": (512, 0.1),
}
"""Pixels, and the margin around the drawing that a system may cut off."""
GROUNDS = {"light": "#f2f2f7", "dark": "#000000"}


async def main() -> None:
    """Draw them all."""
    program = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium") or "chromium"
    art = (ICONS / "icon.svg").read_text()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, (size, margin) in SQUARES.items():
            side = size * (1 - 2 * margin)
            await _draw(browser, name, (size, size), _page(art, side, "#0a1020", radius=0))
        for theme, ground in GROUNDS.items():
            for splash in SPLASHES:
                await _draw(
                    browser, splash.file(theme), splash.pixels, _page(art, splash.pixels[0] * 0.28, ground, radius=0.22)
                )
        await browser.close()


def _page(art: str, side: float, ground: str, *, radius: float) -> str:
    return (
        f"<style>html,body{{margin:0;height:100%;background:{ground};display:grid;place-items:center}}"
        f"svg{{width:{side}px;height:{side}px;border-radius:{side * radius}px}}</style>{art}"
    )


async def _draw(browser: Browser, name: str, pixels: tuple[int, int], page_text: str) -> None:
    page = await browser.new_page(viewport={"width": pixels[0], "height": pixels[1]})
    await page.set_content(page_text)
    await page.screenshot(path=ICONS / f"{name.removesuffix('.png')}.png")
    await page.close()


if __name__ == "__main__":
    asyncio.run(main())
