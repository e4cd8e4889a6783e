"""Every act of the API leaves a line, in its own transaction, that nobody can change and the runtime is told of."""

from __future__ import annotations

import json

import asyncpg
import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer

from autopilot.api import audit
from autopilot.api.audit import Caller
from autopilot.api.audit_outbox import THE_API
from autopilot.contract.errors import Unavailable
from autopilot.contract.port import RuntimeResponse


async def lines(api: ServedApi) -> list[dict]:
    return [dict(row) for row in await api.pool.fetch("select * from api.audit order by audit_no")]


async def untold(api: ServedApi) -> int:
    return await api.pool.fetchval("select count(*) from api.untold_audit")


def handed(runtime: EchoRuntime) -> list[str]:
    bodies = [json.loads(call.body) for call in runtime.audited]
    return [record["action"] for body in bodies for record in body["records"]]


async def test_a_sign_in_names_user_device_session_address_and_request(api: ServedApi):
    signed = await api.sign_in("ada@example.org", **{"x-request-id": "req-1", "x-autopilot-surface": "ios"})
    me = (await api.client.get("/api/me", headers=bearer(signed["token"]))).json()

    requested, signed_in = await lines(api)
    assert (requested["action"], requested["outcome"], requested["subject"]) == (
        "code_requested",
        "done",
        audit.address_subject(api.app.state.api.codes.keys()[0], "ada@example.org"),
    )
    assert "ada@example.org" not in repr(await lines(api))
    assert requested["user_id"] is None
    assert (signed_in["user_id"], signed_in["device_id"]) == (signed["userId"], me["device"]["device_id"])
    assert signed_in["session_id"].startswith("ses_")
    assert (signed_in["surface"], signed_in["address"], signed_in["x_request_id"]) == ("ios", "127.0.0.1", "req-1")


async def test_a_refused_code_is_a_line_though_nobody_signed_in(api: ServedApi):
    await api.client.post("/api/auth/verify", json={"email": "ada@example.org", "code": "00000000"})

    (refused,) = await lines(api)
    assert (refused["action"], refused["outcome"], refused["user_id"]) == ("code_refused", "refused", None)


async def test_an_act_that_is_rolled_back_leaves_no_line(api: ServedApi):
    async with api.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await audit.record(connection, "signed_in", Caller())
        await transaction.rollback()

    assert await lines(api) == []
    assert await untold(api) == 0


@pytest.mark.parametrize(
    "statement", ["update api.audit set user_id = 1", "delete from api.audit", "truncate api.audit cascade"]
)
async def test_the_database_itself_lets_nobody_change_a_line(api: ServedApi, statement: str):
    await api.mint()

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await api.pool.execute(statement)


async def test_a_detail_is_redacted_and_small(api: ServedApi):
    async with api.pool.acquire() as connection, connection.transaction():
        await audit.record(connection, "signed_in", Caller(), detail={"refresh_token": "x", "scopes": ["observe"]})
        await audit.record(connection, "signed_in", Caller(), detail={"text": "x" * 5000})

    assert [json.loads(line["detail"]) for line in await lines(api)] == [
        {"refresh_token": "[redacted]", "scopes": ["observe"]},
        {"left_out": True},
    ]


async def test_the_runtime_is_told_every_line_in_order_and_then_no_more(api: ServedApi):
    await api.sign_in("ada@example.org")
    await api.app.state.api.audit.tell()

    assert handed(api.runtime)[-2:] == ["code_requested", "signed_in"]
    told = api.runtime.audited[0]
    assert (told.method, told.claims) == ("POST", THE_API)
    assert await untold(api) == 0
    assert await api.app.state.api.audit.tell() == 0


@pytest.mark.parametrize("status", [None, 503])
async def test_what_a_runtime_that_is_away_was_not_told_stays_until_it_is_back(api: ServedApi, status: int | None):
    async def away(_request):
        if status is None:
            raise Unavailable("away", reason_code="runtime_unreachable", outcome="not_recorded")
        return RuntimeResponse(status, {}, b"{}")

    api.runtime.answer = away
    await api.sign_in("ada@example.org")
    assert await api.app.state.api.audit.tell() == 0
    assert await untold(api) == 2

    api.runtime.answer = None
    await api.app.state.api.audit.tell()
    assert await untold(api) == 0
