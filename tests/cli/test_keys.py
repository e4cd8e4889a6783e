"""The keys of an installation, and the ones before them (SECURITY.md, "Replacing a key")."""

from __future__ import annotations

from pathlib import Path

import pytest

from autopilot.cli.home import Home
from autopilot.cli.keys import Keys, KeySettings
from autopilot.ops.settings import Secret, SettingsRefused
from autopilot.runtime.settings import RuntimeSettings

NEW, OLD = "aa" * 32, "bb" * 32
PURPOSES = ["digest", "delivery", "internal"]


def keys(path: Path, **given: Secret) -> Keys:
    return Keys(KeySettings(home=path, **given), Home(path))


def ring(of: Keys, purpose: str) -> tuple[bytes, ...]:
    if purpose == "internal":
        return tuple(key.secret for key in of.signing)
    return getattr(of, purpose)


def write(home: Path, name: str, secret: str, mode: int = 0o600) -> Path:
    path = Home(home).secrets / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(secret)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_new_installation_has_one_key_of_each_purpose_and_keeps_it(tmp_path, purpose):
    first, again = ring(keys(tmp_path), purpose), ring(keys(tmp_path), purpose)

    assert len(first) == 1
    assert len(first[0]) == 32
    assert first == again


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_previous_key_comes_second_until_its_file_is_removed(tmp_path, purpose):
    write(tmp_path, f"{purpose}.key", NEW)
    previous = write(tmp_path, f"{purpose}.previous.key", OLD)

    both = ring(keys(tmp_path), purpose)
    previous.unlink()

    assert both == (bytes.fromhex(NEW), bytes.fromhex(OLD))
    assert ring(keys(tmp_path), purpose) == (bytes.fromhex(NEW),)


def test_moving_a_key_aside_replaces_it(tmp_path):
    (before,) = keys(tmp_path).delivery
    secrets = Home(tmp_path).secrets

    (secrets / "delivery.key").rename(secrets / "delivery.previous.key")
    new, previous = keys(tmp_path).delivery

    assert previous == before
    assert new != before


def test_a_key_from_the_environment_goes_before_the_previous_one_of_the_file(tmp_path):
    write(tmp_path, "digest.previous.key", OLD)

    assert keys(tmp_path, digest_key=Secret(NEW)).digest == (bytes.fromhex(NEW), bytes.fromhex(OLD))


def test_each_signing_key_goes_by_a_name_of_its_own(tmp_path):
    write(tmp_path, "internal.key", NEW)
    write(tmp_path, "internal.previous.key", OLD)

    new, old = keys(tmp_path).signing

    assert new.key_id != old.key_id
    assert NEW[:8] not in new.key_id
    write(tmp_path, "internal.key", OLD)
    assert keys(tmp_path).signing[0].key_id == old.key_id


def test_a_previous_key_that_others_can_read_is_refused(tmp_path):
    write(tmp_path, "delivery.previous.key", OLD, mode=0o644)

    with pytest.raises(SettingsRefused, match="can be read by others"):
        _ = keys(tmp_path).delivery


def test_a_key_that_is_not_hexadecimal_is_refused_without_being_shown(tmp_path):
    write(tmp_path, "delivery.previous.key", "not a key")

    with pytest.raises(SettingsRefused, match="not hexadecimal") as refused:
        _ = keys(tmp_path).delivery

    assert "not a key" not in str(refused.value)


def test_keys_print_as_stars(tmp_path):
    of = keys(tmp_path, code_key=Secret(NEW))
    held = of.runtime
    settings = RuntimeSettings(digest_key=held.digest[0], delivery_key=held.delivery[0], seal_key=held.seal)

    shown = " ".join(map(repr, (of, held, settings, of.signing, of.code)))

    for key in (*held.digest, *held.delivery, held.seal, *(key.secret for key in of.signing)):
        assert repr(key) not in shown
        assert key.hex() not in shown
    assert NEW not in shown
