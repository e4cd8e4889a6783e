"""An installation whose every process can be killed: `autopilot up` on a home and a port of its own, again and again.

Finds processes by the home they work for, in the operating system's own list. Never asks Autopilot who runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil
from tests.e2e import kill_follower
from tests.e2e.installation import environment
from tests.ports import free_port

from autopilot.api import tokens
from autopilot.client import RuntimeCodexClient
from autopilot.contract import SetPolicy
from autopilot.db.pool import open_pool

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
GONE_SECONDS = 30.0
POLL_SECONDS = 0.02


@dataclass
class Killable:
    """One home, one port, and at most one `autopilot up` for them."""

    home: Path
    port: int
    shape: tuple[str, ...] = ()
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    spoiled: str | None = field(default=None)
    """Why the next round wants another installation."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def facts(self) -> dict[str, Any]:
        """What the running installation says about itself."""
        said = self.home / "run" / "installation.json"
        return dict(json.loads(said.read_text())) if said.exists() else {}

    async def start(self, shape: tuple[str, ...] | None = None) -> None:
        """Start `autopilot up` and wait until it is ready."""
        await self.begin(shape)
        await self.ready()

    async def begin(self, shape: tuple[str, ...] | None = None) -> None:
        """Start `autopilot up`."""
        self.shape = self.shape if shape is None else shape
        self.starts += 1
        arguments = ("up", "--json", "--demo", "--port", str(self.port), *self.shape)
        with (self.home.parent / "up.out").open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "autopilot.cli", *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment(self.home),
                start_new_session=True,
            )

    async def kill_start_after(self, seconds: float) -> None:
        """Start `autopilot up`, and kill it whatever it has come to by then."""
        await self.begin()
        assert self.process is not None
        await asyncio.sleep(seconds)  # drawn
        assert self.process.returncode is None, f"it gave up with {self.process.returncode}: {self.last_words()}"
        self.process.kill()
        await self.process.wait()

    async def ready(self) -> None:
        """Wait until /readyz answers 200."""
        assert self.process is not None
        async with asyncio.timeout(READY_SECONDS), httpx2.AsyncClient(trust_env=False, timeout=5) as client:
            while self.process.returncode is None:
                with contextlib.suppress(httpx2.HTTPError):
                    answer = await client.get(f"{self.url}/readyz")
                    if answer.status_code == 200 and self.facts.get("pid") == self.process.pid:
                        return
                await asyncio.sleep(POLL_SECONDS)
        raise AssertionError(f"autopilot up ended with {self.process.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        return (self.home.parent / "up.out").read_text()[-800:]

    async def ended(self) -> int:
        """Wait for the end of `autopilot up`."""
        assert self.process is not None
        async with asyncio.timeout(STOP_SECONDS):
            return await self.process.wait()

    async def stop(self) -> int:
        """A clean end; its exit code."""
        if self.process is None:
            return 0
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def token(self, *scopes: str) -> str:
        """A token of the owner's."""
        async with await open_pool(self.facts["database_url"], max_size=1, schema="api") as pool:
            return (await tokens.mint(pool, scopes=scopes, surface="sdk")).token

    async def allow(self, asked: dict[str, str]) -> None:
        """Have the installation's policy take these params of a thread, which it refuses by itself."""
        policy = {"sandbox": {"allow": [asked["sandbox"]]}, "approval_policy": {"allow": [asked["approvalPolicy"]]}}
        document = SetPolicy(subject="installation", format="json", text=json.dumps(policy), expected_version=0)
        async with RuntimeCodexClient(self.url, await self.token("admin")) as client:
            await client.set_policy(document)

    # Who works for this home.

    def processes(self) -> list[psutil.Process]:
        """Everything that lives for this home, this test excepted."""
        return [one for one in psutil.process_iter() if one.pid != os.getpid() and self._is_ours(one)]

    def _is_ours(self, process: psutil.Process) -> bool:
        ours = str(self.home)
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return (
                any(ours in part for part in process.cmdline())
                or process.environ().get("HOME") == ours
                or Path(process.cwd()).is_relative_to(self.home)
            )
        except (psutil.Error, OSError):
            return False

    def of(self, kind: str) -> list[psutil.Process]:
        """The processes of one kind: up, server, runtime, api, companion, model, codex, postgres, backend, follower."""
        return [one for one in self.processes() if kind_of(one) == kind]

    async def alone(self) -> None:
        """Wait until nothing works for this home any more.

        Raises:
            AssertionError: with what does.
        """
        try:
            async with asyncio.timeout(GONE_SECONDS):
                while self.processes():  # noqa: ASYNC110  # the operating system's list has no event
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            left = [(one.pid, kind_of(one), " ".join(words_of(one))[:200]) for one in self.processes()]
            raise AssertionError(f"processes are left: {left}") from None

    def end_everything(self) -> None:
        """Whatever a failed round left."""
        kill(self.processes())


def words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def kind_of(process: psutil.Process) -> str:
    """What it is; empty: a command of Codex's, or anything else."""
    words = words_of(process)
    if "app-server" in words:
        return "codex"
    if kill_follower.__file__ in words:
        return "follower"
    if words and words[0].endswith("/postgres"):
        return "postgres"
    if words and words[0].startswith("postgres: autopilot "):
        return "backend"
    if words[1:3] == ["-m", "autopilot.cli"] and len(words) > 3:
        return {"serve": "server", "demo-model": "model"}.get(words[3], words[3])
    return ""


def kill(victims: Iterable[psutil.Process]) -> list[int]:
    """SIGKILL for all of them, with nothing in between; who was met."""
    met = []
    for victim in victims:
        with contextlib.suppress(psutil.Error):
            victim.kill()
            met.append(victim.pid)
    return met


@asynccontextmanager
async def killable() -> AsyncIterator[Killable]:
    """A fresh home in a private folder outside of TMPDIR (Codex wants that); kept where a round failed."""
    folder = Path(tempfile.mkdtemp(prefix="autopilot-kills-", dir=Path.home()))
    (folder / "home").mkdir(mode=0o700)
    installation = Killable(folder / "home", free_port())
    try:
        yield installation
        if installation.spoiled is None and installation.process is not None:
            code = await installation.stop()
            assert code == 0, f"a clean stop ended with {code}: {installation.last_words()}"
            await installation.alone()
    finally:
        installation.end_everything()
        if installation.spoiled is None:
            shutil.rmtree(folder)
