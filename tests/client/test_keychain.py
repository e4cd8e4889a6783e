"""A phone's session survives the phone: killed, locked, reinstalled; and nothing is kept that is not on the list."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest
from tests.client.secret_storage import Keychain as Storage
from tests.client.test_session import Accounts, held, session_of

from autopilot.client import Session, SignInAgain
from autopilot.client.keychain import (
    CANCEL_GRACE_SECONDS,
    STORAGE_WAIT_SECONDS,
    Kept,
    Keychain,
    KeychainTokenStore,
    StorageFailed,
    check_scopes,
)
from autopilot.client.presenters.errors import trouble
from autopilot.contract.errors import Forbidden
from autopilot.testing.clock import FakeClock


@pytest.fixture
def storage():
    return Storage()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def accounts():
    return Accounts()


async def signed_in(storage, clock):
    """A store with a session in it, whose token is about to end."""
    store = await KeychainTokenStore.opened(storage, clock=clock)
    async with store.exclusive():
        store.save(held(clock, lives_seconds=1))
    return store


async def test_a_rotated_token_is_in_the_storage_before_anybody_uses_it(storage, clock, accounts):
    store = await signed_in(storage, clock)
    storage.gate.clear()
    storage.asked.clear()
    async with asyncio.timeout(30), session_of(accounts, store, clock) as session, asyncio.TaskGroup() as group:
        asking = group.create_task(session.access_token())
        await storage.asked.wait()
        assert not asking.done()
        storage.gate.set()
        token = await asking

    assert token == "access-1"
    assert "refresh-1" in storage.held[Kept.CREDENTIALS]


async def test_an_app_that_was_killed_before_the_storage_had_the_new_token_wakes_with_the_old_one(
    storage, clock, accounts
):
    store = await signed_in(storage, clock)
    storage.gate.clear()
    storage.asked.clear()
    async with asyncio.timeout(30), session_of(accounts, store, clock) as session:
        killed = asyncio.get_running_loop().create_task(session.access_token())
        await storage.asked.wait()
        assert accounts.rotations == 1
        killed.cancel()
        await clock.until_sleeping(2)
        await clock.advance(CANCEL_GRACE_SECONDS)  # the storage never answers
        with pytest.raises(asyncio.CancelledError):
            await killed
    storage.gate.set()

    assert (await KeychainTokenStore.opened(storage)).load().refresh_token == "refresh-0"


async def test_who_is_cancelled_meanwhile_still_leaves_the_new_token(storage, clock, accounts):
    store = await signed_in(storage, clock)
    storage.gate.clear()
    storage.asked.clear()
    async with asyncio.timeout(30), session_of(accounts, store, clock) as session:
        cancelled = asyncio.get_running_loop().create_task(session.access_token())
        await storage.asked.wait()
        cancelled.cancel()
        await asyncio.sleep(0)
        storage.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await cancelled

    assert "refresh-1" in storage.held[Kept.CREDENTIALS]


async def test_a_rotation_that_the_storage_refuses_is_told_and_the_session_goes_on(storage, clock, accounts, caplog):
    store = await signed_in(storage, clock)
    told = []
    store.keychain.on_trouble(told.append)
    storage.refuses = True
    with caplog.at_level(logging.WARNING, logger="autopilot.client"):
        async with session_of(accounts, store, clock) as session:
            with pytest.raises(StorageFailed) as failed:
                await session.renew("access-0")

            assert failed.value.reason_code == "keychain_write"
            assert "Keychain" in trouble(failed.value).sentence
            assert [error.reason_code for error in told] == ["keychain_write"]
            assert await session.renew("access-0") == await session.access_token() == "access-1"
            storage.refuses = False
            await store.keychain.settle()

    assert (accounts.rotations, told[-1], store.keychain.trouble) == (1, None, None)
    assert "refresh-1" in storage.held[Kept.CREDENTIALS]
    assert "refresh" not in caplog.text
    assert "keychain.failed" in caplog.text


async def test_a_token_that_the_storage_refuses_is_used_all_the_same(storage, clock, accounts):
    store = await signed_in(storage, clock)
    storage.refuses = True
    async with session_of(accounts, store, clock) as session:
        await clock.advance(890)
        assert await session.access_token() == "access-1"


async def test_what_is_owed_is_brought_by_the_next_who_is_alone(storage, clock):
    store = await signed_in(storage, clock)
    storage.refuses = True
    with pytest.raises(StorageFailed):
        async with store.exclusive():
            store.save(held(clock, 1))
    async with store.exclusive():
        pass  # told already: who saved nothing is not told again
    storage.refuses = False
    async with store.exclusive():
        pass

    assert "refresh-1" in storage.held[Kept.CREDENTIALS]


async def test_a_sign_in_that_can_t_be_kept_is_told_and_holds_for_now(storage, clock, accounts):
    store = await KeychainTokenStore.opened(storage, clock=clock)
    storage.refuses = True
    async with session_of(accounts, store, clock) as session:
        with pytest.raises(StorageFailed):
            await session.verify("123456", email="ada@example.com")

        assert session.state.kind == "signed_in"
        assert await session.access_token() == "access-0"


async def test_the_server_hears_of_a_sign_out_that_the_storage_refuses(storage, clock, accounts):
    store = await KeychainTokenStore.opened(storage, clock=clock)
    async with store.exclusive():
        store.save(held(clock))
    storage.refuses = True
    async with session_of(accounts, store, clock) as session:
        with pytest.raises(StorageFailed) as failed:
            await session.sign_out()

        assert accounts.paths == ["/api/auth/signout"]
        assert failed.value.reason_code == "keychain_remove"
        with pytest.raises(SignInAgain):
            await session.access_token()


async def test_signing_out_wipes_everything_of_ours_and_nothing_else(storage, clock, accounts):
    storage.held["somebody.else"] = "theirs"
    store = await KeychainTokenStore.opened(storage, clock=clock)
    async with session_of(accounts, store, clock) as session:
        await session.verify("123456", email="ada@example.com", with_key=True)
        await store.keychain.cache_key()
        await store.keychain.device_id()
        await store.keychain.put(Kept.SERVER, "https://a.example")
        await store.keychain.put(Kept.SETTINGS, "{}")
        await store.keychain.put(Kept.SETTINGS, "{}")
        assert set(storage.held) == {*(kept.value for kept in Kept), "somebody.else"}
        await session.sign_out()

    assert storage.held == {"somebody.else": "theirs"}
    assert {key for key, _ in storage.written} <= {kept.value for kept in Kept}


async def test_a_storage_that_can_t_be_read_is_not_taken_for_nobody_signed_in(storage):
    storage.refuses = True

    with pytest.raises(StorageFailed) as failed:
        await KeychainTokenStore.opened(storage)
    assert failed.value.reason_code == "keychain_read"


async def test_a_storage_that_never_answers_has_failed(storage, clock):
    store = await signed_in(storage, clock)
    storage.gate.clear()

    async def save():
        async with store.exclusive():
            store.save(held(clock, 1))

    async with asyncio.timeout(30):
        saving = asyncio.get_running_loop().create_task(save())
        await clock.until_sleeping()
        await clock.advance(STORAGE_WAIT_SECONDS)
        with pytest.raises(StorageFailed) as failed:
            await saving
    assert failed.value.fact("cause") == "TimeoutError"


async def test_what_is_saved_while_it_is_written_is_written_too(storage, clock):
    store = await signed_in(storage, clock)
    storage.gate.clear()
    storage.asked.clear()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(store.keychain.put(Kept.SERVER, "https://old.example"))
        await storage.asked.wait()
        store.keychain.stage(Kept.SERVER, "https://new.example")
        storage.gate.set()
    await store.keychain.settle()

    assert storage.held[Kept.SERVER] == "https://new.example"


async def test_two_stores_over_one_keychain_hold_each_other_off(storage):
    keychain = await Keychain.opened(storage)
    order = []

    async def rotate(name):
        async with KeychainTokenStore(keychain).exclusive():
            order.append(name)
            await asyncio.sleep(0)
            order.append(name)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for name in ("one", "other"):
            group.create_task(rotate(name))

    assert order == ["one", "one", "other", "other"]


async def test_an_app_that_was_deleted_and_installed_anew_starts_with_nothing(storage, clock, tmp_path):
    await signed_in(storage, clock)
    folder = tmp_path / "of the first installation"
    storage_of_first = dict(storage.held)
    first = await KeychainTokenStore.opened(storage, marker=folder / "installed")
    assert (first.load(), storage.held) == (None, {})  # it was there before the app was
    storage.held.update(storage_of_first)

    assert (await KeychainTokenStore.opened(storage, marker=folder / "installed")).load() is not None
    assert (await KeychainTokenStore.opened(storage, marker=tmp_path / "second" / "installed")).load() is None
    assert storage.held == {}


async def test_the_cache_s_key_and_the_device_s_id_are_made_once(storage):
    keychain = await Keychain.opened(storage)
    key, device = await keychain.cache_key(), await keychain.device_id()
    again = await Keychain.opened(storage)

    assert len(key) == 32
    assert (await again.cache_key(), await again.device_id()) == (key, device)
    assert len(storage.written) == 2


async def test_a_damaged_key_of_the_cache_is_replaced(storage):
    storage.held[Kept.CACHE_KEY] = "zz"
    keychain = await Keychain.opened(storage)

    assert (await keychain.cache_key()).hex() == storage.held[Kept.CACHE_KEY] != "zz"


async def test_a_key_that_can_t_be_kept_encrypts_nothing(storage):
    keychain = await Keychain.opened(storage)
    storage.refuses = True

    with pytest.raises(StorageFailed):
        await keychain.cache_key()


@pytest.mark.parametrize("scopes", [["execute"], ["observe", "admin"], ["observe", "administer", "operate"]])
def test_a_session_that_may_do_more_than_a_phone_is_refused(scopes):
    with pytest.raises(Forbidden) as refused:
        check_scopes(scopes)
    assert refused.value.reason_code == "too_powerful"


def test_what_a_device_and_a_guest_may_do_is_enough():
    check_scopes(["observe", "administer"])
    check_scopes(("observe",))


async def test_credentials_are_one_value_so_that_none_is_half_written(storage, clock):
    store = await signed_in(storage, clock)
    async with store.exclusive():
        store.save(replace(held(clock, 1), device_key="11" * 32))

    assert [key for key, _ in storage.written] == [Kept.CREDENTIALS] * 2


async def test_a_killed_phone_that_is_opened_again_within_a_minute_goes_on_at_a_real_server(installation):
    storage = Storage()
    session = await installation.session(await KeychainTokenStore.opened(storage))
    before = storage.held[Kept.CREDENTIALS]
    await session.renew(await session.access_token())
    storage.held[Kept.CREDENTIALS] = before  # as if it had been killed before the write

    again = await installation.stack.enter_async_context(
        Session(installation.url, await KeychainTokenStore.opened(storage))
    )
    client = await installation.client(again)
    await again.renew(await again.access_token())

    assert (await client.me()).user.email == "ada@example.com"
    check_scopes((await client.me()).scopes)
    assert storage.held[Kept.CREDENTIALS] != before
