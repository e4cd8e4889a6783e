"""Where figures of record are kept: `bench/results/`, each with its commit and machine. Standard library only."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")


def wanted() -> bool:
    """Whether this run's figures are to be kept: BENCH_RECORD=1."""
    return os.environ.get("BENCH_RECORD") == "1"


def origin() -> dict[str, str]:
    """What is measured, and where; a plus where the tree differs from the commit."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return {"commit": told.stdout.strip() or "unknown", "machine": machine}


def kept(name: str) -> dict[str, Any]:
    """What is on record under this name; empty where nothing is."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def keep(name: str, text: str) -> None:
    """Put figures on record."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n")


def record(name: str, figures: dict[str, object]) -> None:
    """Print the figures; keep them where that is wanted."""
    text = json.dumps({**origin(), **figures}, indent=2)
    print(f"{name}: {text}", flush=True)
    if wanted():
        keep(name, text)
