"""Recovery: who has passkeys and comes by mail gets in, is told of, and can't shut the others out for a day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.api.passkeys import ADA, BASE, EVE, Passkeyed, expire_step_ups, lines, reason, served, sign_in
from tests.api.served import ServedApi, bearer
from tests.authenticator import SoftPasskey

from autopilot.api import step_up
from autopilot.cli.devices import _row
from autopilot.client import RuntimeCodexClient

HELD = (403, "recovery_hold")


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


async def by_mail(api: ServedApi, name: str = "Somewhere") -> tuple[Passkeyed, dict[str, Any]]:
    """A session that a code opened, and its device."""
    body = {"email": ADA, "code": await api.code_for(ADA), "device_name": name}
    answer = await api.client.post("/api/auth/verify", json=body)
    assert answer.status_code == 200, answer.text
    came = Passkeyed(api, answer.json()["token"])
    return came, await device_of(came)


async def device_of(who: Passkeyed) -> dict[str, Any]:
    return (await who.api.client.get("/api/me", headers=bearer(who.token))).json()["device"]


async def with_code(who: Passkeyed) -> Any:
    return await who.post("/api/auth/step-up", {"method": "email_code"})


async def test_without_passkeys_a_code_is_worth_what_it_was(api: ServedApi):
    came, device = await by_mail(api)
    assert (device["held_until"], await came.is_stepped_up()) == (None, True)
    assert await lines(api, "recovery_begun") == []


async def test_with_passkeys_a_code_signs_in_and_is_no_fresh_proof_for_a_day(
    api: ServedApi, ada: Passkeyed, passkey: SoftPasskey
):
    came, device = await by_mail(api)

    assert not await came.is_stepped_up()
    assert (await api.client.get("/api/devices", headers=bearer(came.token))).status_code == 200
    left = await api.pool.fetchval(
        "select extract(epoch from held_until - created_at)::float8 from api.session where held_until is not null"
    )
    assert 86399 < left < 86460
    (kept,) = await ada.list()
    hers = (await device_of(ada))["device_id"]
    team_id = (await came.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    me = (await api.client.get("/api/me", headers=bearer(came.token))).json()["user"]["id"]
    for answer in (
        await came.post(f"/api/teams/{team_id}/members/{me}/remove"),
        await came.post(f"/api/teams/{team_id}/leave"),
        await with_code(came),
        await came.post("/api/auth/step-up", {"code": "12345678"}),
        await came.post(f"/api/devices/{hers}/revoke"),
        await came.post("/api/devices/revoke-others"),
    ):
        assert reason(answer) == HELD
        assert answer.json()["error"]["details"][0]["until"] == device["held_until"]
    for path in (f"{BASE}/{kept['passkey_id']}/remove", f"{BASE}/register/options"):
        assert reason(await came.post(path)) == (403, "step_up_required")
    assert reason(await came.post(f"/api/devices/{device['device_id']}/confirm")) == (403, "step_up_required")
    assert (await sign_in(api, passkey)).status_code == 200
    assert (await came.post(f"/api/devices/{device['device_id']}/revoke")).json() == {
        "data": {"revoked": 1, "guests": 0}
    }


async def test_the_others_are_told_by_mail_in_the_list_and_in_the_audit(
    api: ServedApi, ada: Passkeyed, passkey: SoftPasskey
):
    _, device = await by_mail(api, "Thief's laptop")
    await api.app.state.api.postman.delivered()

    mail = api.post.mails[-1]
    assert (mail.email, mail.subject) == (ADA, "Somebody signed in to your account without a passkey")
    for said in (f"devices revoke {device['device_id']}", "Thief's laptop", "127.0.0.1", device["held_until"]):
        assert said in mail.text
    async with RuntimeCodexClient(api.url, ada.token) as client:
        (held,) = [one for one in await client.devices() if one.held_until]
        assert held.device_id == device["device_id"]
        assert "came by mail, held until" in _row(held)[1]
        assert (await client.revoke_device(held.device_id)).revoked == 1
    (line,) = await lines(api, "recovery_begun")
    assert (line["subject"], line["user_id"]) == (f"device:{device['device_id']}", 1)


async def test_a_hold_ends_when_another_device_says_so_and_not_when_one_that_is_held_does(
    api: ServedApi, ada: Passkeyed, passkey: SoftPasskey
):
    came, device = await by_mail(api)
    path = f"/api/devices/{device['device_id']}/confirm"
    second, _ = await by_mail(api)
    await api.pool.execute(  # as if it had a fresh proof of another kind
        "update api.session set stepped_up_until = clock_timestamp() + interval '1 minute', stepped_up_by = 'test'"
    )
    assert reason(await second.post(path)) == HELD
    eve = await Passkeyed.sign_in(api, EVE)
    assert reason(await eve.post(path)) == (404, "no_such_device")
    await expire_step_ups(api)
    assert reason(await ada.post(path)) == (403, "step_up_required")
    ada = Passkeyed(api, (await sign_in(api, passkey)).json()["token"])

    async with RuntimeCodexClient(api.url, ada.token) as client:
        assert (await client.confirm_device(device["device_id"])).held_until is None
    assert (await with_code(came)).status_code == 200
    assert (await device_of(second))["held_until"] is not None
    (line,) = await lines(api, "device_confirmed")
    assert line["subject"] == f"device:{device['device_id']}"


async def test_a_hold_ends_with_a_passkey_at_the_machine_and_after_a_day(api: ServedApi, passkey: SoftPasskey):
    for ended_by in ("passkey", "machine", "time"):
        came, _ = await by_mail(api)
        assert reason(await with_code(came)) == HELD
        if ended_by == "passkey":
            asked = (await came.step_up()).json()
            answer = await came.step_up(ceremony=asked["ceremony"], credential=passkey.get(asked["options"]))
            assert answer.status_code == 200
        elif ended_by == "machine":
            assert await step_up.at_the_machine(api.pool, came.token)
        else:
            await api.pool.execute("update api.session set held_until = clock_timestamp() where held_until is not null")
        assert (await with_code(came)).status_code == 200
        assert (await device_of(came))["held_until"] is None


async def test_a_copied_passkey_holds_nobody_up(api: ServedApi, ada: Passkeyed, passkey: SoftPasskey):
    await api.pool.execute("update api.passkey set suspected_at = clock_timestamp()")
    came, device = await by_mail(api)
    assert (device["held_until"], await came.is_stepped_up()) == (None, True)
