"""A Codex that has never run: a CODEX_HOME that knows only the scripted model, an empty HOME, a folder to work in."""

from __future__ import annotations

import json
import os
from pathlib import Path

from autopilot.companion.codex.binary import CodexBinary
from autopilot.companion.codex.process import Launch, child_environment
from autopilot.testing.model import ScriptedModel, config_toml, model_catalog


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
