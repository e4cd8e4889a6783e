"""WebKit without a screen: Debian's WebKitGTK, the nearest thing to Safari that runs here, driven over raw WebDriver.

Its window can't be narrower than 447 pixels; roles and names are asked of the browser itself.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from tests.browser.screens import PICTURES
from tests.ports import free_port
from tests.waiting import until

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""What WebDriver calls a reference to an element by."""
DRIVER = "WebKitWebDriver"
WIDTH, HEIGHT = 460, 900


def mini_browser() -> str | None:
    """WebKit's own small browser, where it is installed."""
    found = sorted(Path("/usr/lib").glob("*/webkit*gtk-*/MiniBrowser"))
    return str(found[-1]) if found and shutil.which(DRIVER) and shutil.which("Xvfb") else None


class WebKit:
    """One window."""

    def __init__(self, http: httpx2.AsyncClient, session: str) -> None:
        self._http = http
        self._session = session

    async def ask(self, method: str, path: str, **body: Any) -> Any:
        """One command."""
        answer = await self._http.request(
            method, f"/session/{self._session}{path}", json=body if method == "POST" else None
        )
        value = answer.json()["value"]
        if isinstance(value, dict) and "error" in value:
            raise LookupError(f"{value['error']}: {value['message']}")
        return value

    async def open(self, url: str) -> None:
        await self.ask("POST", "/url", url=url)

    async def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return await self.ask("POST", "/execute/sync", script=script, args=list(arguments))

    async def find(self, css: str) -> str:
        """The element, once it is there."""

        async def look() -> str | None:
            try:
                return (await self.ask("POST", "/element", using="css selector", value=css))[ELEMENT]
            except LookupError:
                return None

        return str(await until(look))

    async def named(self, css: str, role: str, name: str) -> str:
        """The element of this role and name, as the browser tells them to those who don't see."""

        async def look() -> str | None:
            for found in await self.ask("POST", "/elements", using="css selector", value=css):
                one = found[ELEMENT]
                with contextlib.suppress(LookupError):  # one that is not shown has neither
                    if (await self.role(one), await self.label(one)) == (role, name):
                        return one
            return None

        try:
            return str(await until(look))
        except TimeoutError:
            raise AssertionError(f"no {role} of the name {name!r} among {css}") from None

    async def role(self, element: str) -> str:
        return await self.ask("GET", f"/element/{element}/computedrole")

    async def label(self, element: str) -> str:
        return await self.ask("GET", f"/element/{element}/computedlabel")

    async def click(self, element: str) -> None:
        await self.ask("POST", f"/element/{element}/click")

    async def type(self, element: str, text: str) -> None:
        await self.ask("POST", f"/element/{element}/value", text=text)

    async def says(self, css: str, words: str) -> None:
        """Wait until these words are there."""
        text = "return document.querySelector(arguments[0])?.innerText"
        try:
            await until(lambda: self.run(f"{text}.includes(arguments[1])", css, words))
        except TimeoutError:
            said = await self.run(text, css)
            raise AssertionError(f"{css} does not say {words!r} but {said!r}") from None

    async def picture(self, name: str) -> None:
        """Keep a picture."""
        raw = base64.b64decode(await self.ask("GET", "/screenshot"))
        await asyncio.to_thread(_keep, name, raw)


def _keep(name: str, raw: bytes) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{name}-webkit.png").write_bytes(raw)


@asynccontextmanager
async def webkit() -> AsyncIterator[WebKit]:
    """A window; what it needs runs as long as it does."""
    browser = mini_browser()
    assert browser, "this machine has no WebKitGTK (apt-get install webkit2gtk-driver xvfb)"
    async with AsyncExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="autopilot-webkit-"))
        display = await stack.enter_async_context(_display(home))
        environ = {
            **os.environ,
            "DISPLAY": display,
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "LANG": "en_US.UTF-8",
            "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
            "LIBGL_ALWAYS_SOFTWARE": "1",
        }
        port = free_port()
        await stack.enter_async_context(_running(DRIVER, "-p", str(port), environ=environ))
        http = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
        )
        await until(lambda: _answers(http))
        options = {"binary": browser, "args": ["--automation"]}
        wanted = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}
        begun = (await http.post("/session", json=wanted)).json()["value"]
        window = WebKit(http, begun["sessionId"])
        stack.push_async_callback(window.ask, "DELETE", "")
        await window.ask("POST", "/window/rect", x=0, y=0, width=WIDTH, height=HEIGHT)
        yield window


@asynccontextmanager
async def _display(home: str) -> AsyncIterator[str]:
    """A screen of nobody; it says its number when it is there."""
    reading, writing = os.pipe()
    command = ("Xvfb", "-displayfd", str(writing), "-screen", "0", "1400x1000x24", "-nolisten", "tcp")
    process = await asyncio.create_subprocess_exec(
        *command, pass_fds=(writing,), stderr=asyncio.subprocess.DEVNULL, cwd=home
    )
    os.close(writing)
    try:
        number = await asyncio.to_thread(os.read, reading, 16)
        yield f":{number.decode().strip()}"
    finally:
        os.close(reading)
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _running(*command: str, environ: dict[str, str]) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *command, env=environ, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _answers(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/status")).status_code == 200
    except httpx2.TransportError:
        return False
