"""The signed door, served for real (docs/runtime-contract.md, "The door between API and runtime")."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx2
import pytest

from autopilot.api.forward import SignedHttpPort
from autopilot.contract.claims import CLAIMS_HEADER, to_headers
from autopilot.contract.port import RuntimeRequest
from autopilot.ops.clock import SystemClock
from autopilot.ops.serve import Server
from autopilot.ops.signature import HEADER, SigningKey, sign
from autopilot.runtime.http.app import build
from autopilot.testing.machines import Companion, leased, machine_claims
from autopilot.testing.runtime import OWNER, STRANGER, insert_worker

KEY = SigningKey("k1", b"a secret of this test")
CLOCK = SystemClock()
BASE = "/internal/v1/codex"


@pytest.fixture
async def server(runtime):
    stopping = asyncio.Event()
    app = build(runtime, keys={KEY.key_id: KEY.secret}, clock=CLOCK, stopping=stopping)
    async with asyncio.timeout(60), Server(app, stopping=stopping).running() as served:
        yield served


@pytest.fixture
async def port(server):
    made = SignedHttpPort(server.url, KEY, CLOCK)
    yield made
    await made.aclose()


@pytest.fixture
async def client(server):
    async with httpx2.AsyncClient(base_url=server.url, trust_env=False) as made:
        yield made


def signed(method="GET", path="/machines", body=b"", *, claims=OWNER, key=KEY, now=None, nonce=None):
    """The headers of a call."""
    of_claims = to_headers(claims)
    header = sign(
        key,
        method=method,
        target=BASE + path,
        body=body,
        claims=of_claims[CLAIMS_HEADER],
        now=now or CLOCK.now(),
        nonce=nonce,
    )
    return {**of_claims, HEADER: header}


def reason(response):
    return response.json()["error"]["details"][0]["reason_code"]


async def test_a_signed_call_reaches_the_very_same_runtime(runtime, port):
    await Companion(runtime).register(name="Desk")

    answer = await port.call(RuntimeRequest(OWNER, "GET", "/machines"))

    assert answer.status == 200
    assert b'"Desk"' in answer.body


async def test_without_a_signature_nobody_learns_which_paths_exist(client):
    there = await client.get(f"{BASE}/machines")
    nowhere = await client.get("/anything/else")

    assert (there.status_code, nowhere.status_code) == (401, 401)
    assert there.json() == nowhere.json()


async def test_a_signature_is_good_once(client):
    headers = signed()

    first = await client.get(f"{BASE}/machines", headers=headers)
    again = await client.get(f"{BASE}/machines", headers=headers)

    assert first.status_code == 200
    assert (again.status_code, reason(again)) == (401, "signature_replayed")


async def test_of_the_same_signed_call_sent_many_times_at_once_one_is_let_in(client):
    headers = signed()

    answers = await asyncio.gather(*(client.get(f"{BASE}/machines", headers=headers) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        (lambda: signed(path="/workers"), "signature_wrong"),
        (lambda: signed(method="POST"), "signature_wrong"),
        (lambda: signed(body=b"{}"), "signature_wrong"),
        (lambda: signed(key=SigningKey("k1", b"another")), "signature_wrong"),
        (lambda: signed(key=SigningKey("k2", KEY.secret)), "signature_unknown_key"),
        (lambda: signed(now=CLOCK.now() - timedelta(minutes=5)), "signature_expired"),
        (lambda: signed(now=CLOCK.now() + timedelta(minutes=5)), "signature_expired"),
        (lambda: signed() | {HEADER: "v1 nonsense"}, "signature_malformed"),
        (lambda: signed() | {CLAIMS_HEADER: to_headers(STRANGER)[CLAIMS_HEADER]}, "signature_wrong"),
    ],
)
async def test_what_was_changed_or_is_out_of_time_is_unauthorized(client, headers, why):
    answer = await client.get(f"{BASE}/machines", headers=headers())

    assert (answer.status_code, reason(answer)) == (401, why)


@pytest.mark.parametrize(
    "change",
    [{"x-oa-user-id": "2"}, {"x-oa-user-id": ""}, {"x-oa-guest-scope": "g"}],
)
async def test_claims_that_the_principal_headers_contradict_are_forbidden(client, change):
    answer = await client.get(f"{BASE}/machines", headers=signed() | change)

    assert (answer.status_code, reason(answer)) == (403, "claims_disagree")


async def test_the_request_id_goes_in_and_comes_out_and_is_in_the_envelope(runtime, port):
    await leased(runtime)

    answer = await port.call(
        RuntimeRequest(
            OWNER,
            "POST",
            "/workers/w/requests",
            "wait_ms=0",
            {"x-request-id": "req-7", "content-type": "application/json"},
            b'{"request":{"request_id":"r","method":"turn/start"}}',
        )
    )

    assert answer.status == 202
    assert answer.headers["x-request-id"] == "req-7"
    assert await runtime.pool.fetchval("select x_request_id from receipt") == "req-7"
    frame = await runtime.pool.fetchval("select frame from event where event_type = 'worker.request.received'")
    assert '"xRequestId":"req-7"' in frame


async def test_a_refusal_has_the_contracts_form_and_a_fresh_request_id(runtime, port):
    await insert_worker(runtime, "w", STRANGER)

    answer = await port.call(RuntimeRequest(OWNER, "POST", "/workers/w/stop", "", {}, b"{}"))

    assert answer.status == 403
    assert b'"reason_code":"role"' in answer.body
    assert answer.headers["x-request-id"]


async def test_a_feed_streams_through_and_ends_behind_a_caller_that_goes_away(runtime, port):
    await leased(runtime)

    answer = await port.call(RuntimeRequest(machine_claims(), "GET", "/machines/m1/feed"))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert runtime.machines.feeds.hub.follows("m1") or await _until_followed(runtime)
    await port.call(
        RuntimeRequest(
            OWNER,
            "POST",
            "/workers/w/requests",
            "wait_ms=0",
            {},
            b'{"request":{"request_id":"r","method":"turn/start"}}',
        )
    )
    chunk = await anext(answer.body)
    await answer.body.aclose()

    assert b"codex.feed.request" in chunk
    await _until(lambda: not runtime.machines.feeds.hub.follows("m1"))


async def test_a_server_that_stops_ends_its_streams_in_time(runtime):
    await leased(runtime)
    stopping = asyncio.Event()
    app = build(runtime, keys={KEY.key_id: KEY.secret}, clock=CLOCK, stopping=stopping)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(30), Server(app, stopping=stopping).running() as served:
        made = SignedHttpPort(served.url, KEY, CLOCK)
        answer = await made.call(RuntimeRequest(machine_claims(), "GET", "/machines/m1/feed", "frames=control"))
        opened = await anext(answer.body)
        began = loop.time()
    rest = b"".join([chunk async for chunk in answer.body])
    await made.aclose()

    assert b"codex.stream.open" in opened
    assert b'"reason":"shutdown"' in rest
    assert loop.time() - began < 2


async def test_health_readiness_and_metrics_need_no_signature(client):
    health, ready, metrics = [await client.get(path) for path in ("/healthz", "/readyz", "/metrics")]

    assert (health.status_code, ready.status_code, metrics.status_code) == (200, 200, 200)
    assert "autopilot_http_requests_total" in metrics.text


async def test_a_runtime_whose_schema_is_not_there_is_not_ready(runtime, client):
    await runtime.pool.execute("delete from schema_migration where number = 2")

    answer = await client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["error"]["details"][0]["missing"] == ["database"]


async def test_a_body_over_the_limit_is_refused_before_it_is_kept(runtime, client):
    body = b"x" * (runtime.settings.max_body_bytes + 1)

    answer = await client.post(f"{BASE}/machines", headers=signed("POST", body=body), content=body)

    assert (answer.status_code, reason(answer)) == (413, "body_too_large")


async def _until(holds):
    """Wait for a real condition; the caller's time-out bounds it."""
    while not holds():  # noqa: ASYNC110 - the state is the server's own, and sets no event
        await asyncio.sleep(0)


async def _until_followed(runtime):
    await _until(lambda: runtime.machines.feeds.hub.follows("m1"))
    return True
