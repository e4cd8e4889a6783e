"""Everything that a phone writes in its life, looked through: the Keychain's list of keys, tokens nowhere else."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest
from tests.client.secret_storage import Keychain as Storage

from autopilot.client import Joiner, Session, Timeline, ed25519, log
from autopilot.client.keychain import SCOPES, Kept, KeychainTokenStore, check_scopes
from autopilot.client.offline_cache import Kind, OfflineCache
from autopilot.client.pairing_words import words_of
from autopilot.client.write_signer import WriteSigner
from autopilot.contract import PairingDevice
from autopilot.contract.errors import Forbidden


async def paired(installation, store):
    """A phone let in by another device of Ada's."""
    client = await installation.client()
    approver = client.approver()
    started = await approver.offer("device")
    device = PairingDevice(device_name="Ada's iPhone", device_platform="ios", installation_id="ios-1")
    phone = await installation.stack.enter_async_context(Session(installation.url, store, surface="ios"))
    joiner = Joiner(phone._http, device, WriteSigner(ed25519.new_seed(), store.keychain.clock.now))
    await joiner.claim(started.secret)
    shown = None
    while shown is None:
        await approver.step()
        shown = words_of(await joiner.step())
    await approver.accept(shown)
    await joiner.collect(store)
    return phone


async def signed_in(installation, store):
    """A phone whose owner typed the code."""
    return await installation.session(store, surface="ios")


@pytest.fixture
def logged(tmp_path):
    handler = log.to_file(tmp_path / "app" / "client.jsonl")
    yield tmp_path / "app"
    log.LOGGER.removeHandler(handler)
    log.LOGGER.setLevel(logging.NOTSET)
    handler.close()


@pytest.mark.parametrize("come_in", [signed_in, paired])
async def test_what_a_phone_keeps_is_on_the_list_and_its_tokens_are_nowhere_else(installation, logged, come_in):
    storage = Storage()
    store = await KeychainTokenStore.opened(storage, marker=logged / "installed")
    session = await come_in(installation, store)
    client = await installation.client(session)
    await store.keychain.put(Kept.SERVER, installation.url)
    for _ in range(2):
        await session.renew(await session.access_token())
    me = await client.me()
    cache = OfflineCache(
        logged / "offline.sqlite", await store.keychain.cache_key(), server=installation.url, user_id=me.user.id
    )
    await cache.keep(Kind.WORKERS, (await client.list_workers()).workers)
    await cache.keep_timeline("w", Timeline())

    kept = [json.loads(value) for key, value in storage.written if key == Kept.CREDENTIALS]
    secrets = {one[name] for one in kept for name in ("access_token", "refresh_token", "device_key") if one[name]}
    secrets |= {storage.held[Kept.CACHE_KEY]}
    assert {key for key, _ in storage.written} <= {kept.value for kept in Kept}
    assert len(kept) == 3
    assert set(me.scopes) <= SCOPES
    check_scopes(me.scopes)
    files = {path.name: path.read_bytes() for path in logged.iterdir()}
    assert files.keys() >= {"client.jsonl", "offline.sqlite", "installed"}
    for name, content in files.items():
        assert not [secret for secret in secrets if secret.encode() in content], name
        assert not [secret for secret in secrets if len(secret) == 64 and bytes.fromhex(secret) in content], name

    await session.sign_out()
    await cache.wipe()
    assert storage.held == {}
    assert not (logged / "offline.sqlite").exists()


async def test_a_token_of_a_machine_is_refused_by_what_the_server_says_of_it(installation):
    machine = await installation.machine()

    with pytest.raises(Forbidden) as refused:
        check_scopes((await machine.me()).scopes)
    assert refused.value.fact("scopes") == ["execute"]


async def test_what_was_cleared_at_the_server_s_word_is_wiped_here_too(installation):
    storage = Storage()
    store = await KeychainTokenStore.opened(storage)
    await signed_in(installation, store)
    await store.keychain.cache_key()
    async with store.exclusive():
        store.save(replace(store.load(), access_token="apat_other"))
        store.clear()

    assert storage.held == {}
