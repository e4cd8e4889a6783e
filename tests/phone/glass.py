"""The app behind glass: the very same code, drawn by Flet's web client in Chromium, with its Python in this process.

On a phone Flutter draws to its screen and Python runs beside it; here a socket lies between, which is all that differs.
Each visit is a phone of its own: its Keychain is the browser's storage, its files a folder of the visit's. Fonts are
Debian's (Inter, JetBrains Mono); a phone has its own. Pictures go to `artifacts/ios` (SCREENS names another folder).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import flet as ft
import flet.fastapi as flet_fastapi
import uvicorn
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect
from tests.waiting import until

from autopilot_ios.look import palette

ROOT = Path(__file__).resolve().parents[2]
PICTURES = Path(os.environ.get("SCREENS") or ROOT / "artifacts/ios")
FONTS = {
    "Inter": Path("/usr/share/fonts/opentype/inter/Inter-Regular.otf"),
    "InterBold": Path("/usr/share/fonts/opentype/inter/Inter-SemiBold.otf"),
    "Mono": Path("/usr/share/fonts/truetype/jetbrains-mono/JetBrainsMono-Regular.ttf"),
}
PATIENCE_MS = 60_000
PHONE, PAD = (390, 844), (834, 1194)
LOOKS = [("phone", "light"), ("phone", "dark"), ("pad", "light"), ("pad", "dark")]
COLOURS = 400
"""Fewer different pieces in a picture are an empty screen."""
MOST_LOOKS = 5
LISTENS = """new MutationObserver((seen) => { window.listening = seen.at(-1).target; })
    .observe(document, {subtree: true, attributes: true, attributeFilter: ['autocorrect']})"""
"""The field that Flutter listens to: a moment after it was touched it says there how it wants it, the same or not."""
App = Callable[[ft.Page], Awaitable[None]]


@asynccontextmanager
async def served(app: App, assets: Path) -> AsyncIterator[str]:
    """The app's address."""
    fonts = assets / "fonts"
    fonts.mkdir(parents=True, exist_ok=True)
    for name, path in FONTS.items():
        (fonts / f"{name}{path.suffix}").write_bytes(path.read_bytes())

    async def main(page: ft.Page) -> None:
        page.fonts = {name: f"fonts/{name}{path.suffix}" for name, path in FONTS.items()}
        palette.fonts(text="Inter", mono="Mono")
        await app(page)

    listening = socket.create_server(("127.0.0.1", 0))
    served_app = flet_fastapi.app(main, no_cdn=True, assets_dir=str(assets), app_name="Autopilot")
    server = uvicorn.Server(uvicorn.Config(served_app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.serve([listening]))
        await until(lambda: server.started or running.done())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True


@dataclass
class Glass:
    """One phone's screen."""

    context: BrowserContext
    page: Page
    look: str
    theme: str
    complaints: list[str] = field(default_factory=list)
    kept: bytes = b""
    """The last picture."""

    async def switch_on(self, url: str) -> None:
        """Open the app, and have Flutter say what is on its screen."""
        await self.page.goto(url)
        placeholder = self.page.locator("flt-semantics-placeholder")
        await placeholder.wait_for(state="attached", timeout=PATIENCE_MS)
        await placeholder.dispatch_event("click")
        await self.page.locator("flt-semantics").first.wait_for(state="attached", timeout=PATIENCE_MS)

    def button(self, name: str) -> Locator:
        """A button by its name."""
        return self.page.get_by_role("button", name=name)

    def field(self, name: str) -> Locator:
        """A place to type, by what it says while it is empty."""
        return self.page.get_by_role("textbox", name=name)

    async def type(self, name: str, text: str) -> None:
        """Touch a field and type; what is in it already is typed over."""
        await self.write(self.field(name), text)

    async def write(self, place: Locator, text: str) -> None:
        """Touch this field and type over what is in it; not before Flutter listens: it would forget it again."""
        await place.blur()
        await self.page.evaluate("window.listening = null")
        await place.click()
        await self.page.wait_for_function("window.listening && window.listening === document.activeElement")
        held = self.page.locator(":focus")
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.insert_text(text)
        await expect(held).to_have_value(text)

    async def sees(self, words: str) -> None:
        """Until these words are on the screen."""
        found = self.page.get_by_text(words).or_(self.page.locator(f'[aria-label*="{words}"]'))
        await expect(found.first).to_be_attached(timeout=PATIENCE_MS)

    async def picture(self, name: str) -> None:
        """A picture, kept. Drawing lags behind what is said of the screen: an empty one is looked at again.

        Raises:
            TimeoutError: there is nothing on it: a property that Flutter does not know gives just that, and no error.
        """
        path = PICTURES / f"{name}-{self.look}-{self.theme}.png"

        before = b""
        looks = 0

        async def drawn() -> bool:
            nonlocal before, looks
            taken = await self.page.screenshot(path=path)
            is_still, before = taken == before, taken
            looks += 1
            is_empty = len({taken[at : at + 64] for at in range(200, len(taken), 64)}) <= COLOURS
            is_new = is_still and taken != self.kept  # what is said of a screen comes before it is drawn
            return not is_empty and (is_new or looks > MOST_LOOKS)  # a cursor that blinks never stands still

        await until(drawn, within_seconds=PATIENCE_MS / 1000, between_seconds=0.2)
        self.kept = before


@asynccontextmanager
async def glass(launched: Browser, look: str = "phone", theme: str = "light") -> AsyncIterator[Glass]:
    """A phone or pad that was never switched on."""
    width, height = PHONE if look == "phone" else PAD
    context = await launched.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce", device_scale_factor=2
    )
    context.set_default_timeout(PATIENCE_MS)
    await context.add_init_script(LISTENS)
    page = await context.new_page()
    made = Glass(context, page, look, theme)
    page.on("pageerror", lambda error: made.complaints.append(str(error)[:300]))
    yield made
    await context.close()
