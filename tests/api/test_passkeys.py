"""Passkeys: registered at a session, used without a name, listed, renamed, removed; each act leaves a line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
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
from tests.authenticator import ALGORITHMS, BE, BS, UP, UV, Algorithm, SoftPasskey, decoded

from autopilot.client import MemoryTokenStore, RuntimeCodexClient, Session
from autopilot.client.http import Http
from autopilot.client.write_signer import WriteSigner
from autopilot.contract.errors import NotFound, Unprocessable


@pytest.fixture
async def api(database: str) -> AsyncIterator[ServedApi]:
    async with served(database) as made:
        yield made


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_passkey_signs_in_without_a_name_and_the_session_is_as_any_other(api: ServedApi, algorithm: Algorithm):
    ada = await Passkeyed.sign_in(api)
    passkey = await ada.registered(SoftPasskey(origin(api), algorithm), "Ada's phone")

    answer = await sign_in(api, passkey, device_name="Browser", device_platform="Linux")

    assert answer.status_code == 200, answer.text
    signed = answer.json()
    assert (signed["user"]["email"], signed["expires_in"]) == (ADA, 900)
    me = (await api.client.get("/api/me", headers=bearer(signed["token"]))).json()
    assert (me["scopes"], me["device"]["name"], me["device"]["surface"]) == (
        ["administer", "observe"],
        "Browser",
        "web",
    )
    assert me["stepped_up_until"] is not None
    refreshed = await api.client.post("/api/auth/refresh", json={"refresh_token": signed["refresh_token"]})
    assert refreshed.status_code == 200
    (kept,) = await ada.list()
    assert (kept["name"], kept["transports"], kept["rp_id"]) == ("Ada's phone", ["internal", "hybrid"], "localhost")
    assert kept["last_used_at"] is not None
    registered, signed_in = await lines(api, "passkey_registered"), await lines(api, "signed_in")
    assert registered[0]["subject"] == signed_in[-1]["subject"] == f"passkey:{kept['passkey_id']}"


async def test_what_an_authenticator_is_asked(api: ServedApi):
    ada = await Passkeyed.sign_in(api)
    passkey = await ada.registered()

    options = (await ada.asked())["options"]
    assert (options["rp"]["id"], options["user"]["name"], options["attestation"]) == ("localhost", ADA, "none")
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-7, -8, -257]
    (excluded,) = options["excludeCredentials"]
    assert (decoded(excluded["id"]), excluded["transports"]) == (passkey.credential_id, ["internal", "hybrid"])
    assert (len(decoded(options["user"]["id"])), len(decoded(options["challenge"]))) == (32, 32)
    asked = await asked_to_sign_in(api)
    assert (asked["expires_in"], asked["options"]["userVerification"]) == (300, "required")
    assert (asked["options"]["rpId"], asked["options"]["timeout"]) == ("localhost", 300_000)
    assert not asked["options"].get("allowCredentials")


async def test_a_passkey_steps_up_this_session_and_no_other(api: ServedApi):
    ada, laptop = await Passkeyed.sign_in(api), await Passkeyed.sign_in(api)
    passkey = await ada.registered()
    await expire_step_ups(api)

    asked = (await ada.step_up()).json()
    assert (asked["stepped_up"], asked["methods"]) == (False, ["email_code", "passkey"])
    assert [decoded(one["id"]) for one in asked["options"]["allowCredentials"]] == [passkey.credential_id]
    answer = await ada.step_up(ceremony=asked["ceremony"], credential=passkey.get(asked["options"]))

    assert (answer.status_code, answer.json()["stepped_up"], answer.json()["expires_in"]) == (200, True, 600)
    assert (await ada.is_stepped_up(), await laptop.is_stepped_up()) == (True, False)
    assert '"passkey"' in (await lines(api, "stepped_up"))[-1]["detail"]


async def test_registering_and_removing_take_a_fresh_proof_and_the_last_may_go(api: ServedApi):
    ada = await Passkeyed.sign_in(api)
    passkey, asked = await ada.registered(), await ada.asked()
    (kept,) = await ada.list()
    await expire_step_ups(api)

    body = {"ceremony": asked["ceremony"], "credential": SoftPasskey(origin(api)).create(asked["options"])}
    for path, said in (
        (f"{BASE}/register/options", {}),
        (f"{BASE}/register", body),
        (f"{BASE}/{kept['passkey_id']}/remove", {}),
    ):
        assert reason(await ada.post(path, said)) == (403, "step_up_required")
    other = await Passkeyed.sign_in(api, EVE)
    for path in (f"{BASE}/{kept['passkey_id']}/remove", f"{BASE}/{kept['passkey_id']}/rename"):
        assert reason(await other.post(path, {"name": "x"})) == (404, "no_such_passkey")
    renamed = await ada.post(f"{BASE}/{kept['passkey_id']}/rename", {"name": " Phone "})
    assert renamed.json()["data"]["name"] == "Phone"
    again = (await sign_in(api, passkey)).json()["token"]
    assert (await Passkeyed(api, again).post(f"{BASE}/{kept['passkey_id']}/remove")).json() == {"ok": True}
    assert await ada.list() == []
    assert reason(await sign_in(api, passkey)) == (401, "passkey_refused")
    assert (await api.sign_in(ADA))["user"]["email"] == ADA
    assert [len(await lines(api, f"passkey_{act}")) for act in ("renamed", "removed")] == [1, 1]


async def test_an_account_has_at_most_twenty_also_when_two_register_at_once(api: ServedApi):
    ada = await Passkeyed.sign_in(api)
    for _ in range(19):
        await ada.registered(SoftPasskey(origin(api), "EdDSA"))
    asked = [await ada.asked() for _ in range(2)]
    bodies = [
        {"ceremony": one["ceremony"], "credential": SoftPasskey(origin(api), "EdDSA").create(one["options"])}
        for one in asked
    ]
    answers = await asyncio.gather(*(ada.post(f"{BASE}/register", body) for body in bodies))

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert reason(await ada.post(f"{BASE}/register/options")) == (409, "too_many_passkeys")
    assert len(await ada.list()) == 20


async def test_backup_flags_are_kept_and_may_not_change_their_kind(api: ServedApi):
    ada = await Passkeyed.sign_in(api)
    passkey = await ada.registered(SoftPasskey(origin(api), counts=False, flags=UP | UV | BE))
    assert [(one["backup_eligible"], one["backed_up"]) for one in await ada.list()] == [(True, False)]

    passkey.flags |= BS
    for _ in range(2):  # it counts nothing: that is no copy
        assert (await sign_in(api, passkey)).status_code == 200
    assert [(one["backup_eligible"], one["backed_up"]) for one in await ada.list()] == [(True, True)]
    passkey.flags = UP | UV
    assert reason(await sign_in(api, passkey)) == (401, "passkey_refused")


async def test_the_owner_is_mailed_when_a_passkey_comes_and_goes(api: ServedApi):
    ada = await Passkeyed.sign_in(api)
    await ada.registered(name="Key on my ring")
    (kept,) = await ada.list()
    await ada.post(f"{BASE}/{kept['passkey_id']}/remove")
    await api.app.state.api.postman.delivered()

    added, removed = api.post.mails[-2:]
    assert (added.email, removed.email) == (ADA, ADA)
    assert "Key on my ring" in added.text
    assert "devices revoke" in removed.text
    assert ("added" in added.subject, "removed" in removed.subject) == (True, True)


async def test_who_only_observes_sees_and_changes_nothing(api: ServedApi):
    ada = await Passkeyed.sign_in(api)
    await ada.registered()
    observer = Passkeyed(api, (await api.mint(ADA, "observe")).token)
    machine = Passkeyed(api, (await api.mint(ADA, "execute", machine_id="m", surface="companion")).token)

    assert len(await observer.list()) == 1
    assert (await api.client.get(BASE, headers=bearer(machine.token))).status_code == 403
    for caller in (observer, machine):
        for path in ("register/options", "register", "pk_x/rename", "pk_x/remove"):
            assert (await caller.post(f"{BASE}/{path}")).status_code == 403


async def test_a_device_that_signs_in_so_may_bring_its_key(api: ServedApi):
    passkey = await (await Passkeyed.sign_in(api)).registered()
    asked = await asked_to_sign_in(api)
    key = WriteSigner(b"p" * 32, lambda: datetime.now(UTC))
    body = {"ceremony": asked["ceremony"], "credential": passkey.get(asked["options"]), "public_key": key.public_hex}

    assert reason(await api.client.post(f"{BASE}/sign-in", json=body)) == (401, "signature_missing")
    async with Http(api.url, tokens=None, signs=key) as http:
        signed = (await http.call("x", "POST", f"{BASE}/sign-in", body=body)).body
    me = (await api.client.get("/api/me", headers=bearer(signed["token"]))).json()
    assert me["device"]["signs"] is True


async def test_the_sdk_registers_signs_in_and_steps_up(api: ServedApi):
    ada, passkey = await Passkeyed.sign_in(api), SoftPasskey(origin(api))
    async with RuntimeCodexClient(api.url, ada.token) as client:
        asked = await client.begin_passkey()
        made = await client.register_passkey(asked.ceremony, passkey.create(asked.options), "Ring")
    assert made.name == "Ring"
    async with Session(api.url, MemoryTokenStore(), surface="ios") as session:
        asked = await session.begin_passkey_sign_in()
        with pytest.raises(Unprocessable):
            await session.sign_in_by_passkey(asked.ceremony, {"id": 7})
        answer = passkey.get(asked.options)
        user = await session.sign_in_by_passkey(asked.ceremony, answer, device_name="Phone", with_key=True)
        assert (user.email, session.state.kind) == (ADA, "signed_in")
        await expire_step_ups(api)
        asked = await session.begin_passkey_step_up()
        token = await session.finish_passkey_step_up(asked.ceremony, passkey.get(asked.options))
        assert await Passkeyed(api, token).is_stepped_up()


async def test_the_sdk_lists_renames_and_removes(api: ServedApi):
    ada = await Passkeyed.sign_in(api)
    await ada.registered(name="One")
    async with RuntimeCodexClient(api.url, ada.token) as client:
        (found,) = await client.passkeys()
        assert (await client.rename_passkey(found.passkey_id, "Two")).name == "Two"
        await client.remove_passkey(found.passkey_id)
        assert await client.passkeys() == []
        with pytest.raises(NotFound):
            await client.remove_passkey(found.passkey_id)


@pytest.mark.parametrize(
    "public_url", ["http://autopilot.example.com", "https://192.0.2.7", "https://[2001:db8::7]:8443"]
)
async def test_where_no_browser_would_use_one_the_server_says_so(database: str, public_url: str):
    async with served(database, public_url=public_url) as api:
        ada = await Passkeyed.sign_in(api)
        assert reason(await ada.post(f"{BASE}/register/options")) == (409, "passkeys_off")
        assert reason(await api.client.post(f"{BASE}/sign-in/options")) == (409, "passkeys_off")
        assert (await ada.step_up()).status_code == 409
        assert await ada.list() == []
