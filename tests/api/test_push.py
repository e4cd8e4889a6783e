"""Subscriptions, settings, tests and answers: what a browser and a settings page ask for."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.responses import Response
from tests.api.contract.conftest import SHAPES, opened
from tests.api.contract.world import Person, ask, error, person
from tests.api.push import PushWorld, again, executing, pushing, state_of, subscribed

from autopilot.api.push import DEFAULTS, is_quiet
from autopilot.api.push_keys import PushKey, passing_key
from autopilot.client import RuntimeCodexClient
from autopilot.contract import ChangePushSettings, PushKeys, PushSettings, encode
from autopilot.testing.postgres import TestCluster
from autopilot.testing.push_service import PushService


@pytest.fixture
async def at(cluster: TestCluster) -> AsyncIterator[PushWorld]:
    async with pushing(cluster) as made:
        yield made


@pytest.fixture
async def ada(at: PushWorld) -> Person:
    return await at.person("ada")


@pytest.fixture
async def eve(at: PushWorld) -> Person:
    return await at.person("eve")


async def tried(who: Person, **body: Any) -> list[dict[str, Any]]:
    answer = await who.post("/api/push/test", body)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["data"]["results"]
    return results


async def test_a_test_arrives_decrypted_at_every_device_of_its_user_and_at_nobody_elses(at, ada, eve):
    phone, _ = await subscribed(at, ada)
    desktop, _ = await subscribed(at, await again(at, ada))
    await subscribed(at, eve)

    assert [result["sent"] for result in await tried(ada)] == [True, True]

    assert {message.browser for message in at.service.received} == {phone.name, desktop.name}
    (message, _) = at.service.received
    assert message.notification["kind"] == "test"
    assert message.claims["aud"] == at.service.url
    assert message.claims["sub"].startswith("mailto:")
    assert message.headers["ttl"] == "60"
    assert message.headers["urgency"] == "high"
    assert len(message.headers["topic"]) == 32


async def test_a_subscription_says_its_push_service_and_a_digest_and_never_its_endpoint(at, ada):
    browser, made = await subscribed(at, ada)

    shown = await ada.get("/api/push")

    assert shown.json()["data"]["subscriptions"] == [made]
    assert (made["service"], made["current"], made["stale"]) == ("127.0.0.1", True, False)
    assert made["endpoint_sha256"] == hashlib.sha256(browser.endpoint.encode()).hexdigest()
    assert browser.name not in shown.text
    audit = (await ada.get("/audit?action=push_subscribed")).text
    assert browser.name not in audit


async def test_the_same_subscription_again_changes_nothing_and_another_takes_its_place(at, ada):
    browser, first = await subscribed(at, ada)
    again = await ada.post("/api/push/subscriptions", browser.subscription())
    assert again.json()["data"] == first

    _, second = await subscribed(at, ada)

    assert second["subscription_id"] != first["subscription_id"]
    assert [one["subscription_id"] for one in (await state_of(ada))["subscriptions"]] == [second["subscription_id"]]


async def test_another_users_subscription_is_none_of_ones_own(at, ada, eve):
    _, made = await subscribed(at, ada)
    one = made["subscription_id"]

    error(await eve.post(f"/api/push/subscriptions/{one}/remove", {}), 404, "not_found", "no_such_subscription")
    error(await eve.post("/api/push/test", {"subscription_id": one}), 404, "not_found", "no_such_subscription")
    assert (await state_of(eve))["subscriptions"] == []
    assert (await ada.post(f"/api/push/subscriptions/{one}/remove", {})).json() == {"ok": True}
    assert await tried(ada) == []


@pytest.mark.parametrize("how", ["sign out", "revoke", "revoke others", "end the account"])
async def test_a_subscription_ends_with_its_device_however_that_ends(at, ada, how):
    phone = await again(at, ada)
    await subscribed(at, phone)
    match how:
        case "sign out":
            ended = await phone.post("/api/auth/signout")
        case "revoke":
            device = (await phone.get("/api/me")).json()["device"]["device_id"]
            ended = await ada.post(f"/api/devices/{device}/revoke", {})
        case "revoke others":
            ended = await ada.post("/api/devices/revoke-others", {})
        case _:
            ended = await ada.call("DELETE", "/api/me")
    assert ended.status_code == 200, ended.text
    assert await at.world.api.pool.fetchval("select count(*) from api.push_subscription") == 0


async def test_one_that_its_push_service_ended_is_gone_and_its_end_is_in_the_audit(at, ada):
    browser, made = await subscribed(at, ada)
    at.service.forget(browser)

    (result,) = await tried(ada)

    assert (result["sent"], result["failure"], result["status"]) == (False, "ended", 410)
    assert (await state_of(ada))["subscriptions"] == []
    row = await at.world.api.pool.fetchrow("select subject, user_id from api.audit where action = 'push_ended'")
    assert tuple(row) == (f"push:{made['subscription_id']}", ada.user_id)


@pytest.mark.parametrize(
    ("status", "failure"), [(403, "stale"), (413, "refused"), (400, "refused"), (429, "busy"), (503, "unreachable")]
)
async def test_what_a_push_service_says_is_told_by_a_word_and_kept(at, ada, status, failure):
    await subscribed(at, ada)
    at.service.answers.append(Response(b"x" * 100_000, status))

    (result,) = await tried(ada)

    assert (result["sent"], result["failure"], result["status"]) == (False, failure, status)
    assert (await state_of(ada))["subscriptions"][0]["last_failure"] == failure


async def test_a_redirect_is_followed_nowhere(at, ada):
    await subscribed(at, ada)
    at.service.answers.append(Response(status_code=307, headers={"location": f"{at.service.url}/push/elsewhere"}))

    (result,) = await tried(ada)

    assert (result["failure"], result["status"]) == ("refused", 307)
    assert at.service.tries == 1


async def test_a_key_that_was_replaced_makes_subscriptions_stale_and_nothing_is_sent_to_them(at, ada):
    _, made = await subscribed(at, ada)
    key = passing_key()
    room = at.room
    object.__setattr__(room.push, "key", lambda: key)
    room.sender._key = lambda: key  # as when the file is replaced

    state = await state_of(ada)
    assert state["public_key"] == key.public
    assert state["subscriptions"][0]["stale"]
    assert (await tried(ada))[0]["failure"] == "stale"
    assert at.service.tries == 0
    old = {**at.service.subscribe("").subscription(), "public_key": "B" * 87}
    detail = error(await ada.post("/api/push/subscriptions", old), 409, "conflict", "stale_key")
    assert detail["public_key"] == key.public
    _, anew = await subscribed(at, ada, public_key=key.public)
    assert (anew["stale"], anew["subscription_id"] != made["subscription_id"]) == (False, True)


async def test_nobody_has_more_than_twenty_subscriptions(cluster):
    async with pushing(cluster, push_subscriptions=2) as at:
        ada = await at.person("ada")
        for _ in range(2):
            await subscribed(at, await again(at, ada))
        body = at.service.subscribe("").subscription()
        error(await ada.post("/api/push/subscriptions", body), 409, "conflict", "too_many_subscriptions")


async def test_subscribing_and_trying_are_limited(cluster):
    async with pushing(cluster, push_tries_per_minute=2.0) as at:
        ada = await at.person("ada")
        for _ in range(2):
            assert (await ada.post("/api/push/test", {})).status_code == 200
        answer = await ada.post("/api/push/test", {})
        error(answer, 429, "rate_limited", "push_rate")
        assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"endpoint": "x" * 3000}, "endpoint"),
        ({"endpoint": "http://push.example.org/x"}, "endpoint"),
        ({"endpoint": "https://10.0.0.1/x"}, "endpoint"),
        ({"keys": {"p256dh": "A" * 87, "auth": "A" * 22}}, "keys.p256dh"),
        ({"keys": {"p256dh": "not base64", "auth": "A" * 22}}, "keys.p256dh"),
    ],
)
async def test_what_is_no_subscription_is_422_by_field(at, ada, wrong, field):
    body = {**at.service.subscribe("").subscription(), **wrong}
    assert error(await ada.post("/api/push/subscriptions", body), 422, "unprocessable")["field"] == field


async def test_settings_change_by_what_is_said_and_are_ones_own(at, ada, eve):
    assert (await state_of(ada))["settings"] == encode(DEFAULTS)

    said = {"turns": False, "quiet_hours": True, "quiet_from": "23:30", "time_zone": "Europe/Berlin"}
    changed = (await ada.post("/api/push/settings", said)).json()["data"]
    assert changed == {**encode(DEFAULTS), **said}
    assert (await ada.post("/api/push/settings", {"content": False})).json()["data"] == {**changed, "content": False}
    assert (await state_of(ada))["settings"] == {**changed, "content": False}
    assert (await state_of(eve))["settings"] == encode(DEFAULTS)
    for name, wrong in (("quiet_from", "24:00"), ("quiet_to", "7:00"), ("time_zone", "Mars/Olympus")):
        assert error(await ada.post("/api/push/settings", {name: wrong}), 422, "unprocessable")["field"] == name


@pytest.mark.parametrize(
    ("begin", "end", "zone", "quiet"),
    [
        ("22:00", "07:00", "UTC", True),
        ("22:00", "07:00", "America/New_York", False),  # 18:30 there
        ("22:00", "07:00", "Asia/Tokyo", False),  # 07:30 there
        ("18:00", "19:00", "America/New_York", True),
        ("22:30", "23:00", "UTC", True),
        ("22:00", "22:30", "UTC", False),
        ("22:30", "22:30", "UTC", False),
    ],
)
def test_quiet_hours_go_by_the_users_clock_and_over_midnight(begin, end, zone, quiet):
    settings = PushSettings(
        **{**encode(DEFAULTS), "quiet_hours": True, "quiet_from": begin, "quiet_to": end, "time_zone": zone}
    )
    assert is_quiet(settings, datetime(2026, 7, 1, 22, 30, tzinfo=UTC)) is quiet


def test_a_key_signs_and_is_never_said():
    key = PushKey(bytes(31) + b"\x05")
    assert repr(key) == f"PushKey({key.key_id})"
    with pytest.raises(ValueError, match="P-256"):
        PushKey(b"short")


async def test_the_sdk_speaks_all_of_it(at, ada):
    async with RuntimeCodexClient(at.world.api.url, ada.token) as client:
        state = await client.push()
        said = at.service.subscribe(state.public_key).subscription()
        made = await client.subscribe_push(said["endpoint"], PushKeys(**said["keys"]), public_key=state.public_key)
        assert (await client.push()).subscriptions == (made,)
        assert (await client.test_push(made.subscription_id)).results[0].sent
        assert not (await client.change_push(ChangePushSettings(turns=False))).turns
        assert (await client.look_at([ada.worker_id])).expires_in == 60
        assert (await client.look_at([])).expires_in == 0
        await client.remove_push(made.subscription_id)
        assert (await client.test_push()).results == ()


# Answers from a notification.


async def offered(at: PushWorld, who: Person, approval_id: str, role: str = "owner") -> dict[str, str]:
    """Option -> token, as this device's notification has them."""
    room = at.room
    state = await state_of(who)
    (current,) = [one for one in state["subscriptions"] if one["current"]]
    approval = (await who.get(f"/approvals/{approval_id}")).json()["data"]
    options, _until = await room.actions.issue(current["subscription_id"], approval, role, datetime.now(UTC))
    return {option.option_id: option.token for option in options}


async def question(who: Person, number: int = 0, **said: Any) -> str:
    return await ask(await executing(who), who.worker_id, number, **said)


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_answer_is_good_once_and_decides_in_its_users_name(cluster, shape):
    async with pushing(cluster, shape=shape) as at:
        ada = await at.person("ada")
        approval_id = await question(ada)
        await subscribed(at, ada)
        tokens = await offered(at, ada, approval_id)
        assert set(tokens) == {"accept", "decline"}

        answer = await ada.post("/api/push/actions", {"token": tokens["accept"]})

        assert answer.status_code == 200, answer.text
        assert answer.json()["data"]["state"] == "decided"
        assert answer.json()["data"]["decision"]["actor"]["user_id"] == ada.user_id
        for token in tokens.values():
            error(await ada.post("/api/push/actions", {"token": token}), 404, "not_found", "no_such_action")
        row = await at.world.api.pool.fetchrow("select subject, detail from api.audit where action = 'push_answered'")
        assert row["subject"] == f"approval:{approval_id}"


async def test_an_answer_is_good_in_the_session_that_it_went_to_alone(at, ada, eve):
    approval_id = await question(ada)
    await subscribed(at, ada)
    token = (await offered(at, ada, approval_id))["accept"]

    for somebody in (eve, await again(at, ada)):
        error(await somebody.post("/api/push/actions", {"token": token}), 404, "not_found", "no_such_action")
    nobody = await at.world.api.client.post("/api/push/actions", json={"token": token})
    error(nobody, 401, "unauthorized", "no_token")
    kept = await at.world.api.pool.fetch("select row_to_json(a)::text as row from api.push_action a")
    assert all(token not in row["row"] for row in kept)
    assert (await ada.post("/api/push/actions", {"token": token})).status_code == 200


async def test_an_answer_is_over_after_ten_minutes_and_with_its_question(at, ada):
    approval_id = await question(ada, ttl_ms=60_000)
    await subscribed(at, ada)
    tokens = await offered(at, ada, approval_id)
    rows = await at.world.api.pool.fetch("select expires_at from api.push_action")
    asked_at = (await ada.get(f"/approvals/{approval_id}")).json()["data"]["expires_at"]
    assert {row["expires_at"] for row in rows} == {datetime.fromisoformat(asked_at)}

    other = await question(ada, 1)
    first, later = (await offered(at, ada, other))["accept"], datetime.now(UTC) + timedelta(minutes=10, seconds=1)
    assert await at.room.actions.pool.fetchval("select max(expires_at) from api.push_action") < later
    await at.world.api.pool.execute("update api.push_action set expires_at = clock_timestamp()")
    for token in (first, tokens["accept"]):
        error(await ada.post("/api/push/actions", {"token": token}), 404, "not_found", "no_such_action")


@pytest.mark.parametrize("risk", ["high", "unknown"])
async def test_what_takes_a_look_first_offers_no_answer_and_takes_none(at, ada, risk):
    approval_id = await question(ada, risk=risk)
    await subscribed(at, ada)
    assert await offered(at, ada, approval_id) == {}

    other = await question(ada, 1)
    token = (await offered(at, ada, other))["accept"]
    await at.world.api.pool.execute("update api.push_action set approval_id = $1", approval_id)
    error(await ada.post("/api/push/actions", {"token": token}), 403, "forbidden", "look_first")


async def test_a_viewer_is_offered_no_answer(at, ada):
    approval_id = await question(ada)
    await subscribed(at, ada)
    assert await offered(at, ada, approval_id, "viewer") == {}


async def test_an_answer_that_somebody_else_gave_otherwise_is_409(at, ada):
    approval_id = await question(ada)
    await subscribed(at, ada)
    tokens = await offered(at, ada, approval_id)
    assert (await ada.post(f"/approvals/{approval_id}/decision", {"option_id": "decline"})).status_code == 200

    error(await ada.post("/api/push/actions", {"token": tokens["accept"]}), 409, "conflict", "answered_differently")


async def test_an_installation_that_is_reached_from_elsewhere_sends_nothing_to_loopback(cluster):
    async with opened("one process", cluster) as world:
        ada = await person(world, "ada")
        body = PushService().subscribe("").subscription()
        for place in ("http://127.0.0.1:1/x", "https://127.0.0.1/x", "https://localhost/x", "https://[::1]/x"):
            answer = await ada.post("/api/push/subscriptions", {**body, "endpoint": place})
            error(answer, 422, "unprocessable", "forbidden_place")
