"""Secrets in files: made once, mode 0600, whole or not there, the same for every process that asks at the same time.

The folder is its owner's alone too (0700): who may write there could put another secret in place.
"""

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


def random_secret() -> str:
    """32 random bytes in hex."""
    return secrets.token_hex(32)


def load_or_create(path: Path, make: Callable[[], str] = random_secret) -> str:
    """The secret in `path`; where there is none, `make` it (32 random bytes in hex). Two makers agree on one.

    Raises:
        SettingsRefused: others may read the file or look into its folder, or it is empty.
    """
    if not path.exists():
        _create(path, make(), lambda made: _first(path, made))
    return _read(path)


def load_if_there(path: Path) -> str | None:
    """The secret in `path`, or None where there is no such file.

    Raises:
        SettingsRefused: as `load_or_create`.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        return None


def put(path: Path, secret: str) -> None:
    """Replace what is in `path`, in one step that holds through a crash of the machine."""
    _create(path, secret, lambda made: made.replace(path))


def move(path: Path, to: Path) -> None:
    """Let `to` be what `path` is, in one such step; from then on there is no `path`."""
    path.replace(to)
    _settle(path.parent)


def remove(path: Path) -> None:
    """Remove the file for good, where there is one."""
    path.unlink(missing_ok=True)
    _settle(path.parent)


def _read(path: Path) -> str:
    if path.parent.stat().st_mode & OTHERS:
        raise SettingsRefused(f"{path.parent} is open to others: chmod 700 it, and replace the secrets in it.")
    if path.stat().st_mode & OTHERS:
        raise SettingsRefused(f"{path} can be read by others: chmod 600 it, and replace the secret.")
    secret = path.read_text(encoding="ascii").strip()
    if not secret:
        raise SettingsRefused(f"{path} is empty: remove it to have a new secret made.")
    return secret


def _create(path: Path, secret: str, place: Callable[[Path], object]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        place(Path(made))
        _settle(path.parent)
    finally:
        Path(made).unlink(missing_ok=True)


def _first(path: Path, made: Path) -> None:
    with contextlib.suppress(FileExistsError):  # another process was first: its secret holds
        path.hardlink_to(made)


def _settle(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
