"""Screens in a real browser: Chromium by Playwright, a picture of each, and what has to hold for every one.

`visit` opens a path, waits for the stream, and checks what no screen may have: an error on the console, a request to
another origin, a picture of one colour, something wider than the window, a violation that axe finds. Pictures go to
`artifacts/screens` (SCREENS names another folder).
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

ROOT = Path(__file__).resolve().parents[2]
PICTURES = Path(os.environ.get("SCREENS") or ROOT / "artifacts/screens")
AXE = Path(os.environ.get("TEST_AXE") or ROOT / ".axe/node_modules/axe-core/axe.min.js")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
)
PATIENCE_MS = 30_000
"""For whatever is awaited, in every test with a browser: a machine that does other things too is slow."""
expect.set_options(timeout=PATIENCE_MS)
COLOURS = 64
"""Fewer different pieces in a picture are an empty screen."""
PHONE, WIDE = (390, 844), (1280, 800)
LOOKS = [("phone", "light"), ("phone", "dark"), ("wide", "light"), ("wide", "dark")]
EXPECTED = re.compile(
    r"net::ERR_INTERNET_DISCONNECTED|the server responded with a status of (401|403|404|409|422|429|503)"
    r"|The Cross-Origin-Opener-Policy header has been ignored, because the URL's origin was untrustworthy"
)
"""What Chromium itself says of an answer that a test asked for, and of plain HTTP."""


def program() -> str | None:
    """Where Chromium is; None: as Playwright finds it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("TEST_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@asynccontextmanager
async def browser(*flags: str, environ: dict[str, str | float | bool] | None = None) -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=program(), args=[*FLAGS, *flags], env=environ)
        yield launched
        await launched.close()


@dataclass
class Visit:
    """One browser of somebody, with what its console said."""

    url: str
    context: BrowserContext
    page: Page
    look: str
    theme: str
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    async def open(self, path: str, *, live: bool = True) -> Page:
        """Go there, and wait until the screen is live."""
        await self.page.goto(self.url + path)
        if live:
            await expect(self.page.locator("#state")).to_have_attribute("data-state", "live")
        return self.page

    async def problems(self, name: str) -> list[str]:
        """What of all that holds for every screen does not hold for this one; and its picture."""
        await self.page.evaluate("document.fonts.ready")
        picture = await self.picture(name)
        found = [f"axe: {one}" for one in await self.violations()]
        found += [f"wider than the window: {one}" for one in await self.page.evaluate(WIDER)]
        if len({picture[at : at + 64] for at in range(200, len(picture), 64)}) <= COLOURS:
            found.append("there is nothing on it")
        found += [f"said: {one}" for one in self.complaints] + [f"asked: {one}" for one in self.strangers]
        self.complaints.clear()
        self.strangers.clear()
        return [f"{name} ({self.look}, {self.theme}): {one}" for one in found]

    async def picture(self, name: str) -> bytes:
        """A picture of the window, kept."""
        return await self.page.screenshot(path=PICTURES / f"{name}-{self.look}-{self.theme}.png")

    async def violations(self) -> list[str]:
        """What axe finds, with where."""
        await self.page.evaluate(_axe())  # past the policy of the page, as only a debugger can
        found: dict[str, Any] = await self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    def assert_quiet(self) -> None:
        """Nothing was complained of, and nobody else was asked."""
        assert not self.complaints, self.complaints
        assert not self.strangers, self.strangers


@functools.cache
def _axe() -> str:
    return AXE.read_text()


WIDER = """() => [...document.querySelectorAll('body *')].filter((one) => {
    const box = one.getBoundingClientRect();
    if (!box.width || !box.height || box.left < -500) return false;
    for (let up = one.parentElement; up; up = up.parentElement) {
        const flow = getComputedStyle(up).overflowX;
        if (flow === 'auto' || flow === 'scroll' || flow === 'hidden' || flow === 'clip') return false;
    }
    return box.right > innerWidth + 1;
}).map((one) => one.outerHTML.slice(0, 200))"""


@asynccontextmanager
async def visiting(
    launched: Browser, url: str, look: str = "phone", theme: str = "light", **options: Any
) -> AsyncIterator[Visit]:
    """A browser with nothing in it yet."""
    width, height = PHONE if look == "phone" else WIDE
    context = await launched.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce", **options
    )
    try:
        yield await visit_in(context, url, look, theme)
    finally:
        await context.close()


@asynccontextmanager
async def visiting_from(desktop: Mapping[str, str], url: str) -> AsyncIterator[Visit]:
    """A browser of its own with a profile of its own, on this desktop: it may show notifications there.

    What a notification is clicked for reaches nothing but a real profile: never a context beside others.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        _allow_notifications(Path(folder, "Default"))
        width, height = PHONE
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                folder,
                executable_path=program(),
                args=FLAGS,
                env={**os.environ, **desktop},
                viewport={"width": width, "height": height},
                reduced_motion="reduce",
            )
            try:
                yield await visit_in(context, url, "phone", "light")
            finally:
                await context.close()


def _allow_notifications(profile: Path) -> None:
    profile.mkdir()
    settings = {"profile": {"default_content_setting_values": {"notifications": 1}}}
    Path(profile, "Preferences").write_text(json.dumps(settings))


async def visit_in(context: BrowserContext, url: str, look: str, theme: str) -> Visit:
    """A tab of it, listened to."""
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    visit = Visit(url, context, page, look, theme)
    origin = urlsplit(url).netloc

    def told(kind: str, words: str) -> None:
        if kind in {"error", "warning"} and not EXPECTED.search(words):
            visit.complaints.append(words)

    page.on("console", lambda message: told(message.type, message.text))
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            visit.strangers.append(request.url) if urlsplit(request.url).netloc not in {origin, ""} else None
        ),
    )
    return visit


async def sign_in(visit: Visit, email: str, code: str) -> None:
    """With a code that is known already: the form itself has a test of its own."""
    answer = await visit.context.request.post(
        f"{visit.url}/sign-in/code", form={"email": email, "code": code}, headers={"origin": visit.url}
    )
    assert answer.ok, await answer.text()
