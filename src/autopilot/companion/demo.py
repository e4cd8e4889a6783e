"""The demo: a Codex home that knows only the scripted model, a small project, and a first turn. Sends nothing anywhere.

Owns `codex-demo/` below AUTOPILOT_HOME. Also answers whether the user's Codex could work without the demo.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from autopilot.companion.codex import binary
from autopilot.companion.codex.binary import CodexBinary
from autopilot.companion.codex.messages import CodexUnavailable
from autopilot.companion.codex.process import child_environment
from autopilot.companion.codex.scripted_model import config_toml, model_catalog
from autopilot.companion.codex.scripted_model.story import DEMO_FILES

FIRST_PROMPT = "Show me around in this project, and do the next task."
LOOK_SECONDS = 15.0
SANDBOXED = {"approvalPolicy": "on-request", "sandbox": "workspace-write"}
UNSANDBOXED = {"approvalPolicy": "on-request", "sandbox": "danger-full-access"}
"""Where no sandbox can be made: the demo's own commands only list, print, count and commit files of its own folder.
Nothing is asked there: Codex asks about what leaves the sandbox."""
APPROVAL_TTL_MS = 120_000
"""Nobody may be there to answer the demo's question: it goes on without, soon."""

log = structlog.get_logger(__name__)


def codex_home(home: Path) -> Path:
    """CODEX_HOME of the demo."""
    return home / "codex-demo"


def project(home: Path) -> Path:
    """The folder in which the demo works."""
    return codex_home(home) / "project"


def prepare(home: Path, model_url: str) -> None:
    """Write the demo's Codex home anew, and its project where it is missing."""
    folder = codex_home(home)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    catalog = folder / "catalog.json"
    catalog.write_text(json.dumps(model_catalog()))
    (folder / "config.toml").write_text(config_toml(model_url, catalog))
    work = project(home)
    if not work.exists():
        work.mkdir()
        for name, content in DEMO_FILES.items():
            (work / name).write_text(content)


async def begin_repository(home: Path) -> None:
    """Make the project a git repository where git is there: diffs and reverts then work as in a real one."""
    git = shutil.which("git")
    if git is None or (project(home) / ".git").exists():
        return
    identity = ("-c", "user.name=Autopilot demo", "-c", "user.email=demo@localhost")
    for arguments in (("init", "--quiet"), ("add", "."), (*identity, "commit", "--quiet", "-m", "A small project")):
        await _run(Path(git), arguments, {"PATH": os.environ.get("PATH", ""), "HOME": str(home)}, cwd=project(home))


async def thread_defaults(chosen: CodexBinary, home: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """What the demo's threads are started with, by whether commands can be run in a sandbox here."""
    inside = child_environment(environ, codex_home(home), home / "run" / "tmp")
    inside["CODEX_HOME"] = str(codex_home(home))
    possible = await _run(chosen.path, ("sandbox", "--", "/bin/true"), inside) == 0
    log.info("demo.sandbox", possible=possible)
    return {"cwd": str(project(home)), **(SANDBOXED if possible else UNSANDBOXED)}


async def is_wanted(environ: Mapping[str, str], codex_home_dir: Path) -> bool:
    """Whether Codex could not work here on its own: nobody is logged in, and no other provider is set up.

    Raises:
        CodexUnavailable: there is no Codex at all.
    """
    chosen = await binary.find(environ)
    if environ.get("CODEX_API_KEY") or _has_own_provider(codex_home_dir):
        return False
    inside = child_environment(environ, codex_home_dir, codex_home_dir / "tmp") | {"CODEX_HOME": str(codex_home_dir)}
    code = await _run(chosen.path, ("login", "status"), inside)
    if code is None:
        raise CodexUnavailable(f"{chosen.path} does not tell whether anybody is logged in")
    return code != 0


def _has_own_provider(codex_home_dir: Path) -> bool:
    """Whether the user's config names a model provider of its own (one that needs no login with OpenAI)."""
    try:
        config = tomllib.loads((codex_home_dir / "config.toml").read_text())
    except (OSError, ValueError):
        return False
    return config.get("model_provider", "openai") != "openai"


async def _run(
    program: Path, arguments: tuple[str, ...], environ: Mapping[str, str], cwd: Path | None = None
) -> int | None:
    """Exit code, None where it does not end in time or can't be run."""
    nothing = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            program, *arguments, env=dict(environ), cwd=cwd, stdin=nothing, stdout=nothing, stderr=nothing
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
