"""Every code and every named reason of section 3, reached over the public API."""

from __future__ import annotations

import json
import re

import pytest
from tests.api.contract.world import BASE, Person, World, error
from tests.api.served import bearer, raw, serving

from autopilot.api.settings import ApiSettings, Limits
from autopilot.contract.errors import Problem
from autopilot.ops.clock import SystemClock
from autopilot.runtime.retention import Retention

EVENT = {"event": {"event_type": "worker.event", "payload": {}}}


def test_no_error_of_the_table_is_left_out():
    named = {int(status) for name in globals() for status in re.findall(r"(?<=_)[45]\d\d(?=_)", name)}

    assert named == {status for status in Problem.by_status if status != 500}


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("cursor=x", {}),
        ("cursor=-1", {}),
        ("cursor=1.5", {}),
        ("cursor=", {}),
        ("cursor=1", {"last-event-id": "2"}),
        ("", {"last-event-id": "x"}),
        ("cursor=99999999999999999999999", {}),
    ],
)
async def test_400_a_cursor_that_is_none_or_two(ada: Person, query: str, headers: dict[str, str]):
    answer = await ada.get(f"/workers/{ada.worker_id}/stream?tail_ms=1&{query}", headers=headers)
    error(answer, 400, "invalid_request")


NO_EVENTS: list[object] = [
    {"event": {"event_type": "codex.event"}},
    {"event": {}},
    {"event": {"event_type": 7}},
    {"event": []},
    {"events": {}},
    {"event": EVENT["event"], "events": [EVENT["event"]]},
    {},
]


@pytest.mark.parametrize("body", NO_EVENTS)
async def test_400_an_event_that_is_none(ada: Person, body: object):
    error(await ada.post(f"/workers/{ada.worker_id}/events", body), 400, "invalid_request")


@pytest.mark.parametrize("body", [{"request": {}}, {"request": {"params": {}}}, {}, {"request": None}])
async def test_400_a_request_without_a_method(ada: Person, body: object):
    error(await ada.post(f"/workers/{ada.worker_id}/requests", body), 400, "invalid_request")


async def test_401_without_a_token_and_with_one_that_was_signed_out(world: World, ada: Person):
    error(await world.api.client.get("/api/runtime/codex/workers"), 401, "unauthorized", "no_token")
    await ada.post("/api/auth/signout")
    error(await ada.get("/workers"), 401, "unauthorized", "token_refused")


async def test_403_a_role_that_is_not_there(ada: Person, eve: Person):
    error(await eve.get(f"/workers/{ada.worker_id}"), 403, "forbidden", "role")


async def test_403_a_scope_too_small(world: World, ada: Person):
    token = (await world.api.mint(ada.email, "observe")).token
    answer = await world.api.client.post(
        f"/api/runtime/codex/workers/{ada.worker_id}/events", json=EVENT, headers=bearer(token)
    )
    error(answer, 403, "forbidden", "scope")


@pytest.mark.parametrize("event_type", ["worker.started", "worker.request.received", "worker.lease.claimed"])
async def test_403_an_event_type_that_is_the_runtimes(ada: Person, event_type: str):
    body = {"event": {"event_type": event_type, "payload": {}}}
    error(await ada.post(f"/workers/{ada.worker_id}/events", body), 403, "forbidden", "event_type")


async def test_403_what_only_a_lease_holder_appends_once_there_was_one(ada: Person):
    machine = await ada.machine()
    await machine.post(f"/workers/{ada.worker_id}/lease", {"machine_id": machine.worker_id, "ttl_ms": 60000})

    body = {"event": {"event_type": "worker.usage", "payload": {}}}
    error(await ada.post(f"/workers/{ada.worker_id}/events", body), 403, "forbidden")


async def test_403_what_a_policy_says_no_to_again_and_again(ada: Person):
    body = {"request": {"request_id": "r", "method": "thread/shellCommand", "params": {}}}
    for _ in range(2):
        detail = error(await ada.post(f"/workers/{ada.worker_id}/requests", body), 403, "forbidden")
        assert detail["reason_code"].startswith("policy_denied.")
    assert (await ada.get(f"/workers/{ada.worker_id}/requests/r")).json()["data"]["state"] == "rejected"


async def test_404_no_worker_no_request_no_machine_no_route(ada: Person):
    error(await ada.get("/workers/nobody"), 404, "not_found", "no_such_worker")
    error(await ada.get(f"/workers/{ada.worker_id}/requests/none"), 404, "not_found", "no_such_request")
    error(await ada.post("/machines/none/requests", {"request": {"method": "m"}}), 404, "not_found")
    error(await ada.get(f"/workers/{ada.worker_id}/nothing"), 404, "not_found", "no_such_route")
    error(await ada.get("/stream?workers=nobody&tail_ms=1"), 404, "not_found", "no_such_worker")


async def test_405_another_method(ada: Person):
    detail = error(await ada.call("DELETE", f"/workers/{ada.worker_id}"), 405, "method_not_allowed")
    assert detail["allowed"] == ["GET"]


async def test_409_stopped_and_different_content(ada: Person):
    path = f"/workers/{ada.worker_id}/events"
    body = {"event": {"event_type": "worker.event", "event_id": "same", "payload": {"n": 1}}}
    await ada.post(path, body)
    body["event"]["payload"] = {"n": 2}
    error(await ada.post(path, body), 409, "conflict", "different_content")
    await ada.post(f"/workers/{ada.worker_id}/stop")
    error(await ada.post(path, EVENT), 409, "conflict", "worker_stopped")
    error(await ada.post(f"/workers/{ada.worker_id}/requests", {"request": {"method": "turn/start"}}), 409, "conflict")


async def test_409_fenced_and_gap(ada: Person):
    first, second = await ada.machine(), await ada.machine()
    lease = f"/workers/{ada.worker_id}/lease"
    old = (await first.post(lease, {"machine_id": first.worker_id, "ttl_ms": 60000})).json()["data"]["generation"]
    detail = error(
        await second.post(lease, {"machine_id": second.worker_id, "ttl_ms": 60000}), 409, "conflict", "leased"
    )
    assert detail["machine_id"] == first.worker_id
    await first.post(f"{lease}/release", {"machine_id": first.worker_id, "generation": old})
    await second.post(lease, {"machine_id": second.worker_id, "ttl_ms": 60000})

    events = f"/workers/{ada.worker_id}/events"
    fenced = {"event": {"event_type": "worker.usage", "payload": {}, "event_id": "u"}, "generation": old}
    assert error(await first.post(events, fenced), 409, "conflict", "fenced")["expected"] == old + 1
    gap = {"event_type": "worker.event", "payload": {}, "event_id": "g", "producer_seq": 7}
    detail = error(await second.post(events, {"event": gap}), 409, "conflict", "gap")
    assert detail["expected"] == 1


async def test_410_a_cursor_ahead_of_the_log_or_of_a_feed(ada: Person):
    detail = error(
        await ada.get(f"/workers/{ada.worker_id}/stream?cursor=999&tail_ms=1"), 410, "stale_cursor", "ahead_of_log"
    )
    assert (detail["oldest_seq"], detail["latest_seq"]) == (1, 1)
    machine = await ada.machine()
    feed = f"/machines/{machine.worker_id}/feed"
    for refused in (await machine.get(f"{feed}?cursor=9"), await machine.post(f"{feed}/ack", {"cursor": 9})):
        detail = error(refused, 410, "stale_cursor", "ahead_of_log")
        assert (detail["oldest_seq"], detail["latest_seq"]) == (1, 0)


async def test_413_one_event_over_its_limit(ada: Person):
    body = {"event": {"event_type": "worker.event", "payload": {"x": "y" * (4 * 1024 * 1024)}}}
    error(await ada.post(f"/workers/{ada.worker_id}/events", body), 413, "payload_too_large")


async def test_408_a_body_that_pauses(world: World, database: str):
    async with serving(database, world.runtime, limits=Limits(body_idle_seconds=0.1)) as hasty:
        token = (await hasty.mint("ada@example.org")).token
        head = f"POST {BASE}/workers HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
        head += "content-length: 9\r\n\r\n"
        status, _, body = await raw(hasty, head.encode() + b'{"a"')

    refusal = json.loads(body)["error"]
    assert (status, refusal["code"], refusal["details"][0]["reason_code"]) == (408, "timeout", "slow_body")


async def test_415_a_body_that_is_not_json_by_its_own_account(ada: Person):
    headers = {"content-type": "text/plain"}
    answer = await ada.call("POST", f"/workers/{ada.worker_id}/events", content=b"{}", headers=headers)
    error(answer, 415, "unsupported_media_type", "content_type")


async def test_431_more_of_a_head_than_is_read(ada: Person):
    error(await ada.get("/workers", headers={"x-big": "x" * 40_000}), 431, "headers_too_large")
    error(await ada.get(f"/workers?before={'x' * 20_000}"), 431, "headers_too_large", "target_too_large")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/workers?limit=0", "limit"),
        ("/workers?limit=201", "limit"),
        ("/workers?status=asleep", "status"),
        ("/workers?before=nonsense", "before"),
        ("/workers?q=", "q"),
        ("/workers?q=a%00b", "q"),
        (f"/workers?q={'x' * 201}", "q"),
        ("/workers?machine_id=", "machine_id"),
        ("/workers?backend=moon", "backend"),
        ("/workers?activity=sleeping", "activity"),
        ("/workers/{w}/stream?tail_ms=0", "tail_ms"),
        ("/workers/{w}/stream?tail_ms=120001", "tail_ms"),
        ("/workers/{w}/events?limit=501", "limit"),
        ("/workers/%20", "worker_id"),
        ("/workers/%ff", "worker_id"),
        ("/workers/a%2Fb", "worker_id"),
        ("/workers/a%00b/stream", "worker_id"),
        ("/workers/" + "x" * 161, "worker_id"),
    ],
)
async def test_422_a_value_out_of_its_set_range_or_charset(ada: Person, path: str, field: str):
    detail = error(await ada.get(path.replace("{w}", ada.worker_id)), 422, "unprocessable")
    assert detail["field"] == field


async def test_422_names_each_field(ada: Person):
    body = {"event": {"event_type": "worker.event", "payload": {"method": "ios/handshake", "source": ""}}}
    answer = await ada.post(f"/workers/{ada.worker_id}/events", body)

    error(answer, 422, "unprocessable")
    fields = {one["field"].rpartition(".")[2] for one in answer.json()["error"]["details"]}
    assert fields == {"source", "handshake_id", "device_id", "occurred_at"}


async def test_429_and_503_from_a_server_of_small_means(world: World, database: str):
    async with serving(database, world.runtime, settings=ApiSettings(client_per_second=0.2), limits=Limits()) as small:
        token = (await small.mint("ada@example.org")).token
        await small.client.get("/api/runtime/codex/workers", headers=bearer(token))
        limited = await small.client.get("/api/runtime/codex/workers", headers=bearer(token))
        error(limited, 429, "rate_limited", "session_rate")
        assert int(limited.headers["retry-after"]) >= 1
        await small.pool.close()
        away = await small.client.get("/api/runtime/codex/workers", headers=bearer("apat_unknown"))
        detail = error(away, 503, "unavailable", "database_unreachable")
        assert detail["outcome"] == "not_recorded"
        assert int(away.headers["retry-after"]) >= 1


async def test_below_the_retention_floor_a_cursor_is_stale(ada: Person) -> None:
    for n in range(3):
        await ada.append(ada.worker_id, n=n)
    runtime = ada.world.runtime
    retention = Retention(runtime.ledger, runtime.pool, runtime.settings, SystemClock())
    assert await retention.raise_floor(ada.worker_id, floor_seq=3) == 2

    stale = await ada.get(f"/workers/{ada.worker_id}/stream?cursor=1&tail_ms=1")

    assert error(stale, 410, "stale_cursor", "below_floor")["oldest_seq"] == 3


async def test_a_worker_that_failed_takes_nothing_before_it_is_reattached(ada: Person) -> None:
    worker = "(select worker_no from worker where worker_id = $1)"
    failed = f"update worker_state set status = 'failed' where worker_no = {worker}"
    await ada.world.runtime.pool.execute(failed, ada.worker_id)  # as a hosted place that is gone for good will

    refused = await ada.post(f"/workers/{ada.worker_id}/requests?wait_ms=0", {"request": {"method": "turn/start"}})

    error(refused, 409, "conflict", "worker_not_running")
