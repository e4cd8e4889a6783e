"""Refusals are in the audit: who, what and why. A flood of equal ones is a line or two, and nobody waits for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, serving

from autopilot.api import opaque, refusals
from autopilot.api.address import Addresses
from autopilot.api.grants import Grant, unknown_token
from autopilot.api.refusals import Refusals
from autopilot.api.settings import ApiSettings, Limits
from autopilot.contract.errors import Forbidden, Problem, RateLimited
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.testing.clock import FakeClock

ADA = "ada@example.org"
WORKERS = "/api/runtime/codex/workers"


@pytest.fixture
async def api(database: str) -> AsyncIterator[ServedApi]:
    settings = ApiSettings(sign_ins_per_minute=6000.0, trusted_proxies="127.0.0.1", sign_up="open")
    async with serving(database, EchoRuntime(), settings=settings, limits=Limits(remember_seconds=0.0)) as served:
        yield served


async def lines(api: ServedApi) -> list[dict[str, Any]]:
    """The refusals that are written down, all of them."""
    await api.app.state.api.refusals.tell(everything=True)
    rows = await api.pool.fetch("select * from api.audit where action = 'call_refused' order by audit_no")
    return [{**row, "detail": json.loads(row["detail"])} for row in rows]


async def refuse(request: RuntimeRequest) -> RuntimeResponse:
    """A runtime that lets nobody do anything."""
    reason = "policy_denied.method" if request.path.endswith("/requests") else "role"
    body = Forbidden("no", reason_code=reason).body()
    return RuntimeResponse(403, {"content-type": "application/json"}, json.dumps(body).encode())


async def test_a_refusal_of_the_runtime_names_who_asked_for_what_and_why(api: ServedApi):
    signed = await api.sign_in(ADA, **{"x-autopilot-surface": "ios"})
    api.runtime.answer = refuse
    headers = bearer(signed["token"]) | {"x-request-id": "req-7", "x-forwarded-for": "203.0.113.5"}
    await api.client.get(f"{WORKERS}/desktopw%3A1/stream", headers=headers)

    (line,) = await lines(api)
    assert (line["outcome"], line["user_id"], line["surface"]) == ("refused", signed["userId"], "ios")
    assert (line["device_id"][:4], line["session_id"][:4]) == ("dev_", "ses_")
    assert (line["address"], line["x_request_id"], line["subject"]) == ("203.0.113.5", "req-7", "worker:desktopw:1")
    assert line["detail"] == {
        "reason_code": "role",
        "status": 403,
        "method": "GET",
        "path": "/workers/{worker_id}/stream",
        "times": 1,
    }


async def test_a_scope_that_is_too_small_a_foreign_page_an_unknown_host_and_a_rate_that_is_passed_are_told(
    api: ServedApi,
):
    minted = await api.mint(ADA, "observe")
    assert (await api.client.post("/api/teams", json={"name": "x"}, headers=bearer(minted.token))).status_code == 403
    await api.client.get("/api/me", headers={"origin": "https://evil.example.com"})
    await api.client.get("/api/me", headers={"host": "evil.example.com"})
    for _ in range(int(Limits().strangers_burst) + 20):
        await api.client.get("/api/me", headers=bearer("made-up"))

    told = {line["detail"]["reason_code"]: line for line in await lines(api)}
    assert set(told) == {"scope", "foreign_origin", "unknown_host", "unknown_tokens"}
    assert told["scope"]["user_id"] == minted.userId
    assert [told[name]["user_id"] for name in ("foreign_origin", "unknown_host", "unknown_tokens")] == [None] * 3
    assert told["unknown_tokens"]["detail"]["times"] >= 1
    assert {line["address"] for line in told.values()} == {"127.0.0.1"}


async def test_who_goes_on_with_a_token_of_an_ended_session_is_named_and_a_made_up_or_old_one_is_not(api: ServedApi):
    signed, phone = await api.sign_in(ADA), await api.mint(ADA, "observe")
    assert (await api.client.post("/api/devices/revoke-others", headers=bearer(signed["token"]))).status_code == 200
    old = await api.mint(ADA, "observe")
    sql = "update api.access_token set expires_at = now() where token_digest = $1"
    await api.pool.execute(sql, opaque.token_digest(old.token))

    for token in (phone.token, phone.token, old.token, "made-up", signed["refresh_token"]):
        assert (await api.client.get("/api/me", headers=bearer(token))).status_code == 401
    body = {"refresh_token": phone.refresh_token}
    assert (await api.client.post("/api/auth/refresh", json=body)).status_code == 401

    told = [(line["detail"]["reason_code"], line["detail"]["times"], line["user_id"]) for line in await lines(api)]
    assert told == [("token_refused", 2, phone.userId), ("sign_in_again", 1, phone.userId)]


async def test_what_has_a_line_or_an_event_of_its_own_is_not_told_twice(api: ServedApi):
    signed = await api.sign_in(ADA)
    body = {"refresh_token": signed["refresh_token"]}
    first = (await api.client.post("/api/auth/refresh", json=body)).json()
    await api.client.post("/api/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert (await api.client.post("/api/auth/refresh", json=body)).status_code == 401
    api.runtime.answer = refuse
    again = await api.sign_in(ADA)
    asked = {"request": {"request_id": "r", "method": "turn/start"}}
    await api.client.post(f"{WORKERS}/w/requests", json=asked, headers=bearer(again["token"]))
    await api.client.post("/api/auth/verify", json={"email": ADA, "code": "00000000"})

    assert await lines(api) == []
    actions = [row["action"] for row in await api.pool.fetch("select action from api.audit where outcome = 'refused'")]
    assert sorted(actions) == ["code_refused", "refresh_reused"]


async def test_what_is_left_is_written_down_when_the_server_ends(database: str):
    async with serving(database, EchoRuntime()) as api:
        api.runtime.answer = refuse
        token = (await api.sign_in(ADA))["token"]
        for _ in range(3):
            await api.client.get(f"{WORKERS}/w", headers=bearer(token))
    async with serving(database, EchoRuntime()) as api:
        rows = await api.pool.fetch("select detail from api.audit where action = 'call_refused'")
    assert sum(json.loads(row["detail"])["times"] for row in rows) == 3


# Folding, by a clock that is told the time.


class Book:
    """Refusals as they come in, without a server."""

    def __init__(self, api: ServedApi) -> None:
        self.api = api
        self.clock = FakeClock()
        self.refusals = Refusals(api.pool, Addresses(), self.clock)

    def refuse(
        self, problem: Problem, *, user: int | None = None, address: str = "192.0.2.1", worker: str = "w"
    ) -> None:
        scope: dict[str, Any] = {"client": (address, 1), "headers": [], "method": "GET", "state": {}}
        scope["route"] = _Route()
        scope["raw_path"] = f"/api/runtime/codex/workers/{worker}".encode()
        if user is not None:
            claims = Claims(user_id=user, device_id=f"dev_{user}", session_id=f"ses_{user}")
            scope["state"]["grant"] = Grant(b"", f"ses_{user}", claims, None, False, None, 0.0)
        self.refusals.refused(scope, problem)

    async def lines(self) -> list[tuple[str, str | None, int]]:
        """Address, subject and number of each line."""
        await self.refusals.tell()
        rows = await self.api.pool.fetch("select * from api.audit where action = 'call_refused' order by audit_no")
        return [(row["address"], row["subject"], json.loads(row["detail"])["times"]) for row in rows]


class _Route:
    path = "/workers/{worker_id}"


ROLE = Forbidden("no", reason_code="role")
RATE = RateLimited("no", reason_code="session_rate", retry_after_seconds=1.0)


@pytest.fixture
def book(api: ServedApi) -> Book:
    return Book(api)


async def test_a_flood_of_equal_refusals_is_a_line_at_once_and_one_with_their_number_ten_minutes_later(book: Book):
    book.refuse(ROLE, user=None)
    assert await book.lines() == [("192.0.2.1", "worker:w", 1)]
    for number in range(10_000):
        book.refuse(ROLE, worker=f"w{number % 7}")
    assert len(await book.lines()) == 1
    await book.clock.advance(refusals.WINDOW_SECONDS - 1)
    assert len(await book.lines()) == 1
    await book.clock.advance(1)
    assert (await book.lines())[1:] == [("192.0.2.1", "worker:w", 10_000)]
    detail = await book.api.pool.fetchval("select detail from api.audit order by audit_no desc limit 1")
    assert json.loads(detail)["others"] is True
    book.refuse(ROLE)
    assert (await book.lines())[2:] == [("192.0.2.1", "worker:w", 1)]


async def test_kinds_without_end_are_counted_together_and_hide_no_users_refusal(book: Book):
    for number in range(5000):
        book.refuse(RATE, address=f"198.51.{number // 256}.{number % 256}")
    book.refuse(ROLE, user=7)

    told = await book.lines()
    assert len(told) == refusals.KINDS_OF_ADDRESSES + 2
    assert ("many", None, 5000 - refusals.KINDS_OF_ADDRESSES) in told
    assert ("192.0.2.1", "worker:w", 1) in told
    for number in range(5000):
        book.refuse(ROLE, user=1000 + number)
    assert len(await book.lines()) == refusals.KINDS_OF_ADDRESSES + 2 + refusals.KINDS_OF_PRINCIPALS
    await book.clock.advance(refusals.WINDOW_SECONDS)
    assert sum(times for *_, times in await book.lines()) == 10_001
    assert (book.refusals._tallies, book.refusals._of_principals) == ({}, 0)


async def test_a_flush_that_fails_loses_no_refusal_of_an_ended_session(book: Book, api: ServedApi):
    token = (await api.sign_in("ada@example.org"))["token"]
    assert (await api.client.post("/api/auth/signout", headers=bearer(token))).status_code == 200
    scope: dict[str, Any] = {"client": ("192.0.2.1", 1), "headers": [], "method": "GET", "route": _Route()}
    scope |= {"raw_path": b"/api/runtime/codex/workers/w", "state": {"refused_token": opaque.token_digest(token)}}
    ended = unknown_token()
    for _ in range(3):
        book.refusals.refused(scope, ended)

    async def failing(*args: Any) -> Any:
        book.refusals.refused(scope, ended)  # another comes while the database is asked
        await api.pool.fetch(*args)
        raise ConnectionResetError("gone")

    book.refusals.pool = cast("asyncpg.Pool", SimpleNamespace(fetch=failing))  # its own: the server tells meanwhile
    with pytest.raises(ConnectionResetError):
        await book.refusals.tell()
    book.refusals.pool = api.pool

    assert [times for _, _, times in await book.lines()] == [4]
    assert book.refusals._ended == {}


async def test_what_a_client_writes_into_a_path_reaches_the_audit_as_an_id_or_not_at_all(book: Book):
    written = ("ok%3A1", "a%0Ab", "%00", "x" * 200, "%2e%2e", "a b", "'; drop table api.audit; --")
    for number, worker in enumerate(written, 1):
        book.refuse(ROLE, user=number, worker=worker)

    subjects = {subject for _, subject, _ in await book.lines()}
    assert subjects == {"worker:ok:1", "worker:..", None}
