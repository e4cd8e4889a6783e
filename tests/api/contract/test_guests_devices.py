"""Guests and the device that invited them: one that is revoked takes them with it, one that signs out leaves them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.api.contract.test_guests import enter, guest_of, invite
from tests.api.contract.test_revoked_devices_told import refreshed
from tests.api.contract.world import Person, error
from tests.api.served import bearer

from autopilot.api.audit import Actor, Caller
from autopilot.contract.errors import Unauthorized

GENEROUS_SECONDS = 30.0


async def phone_of(who: Person, name: str = "Ada's phone") -> tuple[Person, str, str]:
    """Another device of theirs, its id, and its refresh token."""
    api = who.world.api
    assert (await api.client.post("/api/auth/email", json={"email": who.email})).status_code == 200
    await api.app.state.api.postman.delivered()
    mail: Any = api.post.mails[-1]
    body = {"email": who.email, "code": mail.code, "device_name": name}
    signed = (await api.client.post("/api/auth/verify", json=body)).json()
    phone = Person(who.world, who.email, who.user_id, signed["token"], who.worker_id)
    return phone, (await phone.get("/api/me")).json()["device"]["device_id"], signed["refresh_token"]


async def listed(who: Person) -> list[dict[str, Any]]:
    return (await who.get("/api/guests")).json()["data"]


async def lines_about(who: Person, guest_id: str) -> list[dict[str, Any]]:
    found = (await who.get("/audit?action=guest_revoked")).json()["data"]
    return [line for line in found if line["subject"] == f"guest:{guest_id}"]


async def told(who: Person) -> None:
    """The audit of the API is with the runtime."""
    await who.world.api.app.state.api.audit.tell()


async def test_the_list_says_from_which_device_each_was_invited(ada: Person):
    phone, device_id, _ = await phone_of(ada)
    made = (await invite(phone, ada.worker_id)).json()["data"]["guest"]
    await invite(ada, ada.worker_id)

    here, there = await listed(ada)

    assert (there["guest_id"], there["device_id"], there["device_name"]) == (made["guest_id"], device_id, "Ada's phone")
    assert made == there
    assert here["device_id"] == (await ada.get("/api/me")).json()["device"]["device_id"]


@pytest.mark.parametrize("way", ["revoke", "revoke-others"])
async def test_guests_end_with_the_device_that_invited_them_when_it_is_revoked(ada: Person, way: str):
    phone, device_id, _ = await phone_of(ada)
    came, data = await guest_of(phone, ada.worker_id)
    waiting = (await invite(phone, ada.worker_id)).json()["data"]
    other, _ = await guest_of(ada, ada.worker_id)
    client, url = ada.world.api.client, f"/api/runtime/codex/workers/{ada.worker_id}/stream"

    async with asyncio.timeout(GENEROUS_SECONDS), client.stream("GET", url, headers=bearer(came.token)) as stream:
        path = f"/api/devices/{device_id}/revoke" if way == "revoke" else "/api/devices/revoke-others"
        revoked = await ada.post(path, {})
        async for _ in stream.aiter_raw():
            pass

    assert revoked.json()["data"] == {"revoked": 1, "guests": 2}
    error(await came.get(f"/workers/{ada.worker_id}"), 401, "unauthorized", "token_refused")
    again = await client.post("/api/guests/refresh", json={"refresh_token": data["refresh_token"]})
    error(again, 401, "unauthorized", "sign_in_again")
    error(await enter(ada.world, waiting["secret"]), 401, "unauthorized", "link_refused")
    assert (await other.get(f"/workers/{ada.worker_id}")).status_code == 200
    [left] = await listed(ada)
    assert left["device_id"] != device_id
    await told(ada)
    for guest_id in (data["guest"]["guest_id"], waiting["guest"]["guest_id"]):
        [line] = await lines_about(ada, guest_id)
        assert line["detail"] == {"name": "Gil", "reason": "device_revoked", "device_id": device_id}


async def test_guests_end_with_a_device_whose_refresh_token_somebody_else_used(ada: Person):
    phone, device_id, first = await phone_of(ada)
    came, data = await guest_of(phone, ada.worker_id)
    second = (await refreshed(ada, first)).json()["refresh_token"]
    assert (await refreshed(ada, second)).status_code == 200

    error(await refreshed(ada, first), 401, "unauthorized", "sign_in_again")

    ada.world.api.app.state.api.grants.forget(
        await ada.world.api.pool.fetchval(
            "select session_id from api.session where guest_id = $1", data["guest"]["guest_id"]
        )
    )
    error(await came.get(f"/workers/{ada.worker_id}"), 401, "unauthorized", "token_refused")
    await told(ada)
    [line] = await lines_about(ada, data["guest"]["guest_id"])
    assert line["detail"] == {"name": "Gil", "reason": "refresh_reused", "device_id": device_id}


async def test_guests_of_a_device_that_signs_out_by_itself_stay_and_can_be_ended(ada: Person):
    phone, device_id, _ = await phone_of(ada)
    came, data = await guest_of(phone, ada.worker_id)

    assert (await phone.post("/api/auth/signout")).status_code == 200

    assert (await came.get(f"/workers/{ada.worker_id}")).status_code == 200
    [one] = await listed(ada)
    assert (one["device_id"], one["device_name"]) == (device_id, "Ada's phone")
    assert (await ada.post(f"/api/guests/{data['guest']['guest_id']}/revoke", {})).status_code == 200
    error(await came.get(f"/workers/{ada.worker_id}"), 401, "unauthorized", "token_refused")


async def test_an_invitation_that_was_on_its_way_when_its_device_was_revoked_lets_nobody_in(ada: Person):
    phone, device_id, _ = await phone_of(ada)
    grant = await ada.world.api.app.state.api.grants.find(phone.token)
    assert (await ada.post(f"/api/devices/{device_id}/revoke", {})).status_code == 200
    guests = ada.world.api.app.state.api.guests

    with pytest.raises(Unauthorized):
        await guests.invite(Actor.of(grant.claims), "late", [ada.worker_id], 60, Caller("127.0.0.1", "ios", "x"))
    assert await listed(ada) == []


async def test_inviting_and_revoking_at_once_leave_no_guest_behind(ada: Person):
    for _ in range(5):
        phone, device_id, _ = await phone_of(ada)
        invited, revoked = await asyncio.gather(
            invite(phone, ada.worker_id), ada.post(f"/api/devices/{device_id}/revoke", {})
        )
        assert revoked.status_code == 200
        assert invited.status_code in {201, 401}
        assert await listed(ada) == []


async def test_a_guest_whose_hosts_account_goes_while_they_refresh_is_told_to_come_again(
    ada: Person, monkeypatch: pytest.MonkeyPatch
):
    _, data = await guest_of(ada, ada.worker_id)
    sessions = ada.world.api.app.state.api.sessions
    refresh_guest = type(sessions).refresh_guest

    async def and_gone(self: Any, token: str, caller: Any) -> Any:
        found = await refresh_guest(self, token, caller)
        await ada.world.api.pool.execute("delete from api.guest where guest_id = $1", data["guest"]["guest_id"])
        return found

    monkeypatch.setattr(type(sessions), "refresh_guest", and_gone)
    again = await ada.world.api.client.post("/api/guests/refresh", json={"refresh_token": data["refresh_token"]})

    error(again, 401, "unauthorized", "sign_in_again")
