"""A second machine's companion on the same CODEX_HOME, clocks that are wrong, a network between it and the API."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from tests.companion.installation import Installation, at_work

from autopilot.api import tokens
from autopilot.client import RuntimeCodexClient
from autopilot.companion import identity
from autopilot.companion.app import Companion
from autopilot.companion.settings import CompanionSettings
from autopilot.ops.clock import SystemClock
from autopilot.ops.settings import Secret
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy

SHORT_LEASE_MS = 2000


class WrongClock(SystemClock):
    """The machine's clock, set wrong by so much; durations are right."""

    def __init__(self, wrong_by: timedelta) -> None:
        self._wrong_by = wrong_by

    def now(self) -> datetime:
        return super().now() + self._wrong_by


class Network:
    """Between one companion and the API."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self.url = proxy.url

    def cut(self) -> None:
        """Nothing goes through any more."""
        self._proxy.plan = lambda _number: Fault("refuse")
        self._proxy.cut_all()

    def mend(self) -> None:
        self._proxy.plan = lambda _number: HEALTHY


@asynccontextmanager
async def network_of(installation: Installation) -> AsyncIterator[Network]:
    where = urlsplit(installation.served.url)
    assert where.hostname is not None
    assert where.port is not None
    async with FaultProxy(where.hostname, where.port) as proxy:
        yield Network(proxy)


@asynccontextmanager
async def machine_of(
    installation: Installation, home: Path, *, wrong_by: timedelta = timedelta(0), url: str | None = None
) -> AsyncIterator[Companion]:
    """A companion with a home, an app-server and a machine of its own, on the same CODEX_HOME. Its leases are short."""
    machine = identity.load_or_create(home)
    executor = await tokens.mint(
        installation.served.pool, scopes=("execute",), machine_id=machine.machine_id, surface="companion"
    )
    base_url = url or installation.served.url
    launch = dataclasses.replace(installation.launch, run_dir=home / "run", log_path=home / "codex.log")
    settings = CompanionSettings(home=home, base_url=base_url, token=Secret(executor.token), heartbeat_ms=1000)
    async with RuntimeCodexClient(base_url, executor.token, surface="companion") as client:
        made = Companion(settings, launch, client, WrongClock(wrong_by), {})
        made.leases._ttl_ms = SHORT_LEASE_MS
        async with at_work(made):
            yield made
