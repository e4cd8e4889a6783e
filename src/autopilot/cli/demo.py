"""The Codex of this machine, and the demo's scripted model, which takes the part of a model that Codex can't reach.

Owns the demo model's port, which is kept, so that a Codex that outlived everything finds the model again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from autopilot.cli import lan
from autopilot.cli.home import Home
from autopilot.companion import demo
from autopilot.companion.codex.binary import CodexBinary, find
from autopilot.companion.codex.messages import CodexUnavailable
from autopilot.companion.settings import CompanionSettings
from autopilot.ops.settings import load


@dataclass(frozen=True, slots=True)
class CodexHere:
    """The Codex of this machine, as far as it can be known without starting it."""

    binary: CodexBinary
    has_model: bool
    """Whether it can reach a model of its own: somebody is signed in, or another provider is set up."""

    @property
    def words(self) -> str:
        """For people."""
        where = {"bundled": ", the pinned one", "setting": ", the one set"}.get(self.binary.source, "")
        return f"Codex {self.binary.version}{where}"


async def codex_here(environ: Mapping[str, str]) -> CodexHere | None:
    """What there is; None where no usable Codex is installed."""
    try:
        wanted = await demo.is_wanted(environ, load(CompanionSettings, environ).codex_home)
        return CodexHere(await find(environ), has_model=not wanted)
    except CodexUnavailable:
        return None


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
