"""Chromium without a window, driven over its DevTools protocol: pages, and an authenticator that it plays itself.

The protocol is a socket that speaks JSON, and the client of it is in the lock file anyway: no driver, no download.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.waiting import until
from websockets.asyncio.client import ClientConnection, connect

PATIENCE_SECONDS = 60.0
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-proxy-server",
)


class PageRefused(Exception):
    """What a page's script was refused with."""


def program() -> str:
    """Where Chromium is."""
    found = os.environ.get("TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "this machine has no Chromium (apt-get install chromium)"
    return found


@dataclass
class Page:
    """One tab."""

    socket: ClientConnection
    numbers: count = field(default_factory=lambda: count(1))
    authenticator_id: str = ""

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One call of the protocol; what else is said meanwhile is passed over."""
        number = next(self.numbers)
        await self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                said = json.loads(await self.socket.recv())
                if said.get("id") == number:
                    assert "error" not in said, said
                    return said["result"]

    async def run(self, function: str, *arguments: Any) -> Any:
        """What an async function says in the page.

        Raises:
            PageRefused: it threw: with the error's name and words.
        """
        told = ", ".join(json.dumps(one) for one in arguments)
        expression = f"({function})({told})"
        asked = {"expression": expression, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        found = await self.ask("Runtime.evaluate", **asked)
        if "exceptionDetails" in found:
            raise PageRefused(found["exceptionDetails"]["exception"]["description"])
        return found["result"].get("value")

    async def open(self, url: str) -> None:
        """Go there, and wait until it is there."""
        await self.ask("Page.navigate", url=url)
        await until(lambda: self._is_at(url), within_seconds=PATIENCE_SECONDS)

    async def _is_at(self, url: str) -> bool:
        return await self.run("async () => document.readyState + ' ' + location.href") == f"complete {url}"

    async def plug_in(self, **more: Any) -> None:
        """An authenticator that holds passkeys, verifies its user by itself, and says yes."""
        await self.ask("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
            **more,
        }
        self.authenticator_id = (await self.ask("WebAuthn.addVirtualAuthenticator", options=options))["authenticatorId"]

    async def unplug(self) -> None:
        """Take it away, with what it holds."""
        await self.ask("WebAuthn.removeVirtualAuthenticator", authenticatorId=self.authenticator_id)

    async def credentials(self) -> list[dict[str, Any]]:
        """What it holds, secret halves included."""
        asked = await self.ask("WebAuthn.getCredentials", authenticatorId=self.authenticator_id)
        return asked["credentials"]

    async def put_back(self, credential: dict[str, Any]) -> None:
        """Have it hold this and nothing else."""
        await self.ask("WebAuthn.clearCredentials", authenticatorId=self.authenticator_id)
        await self.ask("WebAuthn.addCredential", authenticatorId=self.authenticator_id, credential=credential)

    async def verifies(self, *, its_user: bool) -> None:
        """Whether it knows the face before it."""
        await self.ask("WebAuthn.setUserVerified", authenticatorId=self.authenticator_id, isUserVerified=its_user)


@asynccontextmanager
async def chromium() -> AsyncIterator[Page]:
    """A browser of its own, with one page, and nothing left of it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()  # it refuses to run as root with one
        process = await asyncio.create_subprocess_exec(
            program(),
            *FLAGS,
            *sandbox,
            f"--user-data-dir={folder}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            place = Path(folder, "DevToolsActivePort")
            port, path = await until(lambda: _socket_of(place), within_seconds=PATIENCE_SECONDS)
            async with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as browser:
                target = (await Page(browser).ask("Target.getTargets"))["targetInfos"]
                page_id = next(one["targetId"] for one in target if one["type"] == "page")
                address = f"ws://127.0.0.1:{port}/devtools/page/{page_id}"
                async with connect(address, max_size=None, proxy=None) as socket:
                    page = Page(socket)
                    # The pages that are here now may not call anything; the web app's own may, and is tested with it.
                    await page.ask("Page.setBypassCSP", enabled=True)
                    yield page
                await Page(browser).ask("Browser.close")
            async with asyncio.timeout(PATIENCE_SECONDS):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def _socket_of(place: Path) -> list[str] | None:
    """Port and path, once they are written down."""
    said = place.read_text().split("\n") if place.exists() else []
    return said if len(said) == 2 else None
