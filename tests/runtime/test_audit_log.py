"""The audit log: handed over once however often it is told, sealed in the one chain, searched by those who may."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from autopilot.api.audit_outbox import THE_API
from autopilot.contract.port import Claims
from autopilot.ops.clock import SystemClock
from autopilot.runtime import audit_routes
from autopilot.runtime.app import Runtime
from autopilot.runtime.audit_log import SQL
from autopilot.runtime.audit_routes import END_OF_TIME
from autopilot.runtime.requests_methods import STOP
from autopilot.runtime.seal import Sealer
from autopilot.runtime.seal_audit import AuditLog
from autopilot.runtime.seal_keys import PublicKeys
from autopilot.runtime.seal_verify import Report, Verifier
from autopilot.runtime.seal_workers import WorkerLogs
from autopilot.runtime.workers import EPOCH
from autopilot.testing.machines import Companion
from autopilot.testing.runtime import OBSERVER, OWNER, STRANGER, batch, call, draft, insert_worker

ADMIN = Claims(user_id=9, device_id="device-9", scopes=frozenset({"admin"}), surface="cli", step_up=True)


def line(number: int, **more: Any) -> dict[str, Any]:
    said = {"action": "signed_in", "outcome": "done", "user_id": 1, "surface": "ios", "address": "192.0.2.1"}
    return {"audit_id": f"aud_{number}", "at": f"2026-11-22T07:16:{number:02}Z", **said, **more}


async def hand_over(runtime: Runtime, *lines: dict[str, Any], claims: Claims = THE_API) -> Any:
    return await call(runtime, "POST", "/audit/records", {"records": lines}, claims=claims)


async def searched(runtime: Runtime, query: str = "", claims: Claims = OWNER) -> list[dict[str, Any]]:
    answer = await call(runtime, "GET", "/audit", query=query, claims=claims)
    assert answer.status == 200, answer.body
    return answer.json["data"]


async def verify(runtime: Runtime) -> Report:
    async with runtime.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        return await Verifier(conn, PublicKeys([Sealer(runtime.pool, b"s" * 32, SystemClock()).key.public])).verify()


@pytest.fixture
async def sealed(runtime: Runtime) -> Runtime:
    """Three lines of the audit and an event, all sealed."""
    await hand_over(runtime, line(1), line(2, action="device_revoked", subject="device:x"), line(3, user_id=2))
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("e1")))
    sealer = Sealer(runtime.pool, b"s" * 32, SystemClock())  # these wait for the turn of the one in the background
    await sealer.seal_log(AuditLog(), "audit", 3)
    await sealer.seal_log(WorkerLogs(), "w", 1)
    return runtime


async def alter(runtime: Runtime, statement: str) -> None:
    """What somebody who owns the tables can do."""
    async with runtime.pool.acquire() as conn, conn.transaction():
        await conn.execute("alter table audit_entry disable trigger user")
        await conn.execute(statement)
        await conn.execute("alter table audit_entry enable trigger user")


async def test_lines_that_are_told_twice_are_there_once_and_without_gaps(runtime: Runtime) -> None:
    assert (await hand_over(runtime, line(1), line(2))).data == {"added": 2}
    assert (await hand_over(runtime, line(2), line(3), line(3))).data == {"added": 1}

    rows = await runtime.pool.fetch("select seq, audit_id from audit_entry order by seq")
    assert [tuple(row) for row in rows] == [(1, "aud_1"), (2, "aud_2"), (3, "aud_3")]


@pytest.mark.parametrize(
    "claims", [OWNER, ADMIN, Claims(guest_scope="audit"), Claims(guest_scope="x", surface="runtime")]
)
async def test_nobody_but_the_api_hands_over_lines(runtime: Runtime, claims: Claims) -> None:
    assert (await hand_over(runtime, line(1), claims=claims)).status == 403
    assert await runtime.pool.fetchval("select count(*) from audit_entry") == 0


async def test_what_are_no_lines_is_refused_whole(runtime: Runtime) -> None:
    for body in (
        b"",
        b"[]",
        b'{"records":[{"audit_id":"a"}]}',
        b'{"records":[{"audit_id":1,"action":"x","outcome":"y"}]}',
    ):
        answer = await call(runtime, "POST", "/audit/records", body, claims=THE_API)
        assert (answer.status, answer.reason) == (400, "malformed_json")


async def test_the_audit_and_the_workers_logs_are_in_one_chain_that_verifies(sealed: Runtime) -> None:
    report = await verify(sealed)

    assert report.findings == []
    assert (report.logs, report.seals, report.events) == (2, 2, 4)
    sources = [row["source"] for row in await sealed.pool.fetch("select source from seal order by seal_no")]
    assert sorted(sources) == ["audit", "worker"]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("update audit_entry set user_id = 2 where seq = 1", "altered"),
        ("update audit_entry set user_id = null where seq = 1", "altered"),
        ("update audit_entry set detail = '{\"x\":1}' where seq = 2", "altered"),
        ("update audit_entry set at = at + interval '1 microsecond' where seq = 2", "altered"),
        ("update audit_entry set address = null, x_request_id = address where seq = 2", "altered"),
        ("delete from audit_entry where seq = 2", "removed"),
        ("delete from audit_entry where seq = 3; update audit_head set latest_seq = 2", "cut_off"),
        ("delete from audit_head", "log_removed"),
    ],
)
async def test_any_change_of_a_line_is_found(sealed: Runtime, statement: str, kind: str) -> None:
    await alter(sealed, statement)

    assert [finding.kind for finding in (await verify(sealed)).findings][:1] == [kind]


@pytest.mark.parametrize(
    "statement", ["update audit_entry set user_id = 2", "delete from audit_entry", "truncate audit_entry"]
)
async def test_the_database_itself_lets_nobody_change_a_line(sealed: Runtime, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await sealed.pool.execute(statement)


async def test_one_sees_ones_own_acts_and_an_admin_everybodys(sealed: Runtime) -> None:
    assert [found["id"] for found in await searched(sealed)] == ["aud_2", "aud_1"]
    assert [found["id"] for found in await searched(sealed, claims=STRANGER)] == ["aud_3"]
    assert [found["id"] for found in await searched(sealed, claims=ADMIN)] == ["aud_3", "aud_2", "aud_1"]
    assert [found["id"] for found in await searched(sealed, "user_id=2", ADMIN)] == ["aud_3"]
    refused = await call(sealed, "GET", "/audit", query="user_id=2", claims=OBSERVER)
    assert (refused.status, refused.reason) == (403, "scope")
    executor = Claims(user_id=1, machine_id="m", scopes=frozenset({"execute"}))
    assert (await call(sealed, "GET", "/audit", claims=executor)).status == 403


async def test_a_line_says_who_where_and_which_seal_covers_it(sealed: Runtime) -> None:
    found = (await searched(sealed))[0]

    assert (found["action"], found["subject"], found["address"]) == ("device_revoked", "device:x", "192.0.2.1")
    assert (found["actor"]["user_id"], found["actor"]["surface"], found["at"]) == (
        1,
        "ios",
        "2026-11-22T07:16:02.000000Z",
    )
    assert found["seal"] == await sealed.pool.fetchval("select seal_no from seal where source = 'audit'")


async def test_the_search_narrows_and_pages_through_everything_once(runtime: Runtime) -> None:
    await hand_over(runtime, *(line(n, x_request_id=f"r{n % 2}", device_id=f"d{n % 3}") for n in range(20)))

    assert len(await searched(runtime, "x_request_id=r1")) == 10
    assert len(await searched(runtime, "device_id=d0")) == 7
    assert len(await searched(runtime, "action=signed_in")) == 20
    assert len(await searched(runtime, "action=other")) == 0
    between = await searched(runtime, "from=2026-11-22T07:16:05Z&to=2026-11-22T07:16:08Z")
    assert [found["id"] for found in between] == ["aud_7", "aud_6", "aud_5"]
    seen, query = [], "limit=7"
    while True:
        answer = await call(runtime, "GET", "/audit", query=query)
        seen += [found["id"] for found in answer.json["data"]]
        if answer.json["next"] is None:
            break
        query = f"limit=7&before={answer.json['next']}"
    assert seen == [f"aud_{n}" for n in range(19, -1, -1)]


async def test_the_search_narrows_by_surface_and_outcome(runtime: Runtime) -> None:
    await hand_over(runtime, line(1), line(2, surface="web"), line(3, surface="web", outcome="refused"))

    assert [found["id"] for found in await searched(runtime, "surface=web")] == ["aud_3", "aud_2"]
    assert [found["id"] for found in await searched(runtime, "outcome=refused")] == ["aud_3"]
    assert [found["id"] for found in await searched(runtime, "surface=ios&outcome=done")] == ["aud_1"]


async def test_a_text_is_looked_for_in_so_many_lines_at_a_time(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_routes, "LOOKED_AT_ONCE", 3)
    monkeypatch.setattr(audit_routes, "MOST_LOOKED_AT", 6)
    await hand_over(runtime, line(0, subject="device:Büro"), *(line(n) for n in range(1, 10)), line(10, user_id=2))

    first = await call(runtime, "GET", "/audit", query="text=b%C3%BCRO")
    assert first.json["data"] == []
    second = await call(runtime, "GET", "/audit", query=f"text=b%C3%BCRO&before={first.json['next']}")
    assert ([found["id"] for found in second.json["data"]], second.json["next"]) == (["aud_0"], None)
    page = await call(runtime, "GET", "/audit", query="text=SIGNED&limit=2")
    assert [found["id"] for found in page.json["data"]] == ["aud_9", "aud_8"]
    following = await call(runtime, "GET", "/audit", query=f"text=SIGNED&limit=2&before={page.json['next']}")
    assert [found["id"] for found in following.json["data"]] == ["aud_7", "aud_6"]


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "to=2026-11-22T07:16:05",
        "action=",
        "before=x",
        "limit=0",
        "user_id=0",
        "outcome=maybe",
        "surface=",
        "text=",
    ],
)
async def test_what_makes_no_sense_is_refused_by_field(runtime: Runtime, query: str) -> None:
    answer = await call(runtime, "GET", "/audit", query=query)

    assert (answer.status, answer.json["error"]["details"][0]["field"]) == (422, query.partition("=")[0])


async def test_policies_machines_requests_and_decisions_are_in_it_in_one_form(runtime: Runtime) -> None:
    companion = Companion(runtime)
    await companion.register()
    await companion.register()
    await insert_worker(runtime, "w")
    body = {"subject": "user", "format": "toml", "text": "[methods]\ndeny = ['review/start']\n", "expected_version": 0}
    answer = await call(runtime, "POST", "/policies", body, headers={"x-request-id": "r-policy"})
    assert answer.status == 200, answer.body
    asked = {"request": {"request_id": "r1", "method": "turn/start", "params": {"text": "secret words"}}}
    await call(runtime, "POST", "/workers/w/requests", asked, query="wait_ms=0")

    lines = await searched(runtime)

    told = {found["action"]: found for found in lines}
    assert [found["action"] for found in lines] == ["request", "policy_set", "machine_registered"]
    assert (told["policy_set"]["x_request_id"], told["policy_set"]["detail"]["version"]) == ("r-policy", 1)
    assert told["request"]["detail"] == {"request_id": "r1", "method": "turn/start", "state": "accepted"}
    assert told["request"]["actor"]["device_id"] == "device-1"
    assert "secret words" not in str(lines)


@pytest.mark.parametrize("query", ["user_id=1", "x_request_id=r", "device_id=d"])
async def test_a_search_reads_what_it_is_for_and_not_everybodys_lines(runtime: Runtime, query: str) -> None:
    name, _, value = query.partition("=")
    chosen = [int(value) if name == "user_id" else None, None, None]
    chosen += [value if name == wanted else None for wanted in ("x_request_id", "device_id")]
    async with runtime.pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute(SQL.custom_plans)
        # The tables are empty, where any plan is as good: what reads everybody's lines is taken away.
        await conn.execute("set local enable_seqscan = off; drop index receipt_created, approval_decided_at")
        explained = await conn.fetch(
            "explain " + SQL.search, *chosen, EPOCH, END_OF_TIME, None, None, 101, STOP, None, None
        )
        await transaction.rollback()
    plan = "\n".join(row[0] for row in explained)

    used = {"user_id": "user", "x_request_id": "call", "device_id": "device"}[name]
    assert f"receipt_{used}" in plan, plan
    assert f"approval_{used}" in plan, plan
