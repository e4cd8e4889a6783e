"""Somebody who guesses codes is noticed: in the metrics, once in the log, once in the audit."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, serving
from tests.waiting import until

from autopilot.api import alarm, audit
from autopilot.api.settings import ApiSettings
from autopilot.testing.postgres import TestCluster


@pytest.fixture
async def proxied(cluster: TestCluster) -> AsyncIterator[ServedApi]:
    settings = ApiSettings(sign_ins_per_minute=25.0, trusted_proxies="127.0.0.1", sign_up="open")
    async with cluster.database() as dsn, serving(dsn, EchoRuntime(), settings=settings) as served:
        yield served


async def guess(api: ServedApi, *, address: str, email: str) -> int:
    headers = {"x-forwarded-for": address}
    answer = await api.client.post("/api/auth/verify", json={"email": email, "code": "00000000"}, headers=headers)
    return answer.status_code


async def noticed(api: ServedApi) -> list[tuple[str, str]]:
    """In the audit, once what was noticed is written down."""
    await api.app.state.api.alarm.tell()
    return await written(api)


async def written(api: ServedApi) -> list[tuple[str, str]]:
    rows = await api.pool.fetch("select subject, address from api.audit where action = 'guessing_noticed' order by 1")
    return [(row["subject"], row["address"]) for row in rows]


async def metric(api: ServedApi, name: str) -> float:
    lines = (await api.client.get("/metrics")).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


async def test_an_address_that_guesses_is_noticed_once(proxied: ServedApi):
    codes = [await guess(proxied, address="203.0.113.5", email=f"u{n}@example.org") for n in range(30)]

    assert set(codes[:25]) == {401}
    assert codes[-1] == 429
    assert await noticed(proxied) == [("address:203.0.113.5", "203.0.113.5")]
    assert await metric(proxied, 'autopilot_sign_in_refusals_total{reason="code"}') >= 25
    assert await metric(proxied, 'autopilot_sign_in_refusals_total{reason="rate"}') >= 1
    assert await metric(proxied, 'autopilot_sign_in_alarms_total{by="address"}') == 1


async def test_guesses_at_one_person_from_many_addresses_are_noticed_too(proxied: ServedApi):
    for n in range(alarm.OF_AN_EMAIL + 3):
        await guess(proxied, address=f"198.51.100.{n}", email="ada@example.org")

    ada = audit.address_subject(proxied.app.state.api.codes.keys()[0], "ada@example.org")
    assert await noticed(proxied) == [(ada, f"198.51.100.{alarm.OF_AN_EMAIL}")]


async def test_many_addresses_that_guess_at_many_people_are_noticed_by_their_sum(
    proxied: ServedApi, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(proxied.app.state.api.codes.alarm._limits, "all", alarm.Limit(1 / 600, 8, lambda: 0.0))
    for n in range(10):
        await guess(proxied, address=f"198.51.100.{n}", email=f"u{n}@example.org")

    assert await noticed(proxied) == [("all", "198.51.100.8")]


async def test_what_the_limit_of_calls_noticed_is_in_the_audit_by_itself(proxied: ServedApi):
    calls = {"x-forwarded-for": "203.0.113.5"}
    for _ in range(25 + alarm.OF_AN_ADDRESS + 1):
        await proxied.client.post("/api/auth/email", json={"email": "no address"}, headers=calls)
    assert await metric(proxied, 'autopilot_sign_in_alarms_total{by="address"}') == 1

    await until(lambda: written(proxied))
    assert await written(proxied) == [("address:203.0.113.5", "203.0.113.5")]


async def test_what_was_noticed_is_kept_while_it_can_not_be_written_and_beyond_its_bound_counted(
    proxied: ServedApi, monkeypatch: pytest.MonkeyPatch
):
    watching = proxied.app.state.api.alarm
    monkeypatch.setattr(alarm, "UNWRITTEN", 3)
    record = audit.record
    away = True

    async def failing(*args: object, **rest: object) -> None:
        await record(*args, **rest)  # so that a transaction is rolled back with lines in it
        if away:
            raise ConnectionResetError("gone")

    monkeypatch.setattr(alarm.audit, "record", failing)
    async with watching._telling:  # until all of it was noticed, nothing is written
        for number in range(5):
            for _ in range(alarm.OF_AN_ADDRESS + 1):
                watching.refused(audit.Caller(f"203.0.113.{number}"), None)
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            await watching.tell()
    assert await written(proxied) == []

    away = False

    assert await noticed(proxied) == [(f"address:203.0.113.{n}", f"203.0.113.{n}") for n in range(3)] + [(None, "many")]
    times = "select (detail::json ->> 'times')::int from api.audit where address = 'many'"
    assert await proxied.pool.fetchval(times) == 2
    assert len(await noticed(proxied)) == 4, "each is written once"


async def test_refreshes_over_their_limit_are_no_guesses(proxied: ServedApi):
    calls = {"x-forwarded-for": "203.0.113.5"}
    for _ in range(25 + alarm.OF_AN_ADDRESS + 5):
        answer = await proxied.client.post("/api/auth/refresh", json={"refresh_token": "apr_x"}, headers=calls)
    assert answer.status_code == 429

    assert await metric(proxied, "autopilot_sign_in_alarms_total{") == 0
    assert await metric(proxied, 'autopilot_sign_in_refusals_total{reason="rate"}') == 0


async def test_steps_up_over_their_limit_are_noticed(proxied: ServedApi):
    token = (await proxied.sign_in("ada@example.org"))["token"]
    for _ in range(25 + alarm.OF_AN_ADDRESS + 5):
        answer = await proxied.client.post(
            "/api/auth/step-up", json={"code": "00000000"}, headers=bearer(token) | {"x-forwarded-for": "203.0.113.5"}
        )
    assert answer.status_code == 429
    assert await metric(proxied, 'autopilot_sign_in_alarms_total{by="address"}') == 1


async def test_someone_who_mistypes_is_not(proxied: ServedApi):
    for _ in range(4):
        await guess(proxied, address="203.0.113.5", email="ada@example.org")

    assert await noticed(proxied) == []
