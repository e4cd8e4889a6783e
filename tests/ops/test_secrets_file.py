"""A secret file is whole, private, and the same for all who ask."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autopilot.ops.secrets_file import load_or_create, put
from autopilot.ops.settings import SettingsRefused


def test_the_first_who_asks_makes_it_and_only_the_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "signing"

    secret = load_or_create(path)

    assert len(bytes.fromhex(secret)) == 32
    assert load_or_create(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [item.name for item in path.parent.iterdir()] == ["signing"]


def test_all_who_ask_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        secrets = set(threads.map(lambda _: load_or_create(tmp_path / "key"), range(64)))

    assert len(secrets) == 1


def test_one_that_others_can_read_is_a_secret_no_more(tmp_path: Path) -> None:
    path = tmp_path / "key"
    load_or_create(path)
    path.chmod(0o640)

    with pytest.raises(SettingsRefused, match="can be read by others"):
        load_or_create(path)


def test_an_empty_one_is_not_taken_for_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(0o600)

    with pytest.raises(SettingsRefused, match="is empty"):
        load_or_create(path)


def test_one_in_a_folder_that_is_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "open" / "key"
    load_or_create(path)
    path.parent.chmod(0o755)

    with pytest.raises(SettingsRefused, match="open to others"):
        load_or_create(path)


def test_a_replaced_one_is_private_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    load_or_create(tmp_path / "key")

    put(tmp_path / "key", "another")

    assert load_or_create(tmp_path / "key") == "another"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["key"]
