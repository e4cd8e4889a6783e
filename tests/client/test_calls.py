"""What goes over the wire for each call, what comes back as what, and what is tried again."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from autopilot.client import AnswerBounds, RuntimeCodexClient, has_ended, log
from autopilot.client.tokens import SignInAgain
from autopilot.contract import AppendEvent, HeartbeatWorker, ReceiptReport, RegisterMachine, encode
from autopilot.contract.errors import (
    AutopilotError,
    Conflict,
    Forbidden,
    NetworkError,
    NotFound,
    Problem,
    RateLimited,
    StaleCursor,
    Unauthorized,
    Unavailable,
    UnknownError,
    Unprocessable,
)
from autopilot.contract.write_signature import HEADER
from autopilot.testing.clock import FakeClock
from autopilot.testing.streaming_server import blank_snapshot

WORKERS = "/api/runtime/codex/workers"
MACHINES = "/api/runtime/codex/machines"
RECEIPT = {"request_id": "r", "state": "accepted", "target": "worker", "method": "m", "created_at": "t"}
MACHINE = {"machine_id": "m", "name": "M"}


class Server:
    """Answers from a list, and keeps what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx2.Response):
            return answer
        status, body = answer
        return httpx2.Response(status, json=body)

    @property
    def asked(self):
        request = self.requests[-1]
        body = json.loads(request.content) if request.content else None
        return request.method, request.url.raw_path.decode(), body


class QuickClock(FakeClock):
    """Sleeps take no time, and are counted."""

    def __init__(self):
        super().__init__()
        self.slept = []

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self._elapsed += seconds


def client_of(server, **options):
    options.setdefault("clock", QuickClock())
    return RuntimeCodexClient("http://api.test", "token", transport=httpx2.MockTransport(server), **options)


def data(value, status=200):
    return status, {"data": value}


def without_nulls(value):
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


CALLS = [
    (
        lambda c: c.list_workers(status="running", workspace_ref="a b", limit=2, before="x"),
        data([]),
        ("GET", f"{WORKERS}?status=running&workspace_ref=a+b&limit=2&before=x", None),
    ),
    (
        lambda c: c.list_workers(search="fix it", machine_id="m", backend="desktop", activity="idle"),
        data([]),
        ("GET", f"{WORKERS}?q=fix+it&machine_id=m&backend=desktop&activity=idle", None),
    ),
    (
        lambda c: c.create_worker("w", workspace_ref="r", metadata={"a": 1}),
        data({"workerId": "w", "status": "running", "latestSeq": 1, "idempotentReplay": False}, 202),
        ("POST", WORKERS, {"worker_id": "w", "workspace_ref": "r", "metadata": {"a": 1}}),
    ),
    (
        lambda c: c.events("desktopw:1/2", after=3, limit=4),
        data([]),
        ("GET", f"{WORKERS}/desktopw%3A1%2F2/events?after=3&limit=4", None),
    ),
    (
        lambda c: c.append_event("w", "worker.event", {"n": None}, event_id="e"),
        data({"worker_id": "w", "seq": 1, "event_type": "worker.event", "payload": {}, "occurred_at": "t"}, 202),
        ("POST", f"{WORKERS}/w/events", {"event": {"event_type": "worker.event", "event_id": "e", "payload": {}}}),
    ),
    (
        lambda c: c.append_events(
            "w", [AppendEvent(event_type="worker.event", event_id="e", producer_seq=7)], generation=2
        ),
        data([{"event_id": "e", "seq": 1, "duplicate": False}], 202),
        (
            "POST",
            f"{WORKERS}/w/events",
            {"events": [{"event_type": "worker.event", "event_id": "e", "producer_seq": 7}], "generation": 2},
        ),
    ),
    (
        lambda c: c.append_encoded("w", b'{"events": [ ]}'),
        data([], 202),
        ("POST", f"{WORKERS}/w/events", {"events": []}),
    ),
    (
        lambda c: c.request("w", "turn/start", {"input": []}, request_id="r", wait_ms=0),
        data(RECEIPT, 202),
        (
            "POST",
            f"{WORKERS}/w/requests?wait_ms=0",
            {"request": {"request_id": "r", "method": "turn/start", "params": {"input": []}}},
        ),
    ),
    (lambda c: c.receipt("w", "r"), data(RECEIPT), ("GET", f"{WORKERS}/w/requests/r", None)),
    (lambda c: c.cancel_request("w", "r"), data(RECEIPT), ("POST", f"{WORKERS}/w/requests/r/cancel", None)),
    (
        lambda c: c.stop_worker("w", reason="done", force=True),
        data({"worker_id": "w", "status": "stopped", "idempotent_replay": False}, 202),
        ("POST", f"{WORKERS}/w/stop", {"reason": "done", "force": True}),
    ),
    (
        lambda c: c.stop_all(reason="enough"),
        data({"workers": [], "stopped": 0, "stopping": 0}, 202),
        ("POST", "/api/runtime/codex/stop-all", {"reason": "enough", "force": False}),
    ),
    (lambda c: c.machines(), data([MACHINE]), ("GET", MACHINES, None)),
    (
        lambda c: c.machine_request("m", "thread/start", {"cwd": "/"}, request_id="r"),
        data({**RECEIPT, "ok": True, "response": {"worker_id": "w"}, "state": "completed"}),
        (
            "POST",
            f"{MACHINES}/m/requests?wait_ms=15000",
            {"request": {"request_id": "r", "method": "thread/start", "params": {"cwd": "/"}}},
        ),
    ),
    (lambda c: c.machine_receipt("m", "r"), data(RECEIPT), ("GET", f"{MACHINES}/m/requests/r", None)),
    (
        lambda c: c.cancel_machine_request("m", "r"),
        data(RECEIPT),
        ("POST", f"{MACHINES}/m/requests/r/cancel", None),
    ),
    (
        lambda c: c.register_machine(RegisterMachine(machine_id="m", name="M")),
        data(MACHINE),
        ("POST", MACHINES, MACHINE),
    ),
    (
        lambda c: c.heartbeat("m", [HeartbeatWorker(worker_id="w", generation=1)], desktop_session_id="d"),
        data({"machine_id": "m", "workers": []}),
        (
            "POST",
            f"{MACHINES}/m/heartbeat",
            {"desktop_session_id": "d", "workers": [{"worker_id": "w", "generation": 1}], "facts": []},
        ),
    ),
    (
        lambda c: c.claim_lease("w", "m", ttl_ms=5),
        data({"generation": 1, "expires_at": "t"}),
        ("POST", f"{WORKERS}/w/lease", {"machine_id": "m", "ttl_ms": 5}),
    ),
    (
        lambda c: c.release_lease("w", "m", 1),
        data({}),
        ("POST", f"{WORKERS}/w/lease/release", {"machine_id": "m", "generation": 1}),
    ),
    (
        lambda c: c.ack_feed("m", 9),
        data({"machine_id": "m", "cursor": 9}),
        ("POST", f"{MACHINES}/m/feed/ack", {"cursor": 9}),
    ),
    (
        lambda c: c.report_receipts("m", [ReceiptReport(request_id="r", state="delivered", worker_id="w")]),
        data([{"worker_id": "w", "request_id": "r", "state": "delivered", "applied": True}]),
        ("POST", f"{MACHINES}/m/receipts", {"receipts": [{"worker_id": "w", "request_id": "r", "state": "delivered"}]}),
    ),
    (lambda c: c.me(), (200, {"scopes": ["observe"]}), ("GET", "/api/me", None)),
]


@pytest.mark.parametrize(
    ("call", "answer", "expected"),
    CALLS,
    ids=lambda value: value[1] if isinstance(value, tuple) and isinstance(value[1], str) else "",
)
async def test_every_call_is_what_the_contract_says(call, answer, expected):
    server = Server(answer)
    async with client_of(server) as client:
        await call(client)
    method, path, body = server.asked

    assert (method, path, without_nulls(body)) == (expected[0], expected[1], without_nulls(expected[2]))
    assert server.requests[-1].headers["authorization"] == "Bearer token"


async def test_ids_are_always_sent():
    server = Server(
        data({"workerId": "w", "status": "running", "latestSeq": 1, "idempotentReplay": False}),
        data({"worker_id": "w", "seq": 1, "event_type": "worker.event", "payload": {}, "occurred_at": "t"}),
        data([{"event_id": "e", "seq": 1, "duplicate": False}]),
        data(RECEIPT),
    )
    async with client_of(server) as client:
        await client.create_worker()
        assert server.asked[2]["worker_id"]
        await client.append_event("w", "worker.event")
        assert server.asked[2]["event"]["event_id"]
        await client.append_events("w", [AppendEvent(event_type="worker.event")])
        assert server.asked[2]["events"][0]["event_id"]
        outcome = await client.request("w", "turn/start")
        assert server.asked[2]["request"]["request_id"]
        assert not has_ended(outcome)


async def test_a_retry_keeps_its_ids_and_gets_a_new_x_request_id():
    server = Server(httpx2.ReadError("cut"), (503, None), data(RECEIPT))
    async with client_of(server) as client:
        await client.request("w", "turn/start", {})

    bodies = {request.content for request in server.requests}
    ids = {request.headers["x-request-id"] for request in server.requests}
    assert (len(bodies), len(ids), len(server.requests)) == (1, 3, 3)


async def test_every_call_of_a_trace_carries_it():
    server = Server(data([]))
    async with client_of(server, trace=lambda: {"traceparent": "00-a-b-01"}) as client:
        await client.machines()

    assert server.requests[0].headers["traceparent"] == "00-a-b-01"


@pytest.mark.parametrize("last", [httpx2.ConnectError("no"), (429, None), (503, None), (401, None)])
async def test_what_an_earlier_attempt_may_have_done_is_not_denied_by_the_last_one(last):
    not_recorded = {"error": {"code": "c", "message": "no", "details": [{"outcome": "not_recorded"}]}}
    last = (last[0], not_recorded) if isinstance(last, tuple) else last
    async with client_of(Server(httpx2.ReadError("cut in the middle"), last)) as client:
        with pytest.raises(AutopilotError) as caught:
            await client.request("w", "turn/start")
    assert caught.value.fact("outcome") == "unknown"

    async with client_of(Server(httpx2.ReadError("cut in the middle"), last)) as client:
        with pytest.raises(AutopilotError) as caught:
            await client.machines()
    assert caught.value.fact("outcome") != "unknown"


class Device:
    """A token source that can be helped in three ways."""

    def __init__(self):
        self.helped = []

    async def access_token(self):
        return "first"

    async def renew(self, rejected):
        self.helped.append(f"renewed {rejected}")
        return "second"

    async def step_up(self):
        self.helped.append("proved")
        return "third"

    def sign(self, _method, _target, _body):
        return "signed late" if "kept to noon" not in self.helped else "signed"

    def keep_to(self, server_time):
        self.helped.append(f"kept to {server_time}")
        return True


async def test_whatever_stands_in_the_way_is_helped_against_one_after_the_other():
    """A token that is over, a clock that is off, a proof that is wanted: and again nothing that has helped already."""

    def no(status, reason, **facts):
        return httpx2.Response(status, json=Problem.by_status[status]("no", reason_code=reason, **facts).body())

    def answer(request):
        asked.append(request)
        token = request.headers["authorization"].removeprefix("Bearer ")
        if token == "first" or is_over:
            return no(401, "token_refused")
        if request.headers[HEADER] == "signed late":
            return no(401, "signature_expired", server_time="noon")
        if token == "second":
            return no(403, "step_up_required")
        return httpx2.Response(200, json={"data": {"worker_id": "w", "status": "stopped", "idempotent_replay": False}})

    asked, device, is_over = [], Device(), False
    transport = httpx2.MockTransport(answer)
    async with RuntimeCodexClient("http://api.test", device, transport=transport, clock=QuickClock()) as client:
        assert (await client.stop_worker("w")).status == "stopped"
        assert (device.helped, len(asked)) == (["renewed first", "kept to noon", "proved"], 4)
        is_over = True
        device.helped.clear()
        with pytest.raises(Unauthorized):
            await client.stop_worker("w")
        assert device.helped == ["renewed first"]


async def test_retries_wait_longer_and_give_up():
    clock = QuickClock()
    server = Server(httpx2.ConnectError("no"))
    async with client_of(server, clock=clock, rng=lambda: 1.0) as client:
        with pytest.raises(NetworkError) as caught:
            await client.machines()

    assert clock.slept == pytest.approx([0.2, 0.6, 1.8])
    assert len(server.requests) == 4
    assert caught.value.fact("outcome") == "not_recorded"


async def test_retry_after_is_waited_out():
    clock = QuickClock()
    server = Server(httpx2.Response(429, headers={"retry-after": "7"}), data([]))
    async with client_of(server, clock=clock, rng=lambda: 0.0) as client:
        await client.machines()

    assert clock.slept == [7]


async def test_retry_after_may_be_a_date():
    clock = QuickClock()
    server = Server(httpx2.Response(503, headers={"retry-after": "Thu, 01 Jan 2026 00:00:05 GMT"}), data([]))
    async with client_of(server, clock=clock, rng=lambda: 0.0) as client:
        await client.machines()

    assert clock.slept == [5]


async def test_the_servers_time_is_told_by_what_it_said_and_not_by_how_this_device_is_set_meanwhile():
    class Set(QuickClock):
        set_by = timedelta()

        def now(self):
            return super().now() + self.set_by

    clock = Set()
    answer = httpx2.Response(200, json={"data": []}, headers={"date": "Mon, 23 Nov 2026 08:00:00 GMT"})
    async with client_of(Server(answer), clock=clock) as client:
        assert client.server_now() == clock.now()
        await client.machines()
        clock.set_by = timedelta(hours=3)
        await clock.sleep(60.0)
        assert abs(client.server_now() - datetime(2026, 11, 23, 8, 1, tzinfo=UTC)) <= timedelta(seconds=1)


async def test_a_delay_beyond_patience_is_told_instead_of_waited():
    server = Server(httpx2.Response(429, headers={"retry-after": "600"}))
    async with client_of(server) as client:
        with pytest.raises(RateLimited) as caught:
            await client.machines()

    assert caught.value.retry_after_seconds == 600
    assert len(server.requests) == 1


async def test_who_asks_for_less_patience_is_told_sooner():
    server, clock = Server(httpx2.Response(429, headers={"retry-after": "5"})), QuickClock()
    async with client_of(server, clock=clock, bounds=AnswerBounds(retry_seconds=4)) as client:
        with pytest.raises(RateLimited):
            await client.machines()

    assert (len(server.requests), clock.slept) == (1, [])


@pytest.mark.parametrize(
    ("status", "kind", "attempts"),
    [
        *[(400, Problem, 1), (403, Forbidden, 1), (404, NotFound, 1), (409, Conflict, 1), (410, StaleCursor, 1)],
        *[(418, UnknownError, 1), (429, RateLimited, 4), (502, UnknownError, 4), (503, Unavailable, 4)],
    ],
)
async def test_every_status_is_its_error_with_all_that_is_known(status, kind, attempts):
    body = {"error": {"code": "c", "message": "because", "details": [{"reason_code": "why", "oldest_seq": 9}]}}
    server = Server(httpx2.Response(status, json=body, headers={"x-request-id": "theirs"}))
    async with client_of(server) as client:
        with pytest.raises(kind) as caught:
            await client.receipt("w", "r")

    error = caught.value
    assert (error.status, error.message, error.reason_code, error.request_id) == (status, "because", "why", "theirs")
    assert error.fact("oldest_seq") == 9
    assert len(server.requests) == attempts


async def test_a_refused_fixed_token_needs_a_person():
    server = Server((401, {"error": {"code": "unauthorized", "message": "no"}}))
    async with client_of(server) as client:
        with pytest.raises(SignInAgain):
            await client.machines()
    assert issubclass(SignInAgain, Unauthorized)


@pytest.mark.parametrize(
    "answer", [httpx2.Response(200, text="<html>"), (200, []), data({"x": 1}), (200, {"data": [{}]})]
)
async def test_an_answer_of_somebody_else_is_no_answer(answer):
    async with client_of(Server(answer)) as client:
        with pytest.raises(UnknownError) as caught:
            await client.machines()
    assert caught.value.reason_code == "malformed_answer"


async def test_a_portal_in_place_of_a_stream_is_refused_and_not_parsed():
    async with client_of(Server(httpx2.Response(200, text="data: welcome\n\n"))) as client:
        with pytest.raises(UnknownError, match="no event stream"):
            await client.open_stream("w", 0)


async def test_a_redirect_takes_no_token_along():
    server = Server(httpx2.Response(302, headers={"location": "http://elsewhere.example/"}))
    async with client_of(server) as client:
        with pytest.raises(UnknownError):
            await client.machines()
    assert [request.url.host for request in server.requests] == ["api.test"]


@pytest.mark.parametrize(("host", "trusted"), [("127.0.0.1", False), ("localhost", False), ("api.test", True)])
async def test_no_proxy_of_the_environment_stands_before_this_machine_itself(host, trusted, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with RuntimeCodexClient(f"http://{host}:2", "token") as client:
        assert client._http._client.trust_env is trusted


async def test_a_lone_surrogate_and_a_great_number_arrive_as_they_are():
    sent = {"half": "\ud83d", "great": 2**70, "umlaut": "ü", "order": {"b": 1, "a": 2}}
    server = Server(data({"worker_id": "w", "seq": 1, "event_type": "x", "payload": {}, "occurred_at": "t"}))
    async with client_of(server) as client:
        await client.append_event("w", "worker.event", sent)

    payload = server.asked[2]["event"]["payload"]
    assert payload == sent
    assert list(payload["order"]) == ["b", "a"]


async def test_no_number_that_json_lacks_is_sent():
    async with client_of(Server(data([]))) as client:
        for number in ("nan", "inf", "-inf"):
            with pytest.raises(Unprocessable, match="JSON"):
                await client.append_event("w", "worker.event", {"x": float(number)})


async def test_every_call_and_failure_is_in_the_local_log(caplog):
    caplog.set_level(logging.INFO, "autopilot.client")
    server = Server((503, None), data([]))
    async with client_of(server) as client:
        await client.machines()

    lines = [log.fields_of(record) for record in caplog.records]
    assert [(line["event"], line["status"], line["attempt"]) for line in lines] == [
        ("client.call_failed", 503, 1),
        ("client.call", 200, 2),
    ]
    assert [line["x_request_id"] for line in lines] == [r.headers["x-request-id"] for r in server.requests]
    rendered = [json.loads(log.JsonFormatter().format(record)) for record in caplog.records]
    assert (rendered[0]["level"], rendered[0]["operation"]) == ("warning", "machines.list")


async def test_no_secret_is_in_the_local_log(caplog):
    caplog.set_level(logging.DEBUG, "autopilot.client")
    async with client_of(Server(data([]))) as client:
        await client.append_encoded("w", b'{"password": "hunter2"}')

    assert "hunter2" not in caplog.text
    assert "Bearer" not in caplog.text


async def test_the_log_can_be_kept_in_a_file_of_ones_own(tmp_path):
    handler = log.to_file(tmp_path / "logs" / "client.jsonl")
    try:
        async with client_of(Server(data([]))) as client:
            await client.machines()
    finally:
        log.LOGGER.removeHandler(handler)
        log.LOGGER.setLevel(logging.NOTSET)
        handler.close()
    path = tmp_path / "logs" / "client.jsonl"

    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["event"] == "client.call"


async def test_every_worker_is_found_over_all_pages():
    snapshot = encode(blank_snapshot("w"))
    pages = [(200, {"data": [{**snapshot, "worker_id": f"w{n}"}], "next": str(n) if n < 2 else None}) for n in range(3)]
    server = Server(*pages)
    async with client_of(server) as client:
        found = [worker.worker_id async for worker in client.every_worker()]

    assert found == ["w0", "w1", "w2"]
    assert [request.url.params.get("before") for request in server.requests] == [None, "0", "1"]


async def test_an_end_that_nobody_can_know_is_handed_over_and_not_asked_again():
    outcome = {"worker_id": "w", "request_id": "r", "ok": None, "state": "indeterminate", "response": None}
    server = Server((200, {"data": outcome}))
    async with client_of(server) as client:
        ended = await client.request("w", "turn/start", request_id="r")

    assert (ended.state, ended.ok) == ("indeterminate", None)
    assert len(server.requests) == 1


@pytest.mark.parametrize("message", ["", "worker_stopped", "not found; please retry", "unauthorized"])
async def test_the_words_of_an_error_decide_nothing(message):
    body = {"error": {"code": "conflict", "message": message, "details": [{"reason_code": "worker_stopped"}]}}
    server = Server((409, body))
    async with client_of(server) as client:
        with pytest.raises(Conflict) as caught:
            await client.receipt("w", "r")

    assert caught.value.reason_code == "worker_stopped"
    assert len(server.requests) == 1
