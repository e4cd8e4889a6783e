"""The keyring where there is one, a file where there is none, and it says which."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import httpx2
import keyring
import keyring.errors
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail

from autopilot.client import Credentials, FileTokenStore, KeyringTokenStore, Session, SignInAgain
from autopilot.client.tokens import StorageFailed

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


@pytest.fixture
def left_in_the_keyring(use, file):
    """A store whose keyring failed when it held something: the younger credentials are in the file."""
    use(safe := Safe())
    store = KeyringTokenStore(file)
    store.save(CREDENTIALS)
    safe.locked = True
    store.save(replace(CREDENTIALS, access_token="b"))
    return safe, store


def test_signing_out_empties_a_keyring_that_failed_before(left_in_the_keyring, file):
    safe, store = left_in_the_keyring
    safe.locked = False
    store.clear()
    assert (safe.held, file.load(), store.load(), KeyringTokenStore(file).load()) == ({}, None, None, None)


def test_what_a_locked_keyring_keeps_is_told_and_never_used_again(left_in_the_keyring, file):
    safe, store = left_in_the_keyring
    with pytest.raises(StorageFailed) as caught:
        store.clear()
    assert caught.value.reason_code == "keyring_remove"
    assert (store.load(), file.load()) == (None, None)

    assert KeyringTokenStore(file).load() is None  # locked still
    safe.locked = False
    assert (KeyringTokenStore(file).load(), safe.held) == (None, {})
    assert list(file.path.parent.iterdir()) == []


def test_a_sign_in_after_that_is_kept_wherever_it_can_be(left_in_the_keyring, file):
    safe, store = left_in_the_keyring
    with pytest.raises(StorageFailed):
        store.clear()
    in_file, in_keyring = (replace(CREDENTIALS, access_token=where) for where in ("file", "keyring"))
    store.save(in_file)
    safe.locked = False
    assert KeyringTokenStore(file).load() == in_file
    KeyringTokenStore(file).save(in_keyring)
    assert (KeyringTokenStore(file).load(), file.load()) == (in_keyring, None)


def test_signing_out_where_no_keyring_is_reached_leaves_none_to_come_back_to(use, file):
    use(safe := Safe())
    KeyringTokenStore(file).save(CREDENTIALS)
    use(fail.Keyring())  # the same person, by ssh
    KeyringTokenStore(file).clear()
    use(safe)
    assert (KeyringTokenStore(file).load(), safe.held) == (None, {})


def test_a_keyring_that_removes_one_copy_at_a_time_is_emptied_too(use, file):
    use(safe := Safe())
    store = KeyringTokenStore(file)
    store.save(CREDENTIALS)
    copies, remove = [2], safe.delete_password

    def remove_one(service, username):
        copies[0] -= 1
        if not copies[0]:
            remove(service, username)

    safe.delete_password = remove_one
    store.clear()
    assert safe.held == {}


async def test_a_session_over_such_a_keyring_is_signed_out_and_its_end_is_told(left_in_the_keyring):
    safe, store = left_in_the_keyring
    asked = []

    def answer(request):
        asked.append((request.url.path, request.headers["authorization"]))
        return httpx2.Response(200, json={"ok": True})

    async with Session("http://api.test", store, transport=httpx2.MockTransport(answer)) as session:
        with pytest.raises(StorageFailed):
            await session.sign_out()
        assert session.state.kind == "signed_out"
        safe.locked = False
        with pytest.raises(SignInAgain):
            await session.access_token()
    assert asked == [("/api/auth/signout", "Bearer b")]
