"""Attacks on passkeys: another page, another site, another answer, another's key, a copy; bytes that are nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.api.passkeys import (
    ADA,
    BASE,
    EVE,
    Passkeyed,
    asked_to_sign_in,
    expire_step_ups,
    lines,
    origin,
    reason,
    served,
    sign_in,
)
from tests.api.served import ServedApi, bearer
from tests.authenticator import UP, SoftPasskey, decoded, encoded

from autopilot.api import passkey_proofs
from autopilot.api.relying_party import relying_party
from autopilot.api.settings import ApiSettings
from autopilot.ops.settings import SettingsRefused

REFUSED = (401, "passkey_refused")


@pytest.fixture
async def api(database: str) -> AsyncIterator[ServedApi]:
    async with served(database) as made:
        yield made


@pytest.fixture
async def ada(api: ServedApi) -> Passkeyed:
    return await Passkeyed.sign_in(api)


@pytest.fixture
async def passkey(ada: Passkeyed) -> SoftPasskey:
    return await ada.registered()


LIES: dict[str, dict[str, Any]] = {
    "another origin": {"origin": "https://evil.example"},
    "another port of this machine": {"origin": "http://localhost:1"},
    "our address instead of our name": {"origin": "http://127.0.0.1"},
    "another site": {"rp_id": "evil.example"},
    "nobody verified": {"flags": UP},
    "nobody was there": {"flags": 0},
    "within another site's page": {"cross_origin": True},
    "another's handle": {"handle": b"h" * 32},
    "no handle": {"handle": b""},
    "another key": {"key": ec.generate_private_key(ec.SECP256R1())},
    "a credential that nobody has": {"credential_id": b"c" * 32},
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_signs_nobody_in_and_all_are_answered_alike(api: ServedApi, passkey: SoftPasskey, lie: str):
    asked = await asked_to_sign_in(api)
    kept = dict(vars(passkey))
    vars(passkey).update(LIES[lie])
    answer = await sign_in(api, passkey, asked)

    assert reason(answer) == REFUSED
    assert answer.json()["error"]["message"] == "this passkey does not sign you in; begin again"
    (line,) = await lines(api, "passkey_refused")
    assert (line["outcome"], line["user_id"]) == ("refused", None)
    vars(passkey).update(kept)
    assert reason(await sign_in(api, passkey, asked)) == REFUSED  # that question was answered, if wrongly
    assert (await sign_in(api, passkey)).status_code == 200  # nothing happened to the passkey


@pytest.mark.parametrize("lie", [name for name in LIES if name not in {"another's handle", "no handle", "another key"}])
async def test_a_lie_registers_nothing(api: ServedApi, ada: Passkeyed, lie: str):
    asked = await ada.asked()
    liar = SoftPasskey(origin(api))
    if lie == "a credential that nobody has":
        credential = liar.create(asked["options"])
        credential["id"] = credential["rawId"] = encoded(b"c" * 32)
    else:
        vars(liar).update(LIES[lie])
        credential = liar.create(asked["options"])
    answer = await ada.post(f"{BASE}/register", {"ceremony": asked["ceremony"], "credential": credential})

    assert reason(answer) == (422, "passkey_refused")
    assert await ada.list() == []
    assert len(await lines(api, "passkey_refused")) == 1


async def test_an_answer_is_good_once_and_not_after_five_minutes(api: ServedApi, passkey: SoftPasskey):
    asked = await asked_to_sign_in(api)
    body = {"ceremony": asked["ceremony"], "credential": passkey.get(asked["options"])}
    answers = await asyncio.gather(*(api.client.post(f"{BASE}/sign-in", json=body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]

    asked = await asked_to_sign_in(api)
    life = await api.pool.fetchval(
        "select extract(epoch from expires_at - clock_timestamp())::float8 from api.passkey_ceremony"
    )
    assert 270 < life <= 300
    await api.pool.execute("update api.passkey_ceremony set expires_at = clock_timestamp()")
    assert reason(await sign_in(api, passkey, asked)) == REFUSED


async def test_an_answer_is_good_for_its_own_question_kind_and_session_only(
    api: ServedApi, ada: Passkeyed, passkey: SoftPasskey
):
    laptop = await Passkeyed.sign_in(api)
    await expire_step_ups(api)
    first, second = await asked_to_sign_in(api), await asked_to_sign_in(api)
    crossed = {"ceremony": first["ceremony"], "credential": passkey.get(second["options"])}
    assert reason(await api.client.post(f"{BASE}/sign-in", json=crossed)) == REFUSED

    asked = (await laptop.step_up()).json()
    stolen = {"ceremony": asked["ceremony"], "credential": passkey.get(asked["options"])}
    assert reason(await ada.step_up(**stolen)) == REFUSED  # another session's
    assert reason(await api.client.post(f"{BASE}/sign-in", json=stolen)) == REFUSED  # of another kind
    asked = await asked_to_sign_in(api)
    body = {"ceremony": asked["ceremony"], "credential": passkey.get(asked["options"])}
    assert reason(await laptop.step_up(**body)) == REFUSED
    assert not await ada.is_stepped_up()
    assert not await laptop.is_stepped_up()
    asked = (await laptop.step_up()).json()
    body = {"ceremony": asked["ceremony"], "credential": passkey.get(asked["options"])}
    assert (await laptop.step_up(**body)).status_code == 200


async def test_anothers_passkey_steps_nobody_up(api: ServedApi, ada: Passkeyed, passkey: SoftPasskey):
    eve = await Passkeyed.sign_in(api, EVE)
    await eve.registered()
    await expire_step_ups(api)
    asked = (await eve.step_up()).json()
    body = {"ceremony": asked["ceremony"], "credential": passkey.get(asked["options"])}

    assert reason(await eve.step_up(**body)) == REFUSED
    assert not await eve.is_stepped_up()
    (line,) = await lines(api, "step_up_refused")
    assert line["user_id"] == 2


async def test_a_credential_of_another_account_is_registered_by_nobody_else(
    api: ServedApi, ada: Passkeyed, passkey: SoftPasskey
):
    eve = await Passkeyed.sign_in(api, EVE)
    for copied in (passkey, SoftPasskey(origin(api), credential_id=passkey.credential_id)):
        asked = await eve.asked()
        kept = copied.handle
        body = {"ceremony": asked["ceremony"], "credential": copied.create(asked["options"])}
        copied.handle = kept
        assert reason(await eve.post(f"{BASE}/register", body)) == (422, "passkey_refused")
    assert await eve.list() == []
    assert (await sign_in(api, passkey)).json()["user"]["email"] == ADA


async def test_a_counter_that_goes_back_ends_the_passkey_and_its_owner_is_told(
    api: ServedApi, ada: Passkeyed, passkey: SoftPasskey
):
    for _ in range(3):
        assert (await sign_in(api, passkey)).status_code == 200
    passkey.sign_count = 1

    assert reason(await sign_in(api, passkey)) == REFUSED
    await api.app.state.api.postman.delivered()
    (line,) = await lines(api, "passkey_cloned")
    (kept,) = await ada.list()
    assert (line["user_id"], line["subject"]) == (1, f"passkey:{kept['passkey_id']}")
    assert (api.post.mails[-1].email, "copied" in api.post.mails[-1].subject) == (ADA, True)
    assert kept["suspected_at"] is not None
    passkey.sign_count = 100  # whichever of the two is ahead
    assert reason(await sign_in(api, passkey)) == REFUSED
    asked = (await ada.step_up()).json()
    assert (asked["methods"], asked["options"]["allowCredentials"]) == (["email_code"], [])


async def test_who_only_knows_a_credentials_id_can_not_have_it_look_copied(
    api: ServedApi, ada: Passkeyed, passkey: SoftPasskey
):
    assert (await sign_in(api, passkey)).status_code == 200
    forged = SoftPasskey(origin(api), credential_id=passkey.credential_id, handle=passkey.handle, counts=False)
    assert reason(await sign_in(api, forged)) == REFUSED
    assert [one["suspected_at"] for one in await ada.list()] == [None]


async def test_an_unknown_credential_is_verified_like_a_known_one(
    api: ServedApi, passkey: SoftPasskey, monkeypatch: pytest.MonkeyPatch
):
    """The same work, not the same microseconds: a clock would only say how busy this machine is."""
    verified: list[bytes] = []
    proved = passkey_proofs.proved

    def counting(credential: Any, question: Any, public_key: bytes) -> Any:
        verified.append(public_key)
        return proved(credential, question, public_key)

    monkeypatch.setattr(passkey_proofs, "proved", counting)
    known, unknown = await sign_in(api, passkey), await sign_in(api, SoftPasskey(origin(api), handle=passkey.handle))
    assert (known.status_code, reason(unknown)) == (200, REFUSED)
    assert len(verified) == 2


def odd_cbor() -> dict[str, Any]:
    deep: Any = 0
    for _ in range(500):
        deep = [deep]
    good = SoftPasskey("x")
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key().public_numbers()
    short_rsa = {1: 3, 3: -257, -1: small.n.to_bytes(128, "big"), -2: b"\x01\x00\x01"}
    return {
        "no map": {"public": cbor2.dumps([1, 2])},
        "an empty map": {"public": cbor2.dumps({})},
        "cut off": {"public": cbor2.dumps(good._cose())[:-1]},
        "a byte too many": {"public": cbor2.dumps(good._cose()) + b"\0"},
        "deep": {"public": cbor2.dumps(deep)},
        "long without end": {"public": b"\x9f" * 2000},
        "a length that is not there": {"public": b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff"},
        "a key twice": {"public": b"\xa2\x01\x02\x01\x02"},
        "itself": {"public": bytes.fromhex("d81c81d81d00")},
        "a point off the curve": {"public": cbor2.dumps({**good._cose(), -3: b"\x01" * 32})},
        "another curve": {"public": cbor2.dumps({**good._cose(), -1: 2})},
        "a short RSA key": {"public": cbor2.dumps(short_rsa)},
        "a huge RSA key": {"public": cbor2.dumps({1: 3, 3: -257, -1: b"\xff" * 16000, -2: b"\x01\x00\x01"})},
        "an algorithm that was not asked for": {"public": cbor2.dumps({**good._cose(), 3: -35})},
        "none": {"public": b""},
        "a statement that none has": {"attStmt": {"sig": b"x"}},
        "certificates": {"fmt": "packed", "attStmt": {"alg": -7, "sig": b"x", "x5c": [b"x"]}},
        "another format": {"fmt": "tpm"},
        "no format": {"fmt": 7},
        "data that is none": {"authData": "text"},
        "short data": {"authData": b"\0" * 36},
    }


ODD = odd_cbor()


@pytest.mark.parametrize("odd", ODD)
async def test_what_is_no_key_registers_nothing(api: ServedApi, ada: Passkeyed, odd: str):
    asked = await ada.asked()
    credential = SoftPasskey(origin(api)).create(asked["options"], **ODD[odd])
    answer = await ada.post(f"{BASE}/register", {"ceremony": asked["ceremony"], "credential": credential})
    assert reason(answer) == (422, "passkey_refused")
    assert await ada.list() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "x" * 1365),
        ("rawId", "A"),
        ("rawId", "=="),
        ("id", ""),
        ("type", "password"),
        ("clientDataJSON", "A" * 8193),
        ("clientDataJSON", "{}"),
        ("authenticatorData", "A" * 4097),
        ("signature", "A" * 4097),
        ("userHandle", "A" * 129),
        ("userHandle", "\u0000"),
    ],
)
async def test_what_is_too_large_or_of_no_alphabet_is_refused_by_field(
    api: ServedApi, passkey: SoftPasskey, field: str, value: str
):
    asked = await asked_to_sign_in(api)
    credential = passkey.get(asked["options"])
    within = credential if field in credential else credential["response"]
    within[field] = value
    answer = await api.client.post(f"{BASE}/sign-in", json={"ceremony": asked["ceremony"], "credential": credential})
    assert reason(answer) == (422, "invalid_value")
    assert answer.json()["error"]["details"][0]["field"].endswith(field)


@pytest.mark.parametrize("said", [b"[]", b"[" * 4000, b"\xff", b"{}", b'{"type":7,"challenge":[],"origin":{}}'])
async def test_client_data_that_is_nothing_proves_nothing(api: ServedApi, passkey: SoftPasskey, said: bytes):
    asked = await asked_to_sign_in(api)
    credential = passkey.get(asked["options"])
    credential["response"]["clientDataJSON"] = encoded(said)
    answer = await api.client.post(f"{BASE}/sign-in", json={"ceremony": asked["ceremony"], "credential": credential})
    assert reason(answer) == REFUSED


async def test_no_challenge_and_no_ceremony_is_stored_as_it_is(api: ServedApi):
    asked = await asked_to_sign_in(api)
    row = dict((await api.pool.fetch("select * from api.passkey_ceremony"))[0])
    assert row["ceremony_digest"] == hashlib.sha256(asked["ceremony"].encode()).digest()
    assert row["challenge_digest"] == hashlib.sha256(decoded(asked["options"]["challenge"])).digest()
    await api.pool.execute("update api.passkey_ceremony set expires_at = clock_timestamp()")
    await api.app.state.api.ceremonies.sweep()
    assert await api.pool.fetchval("select count(*) from api.passkey_ceremony") == 0


async def test_whoever_guesses_raises_the_alarm_and_fills_no_audit(api: ServedApi):
    nobody = SoftPasskey(origin(api))
    credential = nobody.get((await asked_to_sign_in(api))["options"])
    for _ in range(25):
        body = {"ceremony": "0" * 64, "credential": credential}
        assert reason(await api.client.post(f"{BASE}/sign-in", json=body)) == REFUSED
    assert await lines(api, "passkey_refused") == []
    await api.app.state.api.alarm.tell()
    assert len(await lines(api, "guessing_noticed")) == 1


async def begun_at_once(api: ServedApi, path: str, times: int, **rest: Any) -> dict[int, int]:
    """How many of so many questions that are begun at the same moment get which status."""
    answers = await asyncio.gather(*(api.client.post(path, **rest) for _ in range(times)))
    refused = {answer.json()["error"]["details"][0]["reason_code"] for answer in answers if answer.status_code != 200}
    assert refused <= {"too_many_ceremonies"}
    return dict(Counter(answer.status_code for answer in answers))


async def test_so_many_questions_are_open_of_a_network_address_also_where_they_are_begun_at_once(api: ServedApi):
    path = f"{BASE}/sign-in/options"
    assert await begun_at_once(api, path, 110) == {200: 100, 429: 10}
    await api.pool.execute("update api.passkey_ceremony set expires_at = clock_timestamp()")
    assert await begun_at_once(api, path, 1) == {200: 1}


async def test_so_many_questions_are_open_of_a_user_whatever_they_are_for(
    api: ServedApi, ada: Passkeyed, passkey: SoftPasskey
):
    asked = {"headers": bearer(ada.token)}
    assert await begun_at_once(api, f"{BASE}/register/options", 60, json={}, **asked) == {200: 60}
    step_up = {"json": {"method": "passkey"}, **asked}
    assert await begun_at_once(api, "/api/auth/step-up", 50, **step_up) == {200: 40, 429: 10}
    assert await begun_at_once(api, f"{BASE}/sign-in/options", 1) == {200: 1}, "who signs in is counted apart"


def test_passkeys_are_for_the_name_of_the_public_url_and_for_no_other_page():
    listed = f"https://app.example.com,android:apk-key-hash:{'A' * 43}"
    site = relying_party(ApiSettings(public_url="https://autopilot.example.com:443/", passkey_origins=listed))
    assert site is not None
    scope = {"server": ("127.0.0.1", 8787), "scheme": "http"}
    assert site.rp_id == "autopilot.example.com"
    assert site.origins(scope) == {"https://autopilot.example.com", *listed.split(",")}
    local = relying_party(ApiSettings())
    assert local is not None
    assert local.origins(scope) == {"http://localhost:8787"}
    assert local.origins({"server": None, "scheme": "http"}) == set()
    assert local.origins({"server": ("127.0.0.1", 443), "scheme": "https"}) == {"https://localhost"}


@pytest.mark.parametrize(
    "listed",
    ["app.example.com", "https://a.example/x", "http://a.example", "android:apk-key-hash:x", "https://A.example"],
)
def test_a_listed_origin_that_is_none_stops_the_start(listed: str):
    with pytest.raises(SettingsRefused):
        relying_party(ApiSettings(passkey_origins=listed))
