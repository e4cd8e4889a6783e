"""Find the Codex to run: the user's own, else the pinned one of the extra `codex`. Starts nothing but `--version`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from autopilot.companion.codex.messages import CodexUnavailable

OLDEST = (0, 163, 0)
"""The oldest version the project is tested on; an older one of the user's is passed over, and said so."""
VERSION_SECONDS = 20.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CodexBinary:
    """A Codex that can be run."""

    path: Path
    version: str
    source: str
    """`setting` (AUTOPILOT_CODEX), `path` or `bundled`."""


async def find(environ: Mapping[str, str]) -> CodexBinary:
    """The Codex to run.

    Raises:
        CodexUnavailable: there is none, or only one that is too old.
    """
    passed_over: list[str] = []
    for path, source in candidates(environ):
        version = await version_of(path)
        if version is None:
            passed_over.append(f"{path} does not tell its version")
        elif source != "setting" and numbers(version) < OLDEST:
            passed_over.append(f"{path} is {version}, older than {'.'.join(map(str, OLDEST))}")
        else:
            for reason in passed_over:
                log.warning("codex.passed_over", reason=reason)
            return CodexBinary(path, version, source)
    raise CodexUnavailable(
        "there is no usable Codex: install it (npm install -g @openai/codex), or install autopilot-codex[codex]"
        + "".join(f"; {reason}" for reason in passed_over)
    )


def candidates(environ: Mapping[str, str]) -> list[tuple[Path, str]]:
    """Where a Codex may be, best first."""
    if environ.get("AUTOPILOT_CODEX"):
        return [(Path(environ["AUTOPILOT_CODEX"]), "setting")]
    found: list[tuple[Path, str]] = []
    own = shutil.which("codex", path=environ.get("PATH"))
    if own:
        found.append((Path(own), "path"))
    pinned = bundled()
    if pinned:
        found.append((pinned, "bundled"))
    return found


def bundled() -> Path | None:
    """The binary of the extra `codex`, where it is installed."""
    try:
        import codex_cli_bin  # noqa: PLC0415  # an optional extra
    except ImportError:
        return None
    try:
        return Path(codex_cli_bin.bundled_codex_path())
    except FileNotFoundError:
        return None


async def version_of(path: Path) -> str | None:
    """`0.163.0`, or None where the program can't be run or says something else."""
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(VERSION_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:  # also where the companion is ended meanwhile: nobody else would end it
        await ended(process)
    found = re.search(rb"(\d+\.\d+\.\d+\S*)", output)
    return found[1].decode() if found else None


async def ended(process: asyncio.subprocess.Process) -> int:
    """The exit code of a program that is asked for no more; it is killed where it still runs, with what it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return await process.wait()


def numbers(version: str) -> tuple[int, ...]:
    """`0.163.0` -> (0, 163, 0), to be compared."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
