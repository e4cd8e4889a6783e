"""The web app at its public name: https, through Debian's Caddy with the configuration that we ship.

Chromium trusts the certificate as it would a company's own: by its user's store. It calls the name without a port, as
everybody would; only where that name leads is changed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser
from tests.api.contract.conftest import opened
from tests.api.contract.world import World
from tests.api.proxied import NAME, Certificate, running_proxy
from tests.browser import screens

from autopilot.api.settings import ApiSettings
from autopilot.testing.postgres import TestCluster

URL = f"https://{NAME}"
PRIVATE = "autopilot.lan"
"""What it is called at home, where there is no certificate."""


@dataclass
class Trusted:
    """The server, and a browser that trusts it."""

    world: World
    launched: Browser

    @property
    def plain_url(self) -> str:
        """Past Caddy, as others in the same network reach it."""
        return self.world.api.url.replace("127.0.0.1", PRIVATE)


@asynccontextmanager
async def trusted(cluster: TestCluster, folder: Path, **settings: Any) -> AsyncIterator[Trusted]:
    """`settings`: of the API, beside the usual."""
    usual: dict[str, Any] = {"sign_ins_per_minute": 1e6, "client_per_second": 1e6, "sign_up": "open"}
    given = ApiSettings(public_url=URL, hosts=PRIVATE, trusted_proxies="127.0.0.1", **{**usual, **settings})
    async with (
        opened("one process", cluster, settings=given, with_web=True) as world,
        running_proxy("caddy", world.api.url, folder) as proxy,
    ):
        await _trust(proxy.certificate, folder)
        leads = f"--host-resolver-rules=MAP {NAME}:443 127.0.0.1:{proxy.port}, MAP {PRIVATE} 127.0.0.1"
        async with screens.browser(leads, environ={**os.environ, "HOME": str(folder)}) as launched:
            yield Trusted(world, launched)


async def _trust(certificate: Certificate, folder: Path) -> None:
    """What somebody does once who brings a certificate of their own."""
    store = folder / ".pki/nssdb"
    store.mkdir(parents=True)
    await _certutil("-N", "-d", f"sql:{store}", "--empty-password")
    await _certutil("-A", "-d", f"sql:{store}", "-n", NAME, "-t", "C,,", "-i", str(certificate.chain))


async def _certutil(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "certutil", *arguments, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    said = (await process.communicate())[1]
    assert process.returncode == 0, said.decode()
