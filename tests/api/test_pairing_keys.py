"""A device that pairs brings its key: its first session signs, the words cover the key, and nobody else fetches it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, serving
from tests.api.test_pairing import MACHINE, PHONE, RELAXED, compared, person

from autopilot.client import Joiner, MemoryTokenStore, RuntimeCodexClient, Session
from autopilot.client.http import Http
from autopilot.client.pairing_words import fresh_nonce
from autopilot.client.tokens import Credentials
from autopilot.client.write_signer import WriteSigner
from autopilot.contract import PairingDevice, encode
from autopilot.contract.errors import Unauthorized, Unprocessable

CLAIM = "/api/pairing/claim"


@pytest.fixture
async def api(database: str) -> AsyncIterator[ServedApi]:
    async with serving(database, EchoRuntime(), limits=RELAXED) as served:
        yield served


def signer(seed: bytes = b"p" * 32) -> WriteSigner:
    return WriteSigner(seed, lambda: datetime.now(UTC))


@asynccontextmanager
async def joining(
    api: ServedApi, key: WriteSigner | None = None, device: PairingDevice = PHONE
) -> AsyncIterator[Joiner]:
    http = Http(api.url, tokens=None, surface="ios")
    try:
        yield Joiner(http, device, key)
    finally:
        await http.aclose()


async def paired(api: ServedApi, client: RuntimeCodexClient, key: WriteSigner | None) -> tuple[Credentials, str]:
    """What the phone holds, and the secret that was shown."""
    approver, store = client.approver(), MemoryTokenStore()
    async with joining(api, key) as joiner:
        started = await approver.offer("device")
        await joiner.claim(started.secret)
        words, others = await compared(approver, joiner)
        assert words == others
        await approver.accept(words)
        await joiner.collect(store)
    held = store.load()
    assert held is not None
    return held, started.secret


async def test_a_phone_that_brings_a_key_signs_from_its_first_call_on(api: ServedApi):
    async with person(api) as client:
        held, _ = await paired(api, client, signer())
        phone = next(device for device in await client.devices() if device.name == PHONE.device_name)
        assert (phone.signs, held.device_key) == (True, signer().seed_hex)

        path = f"/api/devices/{phone.device_id}/rename"
        stolen = await api.client.post(path, json={"name": "x"}, headers=bearer(held.access_token))
        assert stolen.json()["error"]["details"][0]["reason_code"] == "signature_missing"
        store = MemoryTokenStore()
        store.save(replace(held, base_url=api.url))
        async with Session(api.url, store) as session, RuntimeCodexClient(api.url, session) as own:
            assert (await own.rename_device(phone.device_id, "Mine")).name == "Mine"
    detail = await api.pool.fetchval("select detail from api.audit where action = 'paired'")
    assert '"signs":true' in detail


async def test_the_person_sees_the_key_and_the_words_cover_it(api: ServedApi):
    async with person(api) as client, joining(api, signer()) as joiner:
        approver = client.approver()
        await joiner.claim((await approver.offer("device")).secret)
        words, _ = await compared(approver, joiner)
        seen = await approver.step()
        assert seen.device is not None
        assert seen.device.public_key == signer().public_hex
        await api.pool.execute("update api.pairing set public_key = $1", bytes.fromhex(signer(b"t" * 32).public_hex))
        swapped = await client.approver().http.call("x", "GET", f"/api/pairing/{seen.pairing_id}")
        assert swapped.data["device"]["public_key"] != seen.device.public_key
        refused = await api.client.post(
            f"/api/pairing/{seen.pairing_id}/decision",
            json={"accept": True, "words": " ".join(words)},
            headers=bearer((await api.sign_in("ada@example.org"))["token"]),
        )
        assert refused.json()["error"]["details"][0]["reason_code"] == "words_differ"


@pytest.mark.parametrize("by", [None, signer(b"t" * 32)], ids=["nobody", "another key"])
async def test_a_key_that_its_bringer_does_not_hold_is_refused(api: ServedApi, by: WriteSigner | None):
    async with person(api) as client:
        started = await client.approver().offer("device")
        device = encode(replace(PHONE, public_key=signer().public_hex))
        body = {"credential": started.secret, "ticket": fresh_nonce(), "device": device}
        async with Http(api.url, tokens=None, signs=by) as http:
            with pytest.raises(Unauthorized) as refused:
                await http.call("x", "POST", CLAIM, body=body)
        assert refused.value.reason_code == ("signature_missing" if by is None else "signature_wrong")
        assert await api.pool.fetchval("select state from api.pairing") == "open"


async def test_who_has_the_ticket_and_the_secret_but_not_the_key_fetches_nothing(api: ServedApi):
    async with person(api) as client, joining(api, signer()) as joiner:
        approver = client.approver()
        started = await approver.offer("device")
        await joiner.claim(started.secret)
        words, _ = await compared(approver, joiner)
        await approver.accept(words)
        stolen = {"ticket": joiner.ticket, "credential": started.secret}
        for thief in (None, signer(b"t" * 32)):
            async with Http(api.url, tokens=None, signs=thief) as http:
                with pytest.raises(Unauthorized):
                    await http.call("x", "POST", "/api/pairing/collect", body=stolen)
        assert (await joiner.collect(MemoryTokenStore())).ok


async def test_what_is_paired_again_has_the_key_that_it_brings_now(api: ServedApi):
    async with person(api) as client:
        for key in (signer(), signer(b"q" * 32), None):
            await paired(api, client, key)
            kept = await api.pool.fetchval("select public_key from api.device where installation_id = 'inst-1'")
            assert kept == (None if key is None else bytes.fromhex(key.public_hex))


@pytest.mark.parametrize("key", ["zz", "AB" * 32, "ab" * 31])
async def test_what_is_no_key_is_refused_by_field(api: ServedApi, key: str):
    body = {"credential": "x", "ticket": "1" * 64, "device": {"public_key": key}}
    answer = await api.client.post(CLAIM, json=body)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, "device.public_key")


async def test_a_machine_brings_no_key(api: ServedApi):
    async with joining(api, signer(), MACHINE) as joiner:
        with pytest.raises(Unprocessable) as refused:
            await joiner.request("machine")
        assert refused.value.fact("field") == "device.public_key"
