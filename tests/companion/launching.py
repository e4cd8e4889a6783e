"""A Codex that has never run: a CODEX_HOME that knows only the scripted model, an empty HOME, a folder to work in."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from autopilot.companion.codex import binary as binaries
from autopilot.companion.codex import drift
from autopilot.companion.codex.binary import CodexBinary
from autopilot.companion.codex.process import Launch, child_environment
from autopilot.testing.model import ScriptedModel, config_toml, model_catalog


async def pinned() -> CodexBinary:
    """The pinned Codex: what the project promises to work with. TEST_CODEX names another one."""
    program = Path(os.environ["TEST_CODEX"]) if "TEST_CODEX" in os.environ else binaries.bundled()
    assert program is not None, "the extra `codex` is not installed"
    version = await binaries.version_of(program)
    assert version is not None
    return CodexBinary(program, version, "bundled")


async def schema_of(codex: CodexBinary, folder: Path) -> Path:
    """The file in which a companion keeps what this Codex said of its protocol, made in this empty folder."""
    await drift.vocabulary(codex, folder)
    return _only(folder)


def _only(folder: Path) -> Path:
    (kept,) = folder.iterdir()
    return kept


def keep_schema(root: Path, schema: Path) -> None:
    """As if the companion of this place had asked for it before."""
    data = root / "autopilot" / "companion"
    data.mkdir(parents=True, mode=0o700)
    shutil.copy(schema, data)


def make_codex_home(root: Path, model: ScriptedModel) -> Path:
    home = root / "codex-home"
    home.mkdir()
    catalog = home / "catalog.json"
    catalog.write_text(json.dumps(model_catalog()))
    (home / "config.toml").write_text(config_toml(model.base_url, catalog, retries=0))
    return home


def make_launch(root: Path, codex_home: Path, binary: CodexBinary) -> Launch:
    (root / "home").mkdir()
    base = {"PATH": os.environ["PATH"], "HOME": str(root / "home")}
    return Launch(
        binary=binary,
        codex_home=codex_home,
        run_dir=root / "autopilot" / "run",
        log_path=root / "codex.log",
        environ=child_environment(base, codex_home, root / "scratch"),
    )


def make_project(root: Path) -> Path:
    folder = root / "project"
    folder.mkdir()
    (folder / "hello.txt").write_text("hello\n")
    return folder
