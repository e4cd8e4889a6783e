"""What every place for credentials does: memory, a file, the system's keyring, a phone's Keychain."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import keyring
import pytest
from tests.client.secret_storage import Keychain as Storage
from tests.client.test_keyring_store import Safe

from autopilot.client import Credentials, FileTokenStore, KeyringTokenStore, MemoryTokenStore
from autopilot.client.keychain import Kept, KeychainTokenStore

CREDENTIALS = Credentials(
    access_token="apat_a",
    refresh_token="aprt_r",
    expires_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
    user_id=7,
    email="ada@example.com",
    base_url="https://a.example",
    lives_seconds=900,
    device_key="00" * 32,
)
DURABLE = ["file", "keyring", "keychain"]
"""Those that outlive the process."""


class Place:
    """Somewhere to open a store over, again and again."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.file = FileTokenStore(folder / "credentials.json")
        self.storage = Storage()
        self.safe = Safe()

    async def open(self):
        match self.kind:
            case "memory":
                return MemoryTokenStore()
            case "file":
                return FileTokenStore(self.file.path)
            case "keyring":
                return KeyringTokenStore(self.file)
            case _:
                return await KeychainTokenStore.opened(self.storage)

    def damage(self):
        self.file.path.parent.mkdir(exist_ok=True)
        self.file.path.write_bytes(b"\xff{")
        self.safe.held["autopilot", "default"] = '{"access_token": 7'
        self.storage.held[Kept.CREDENTIALS] = '{"access_token": 7'


@pytest.fixture(params=["memory", *DURABLE])
def place(request, tmp_path):
    place = Place(request.param, tmp_path)
    before = keyring.get_keyring()
    keyring.set_keyring(place.safe)
    yield place
    keyring.set_keyring(before)


durable = pytest.mark.parametrize("place", DURABLE, indirect=True)


async def fail_within(store):
    async with store.exclusive():
        store.save(CREDENTIALS)
        raise ZeroDivisionError


async def test_at_first_there_is_nobody(place):
    assert (await place.open()).load() is None


async def test_what_was_saved_is_loaded_whole(place):
    store = await place.open()
    async with store.exclusive():
        store.save(CREDENTIALS)
        assert store.load() == CREDENTIALS

    assert store.load() == CREDENTIALS


async def test_what_is_saved_last_counts(place):
    store = await place.open()
    async with store.exclusive():
        store.save(CREDENTIALS)
        store.save(later := replace(CREDENTIALS, access_token="apat_b"))

    assert store.load() == later


async def test_what_was_cleared_is_gone(place):
    store = await place.open()
    async with store.exclusive():
        store.save(CREDENTIALS)
    async with store.exclusive():
        store.clear()

    assert store.load() is None
    async with store.exclusive():
        store.clear()  # a second time is no error


async def test_one_at_a_time_is_alone_with_it(place):
    store, order = await place.open(), []

    async def use(name):
        async with store.exclusive():
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(use("one"))
        group.create_task(use("other"))

    assert order in (["one in", "one out", "other in", "other out"], ["other in", "other out", "one in", "one out"])


async def test_who_fails_within_lets_the_next_one_in(place):
    store = await place.open()
    with pytest.raises(ZeroDivisionError):
        await fail_within(store)

    async with asyncio.timeout(30), store.exclusive():
        assert store.load() == CREDENTIALS


@durable
async def test_what_was_saved_outlives_the_process(place):
    store = await place.open()
    async with store.exclusive():
        store.save(CREDENTIALS)

    assert (await place.open()).load() == CREDENTIALS


@durable
async def test_what_was_cleared_stays_gone(place):
    store = await place.open()
    async with store.exclusive():
        store.save(CREDENTIALS)
    async with store.exclusive():
        store.clear()

    assert (await place.open()).load() is None


@durable
async def test_what_was_saved_before_a_failure_is_kept_all_the_same(place):
    store = await place.open()
    with pytest.raises(ZeroDivisionError):
        await fail_within(store)

    assert (await place.open()).load() == CREDENTIALS


@durable
async def test_damaged_credentials_are_none(place):
    place.damage()

    assert (await place.open()).load() is None
