"""A process uses the files of a folder as they are now."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autopilot.ops import secrets_file
from autopilot.ops.following import Following
from autopilot.ops.settings import SettingsRefused


def reading(folder: Path) -> Following[str]:
    return Following(folder, lambda: secrets_file.load_or_create(folder / "a.key"))


def test_every_use_after_a_replacement_sees_it(tmp_path: Path) -> None:
    now = reading(tmp_path)
    seen = []
    for number in range(50):  # many within the grain of a file system's time
        secrets_file.put(tmp_path / "a.key", f"secret {number}")
        seen.append(now())

    assert seen == [f"secret {number}" for number in range(50)]


def test_what_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    reads = []
    secrets_file.load_or_create(tmp_path / "a.key")
    os.utime(tmp_path, ns=(0, 0))
    now = Following(tmp_path, lambda: reads.append(1))

    for _ in range(9):
        now()

    assert len(reads) == 2  # at the start, and once it is known since when


def test_files_that_cannot_be_read_leave_the_last_value_in_use(tmp_path: Path) -> None:
    now = reading(tmp_path)
    before = now()
    (tmp_path / "a.key").chmod(0o644)
    secrets_file.put(tmp_path / "b.key", "x")

    assert now() == before
    secrets_file.put(tmp_path / "a.key", "new")
    assert now() == "new"


def test_a_process_does_not_start_on_files_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "a.key").touch(0o600)

    with pytest.raises(SettingsRefused):
        reading(tmp_path)
