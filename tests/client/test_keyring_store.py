"""The keyring where there is one, a file where there is none, and it says which."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import keyring
import keyring.errors
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail

from autopilot.client import Credentials, FileTokenStore, KeyringTokenStore

CREDENTIALS = Credentials(access_token="a", refresh_token="r")


class Safe(KeyringBackend):
    """A keyring in memory; it can be locked."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.held = {}
        self.locked = False

    def get_password(self, service, username):
        self._check()
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        self._check()
        self.held[service, username] = password

    def delete_password(self, service, username):
        self._check()
        if (service, username) not in self.held:
            raise keyring.errors.PasswordDeleteError
        del self.held[service, username]

    def _check(self):
        if self.locked:
            raise keyring.errors.KeyringLocked


@pytest.fixture
def use():
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


@pytest.fixture
def file(tmp_path):
    return FileTokenStore(tmp_path / "credentials.json")


def test_credentials_are_kept_in_the_keyring_and_nowhere_else(use, file):
    use(safe := Safe())
    file.save(CREDENTIALS)
    store = KeyringTokenStore(file)
    store.save(CREDENTIALS)

    assert store.load() == CREDENTIALS
    assert "keyring (Safe)" in store.where
    assert file.load() is None
    store.clear()
    assert (store.load(), safe.held) == (None, {})


def test_without_a_keyring_a_file_is_used_and_it_says_so(use, file):
    use(fail.Keyring())
    store = KeyringTokenStore(file)
    store.save(CREDENTIALS)

    assert file.load() == store.load() == CREDENTIALS
    assert str(file.path) in store.where


def test_a_keyring_that_stops_working_is_replaced_by_the_file(use, file):
    use(safe := Safe())
    store = KeyringTokenStore(file)
    safe.locked = True
    store.save(CREDENTIALS)

    assert file.load() == CREDENTIALS
    assert str(file.path) in store.where


@pytest.mark.parametrize("younger_in", ["keyring", "file"])
def test_of_two_copies_the_younger_counts(use, file, younger_in):
    use(safe := Safe())
    older, younger = (replace(CREDENTIALS, expires_at=datetime(2026, 11, day, tzinfo=UTC)) for day in (1, 2))
    KeyringTokenStore(file).save(older if younger_in == "file" else younger)
    safe.locked = True
    KeyringTokenStore(file).save(younger if younger_in == "file" else older)  # a moment without the keyring
    safe.locked = False

    assert KeyringTokenStore(file).load() == younger


async def test_refreshes_of_a_keyring_are_exclusive_too(use, file):
    use(Safe())
    async with KeyringTokenStore(file).exclusive():
        assert (file.path.parent / ".credentials.json.lock").exists()
