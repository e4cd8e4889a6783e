"""Draw the icons and start screens of the web app and of the iPhone app: `.venv/bin/python tools/draw_icons.py`.

With Chromium, from their one drawing, icon.svg. What it draws is kept in the repository; it is run again when the
drawing changes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

from playwright.async_api import Browser, async_playwright

ROOT = Path(__file__).resolve().parent.parent
ICONS = ROOT / "src/autopilot/web/static/icons"
PHONE = ROOT / "ios/src/assets"
"""Where `flet build` looks for `icon.png` and `splash.png`."""
sys.path.insert(0, str(ROOT / "src"))

from autopilot.web.parts.head import SPLASHES  # noqa: E402 - the path comes first

SQUARES = {
    "icon-192": (192, 0.0),
    "icon-512": (512, 0.0),
    "apple-touch-icon": (180, 0.0),
    "icon-maskable-512": (512, 0.1),
}
"""Pixels, and the margin around the drawing that a system may cut off."""
PHONE_ICON, PHONE_SPLASH = 1024, 768
"""Pixels. Apple takes no icon with transparency; the start image is drawn on a ground of either colour."""
GROUNDS = {"light": "#f2f2f7", "dark": "#000000"}


async def main() -> None:
    """Draw them all."""
    program = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium") or "chromium"
    art = (ICONS / "icon.svg").read_text()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, (size, margin) in SQUARES.items():
            side = size * (1 - 2 * margin)
            await _draw(browser, ICONS / f"{name}.png", (size, size), _page(art, side, "#0a1020", radius=0))
        for theme, ground in GROUNDS.items():
            for splash in SPLASHES:
                art_on_ground = _page(art, splash.pixels[0] * 0.28, ground, radius=0.22)
                await _draw(browser, ICONS / splash.file(theme), splash.pixels, art_on_ground)
        PHONE.mkdir(exist_ok=True)
        square = (PHONE_ICON, PHONE_ICON)
        await _draw(browser, PHONE / "icon.png", square, _page(art, PHONE_ICON, "#0a1020", radius=0))
        square = (PHONE_SPLASH, PHONE_SPLASH)
        rounded = _page(art, PHONE_SPLASH * 0.75, "transparent", radius=0.22)
        await _draw(browser, PHONE / "splash.png", square, rounded, omit_background=True)
        await browser.close()


def _page(art: str, side: float, ground: str, *, radius: float) -> str:
    return (
        f"<style>html,body{{margin:0;height:100%;background:{ground};display:grid;place-items:center}}"
        f"svg{{width:{side}px;height:{side}px;border-radius:{side * radius}px}}</style>{art}"
    )


async def _draw(
    browser: Browser, path: Path, pixels: tuple[int, int], page_text: str, *, omit_background: bool = False
) -> None:
    page = await browser.new_page(viewport={"width": pixels[0], "height": pixels[1]})
    await page.set_content(page_text)
    await page.screenshot(path=path, omit_background=omit_background)
    await page.close()


if __name__ == "__main__":
    asyncio.run(main())
