"""Whether Codex can reach a model of its own here; where it can't, the demo's scripted one takes its part.

Asks Codex itself (`codex login status`) and its config.toml; reads no credential. Owns the demo model's port, which is
kept so that a Codex that outlived everything finds the model again.
"""

from __future__ import annotations

import asyncio
import contextlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autopilot.cli import lan
from autopilot.cli.home import Home
from autopilot.companion.codex.binary import CodexBinary, find
from autopilot.companion.codex.messages import CodexUnavailable

LOGIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class CodexHere:
    """The Codex of this machine, as far as it can be known without starting it."""

    binary: CodexBinary
    login: str | None
    """How it is signed in, in words; None: it is not."""

    @property
    def words(self) -> str:
        """For people."""
        where = {"bundled": ", the pinned one", "setting": ", the one set"}.get(self.binary.source, "")
        return f"Codex {self.binary.version}{where}"


async def codex_here(environ: Mapping[str, str]) -> CodexHere | None:
    """What there is; None where no usable Codex is installed."""
    try:
        binary = await find(environ)
    except CodexUnavailable:
        return None
    return CodexHere(binary, own_provider(environ) or await login(binary, environ))


async def login(binary: CodexBinary, environ: Mapping[str, str]) -> str | None:
    """How Codex says it is signed in; None where it says that it is not."""
    process = await asyncio.create_subprocess_exec(
        binary.path,
        "login",
        "status",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(environ),
    )
    try:
        async with asyncio.timeout(LOGIN_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if process.returncode == 0 and lines else None


def own_provider(environ: Mapping[str, str]) -> str | None:
    """The model provider that the user set up by hand in config.toml; it needs no login of Codex's."""
    folder = environ.get("CODEX_HOME") or Path(environ.get("HOME") or Path.home()) / ".codex"
    try:
        chosen = tomllib.loads((Path(folder) / "config.toml").read_text(encoding="utf-8")).get("model_provider")
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None
    return f"model provider {chosen}" if isinstance(chosen, str) and chosen != "openai" else None


def model_port(home: Home) -> int:
    """The port for the demo's model: the one it had before, if it is free; else a free one, kept from now on."""
    kept = home.run / "demo-model.port"
    wanted = 0
    with contextlib.suppress(OSError, ValueError):
        wanted = int(kept.read_text(encoding="ascii"))
    try:
        sock = lan.listening_socket("127.0.0.1", wanted)
    except OSError:
        sock = lan.listening_socket("127.0.0.1", 0)
    with sock:
        port: int = sock.getsockname()[1]
    kept.write_text(str(port), encoding="ascii")
    return port
