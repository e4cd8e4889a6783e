"""Generates into a folder, and tells whether the checked-in tree is what would be generated. Runs buf and ruff."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
GENERATED = ROOT / "src" / "autopilot" / "contract" / "_generated"
_BIN = Path(sys.executable).parent


def run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """One of the tools of the environment, in the project's root; its output is for the caller to show."""
    environ = os.environ | {"PYTHONPATH": str(ROOT / "tools"), "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"}
    command = [str(_BIN / tool), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environ, text=True, capture_output=True, check=False)


def generate(out: Path, proto: Path | None = None) -> None:
    """Write everything generated into `out`, which must be empty or absent.

    Raises:
        RuntimeError: buf, the plugin or ruff refused; the message is theirs.
    """
    for tool, *arguments in (
        ("buf", "generate", proto or ".", "--template", ROOT / "buf.gen.yaml", "--output", out),
        ("ruff", "format", "--quiet", "--config", ROOT / "pyproject.toml", out),
    ):
        done = run(tool, *arguments)
        if done.returncode:
            raise RuntimeError(done.stderr or done.stdout)


def replace(target: Path = GENERATED) -> None:
    """Bring `target` up to date: what is no longer generated goes."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        target.mkdir(parents=True, exist_ok=True)
        for name in _names(target) - _names(Path(scratch)):
            (target / name).unlink()
        for name in _names(Path(scratch)):
            (target / name).write_bytes((Path(scratch) / name).read_bytes())


def stale(target: Path = GENERATED) -> list[str]:
    """Names of files in `target` that differ from what would be generated, are missing, or are no longer generated."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        names = _names(target) | _names(Path(scratch))
        _, differing, missing = filecmp.cmpfiles(target, scratch, names, shallow=False)
        return sorted([*differing, *missing])


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}
