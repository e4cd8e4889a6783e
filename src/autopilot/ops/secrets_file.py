"""Secrets in files: made once, mode 0600, whole or not there, the same for every process that asks at the same time."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from autopilot.ops.settings import SettingsRefused

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def _random() -> str:
    return secrets.token_hex(32)


def load_or_create(path: Path, make: Callable[[], str] = _random) -> str:
    """The secret in `path`; where there is none, `make` it (32 random bytes in hex). Two makers agree on one.

    Raises:
        SettingsRefused: others may read the file, or it is empty.
    """
    if not path.exists():
        _create(path, make())
    return _read(path)


def load_if_there(path: Path) -> str | None:
    """The secret in `path`, or None where there is no such file.

    Raises:
        SettingsRefused: as `load_or_create`.
    """
    return _read(path) if path.exists() else None


def _read(path: Path) -> str:
    if path.stat().st_mode & OTHERS:
        raise SettingsRefused(f"{path} can be read by others: chmod 600 it, and replace the secret.")
    secret = path.read_text(encoding="ascii").strip()
    if not secret:
        raise SettingsRefused(f"{path} is empty: remove it to have a new secret made.")
    return secret


def _create(path: Path, secret: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its secret holds
            path.hardlink_to(made)
    finally:
        Path(made).unlink()
