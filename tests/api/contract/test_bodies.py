"""Malformed, huge, deeply nested, wrongly typed and non-UTF-8 bodies at every POST: section 3's errors, never a 5xx."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.contract.world import Person, error

POSTS = (
    "/api/auth/email",
    "/api/auth/verify",
    "/api/auth/refresh",
    "/workers",
    "/workers/{w}/events",
    "/workers/{w}/requests",
    "/workers/{w}/stop",
    "/workers/{w}/lease",
    "/workers/{w}/lease/release",
    "/machines",
    "/machines/{m}/heartbeat",
    "/machines/{m}/feed/ack",
    "/machines/{m}/requests",
    "/machines/{m}/receipts",
)
MALFORMED = {
    "cut": b'{"event":',
    "not json": b"hello",
    "bare word": b"NaN",
    "infinity": b'{"event":Infinity}',
    "single quotes": b"{'event':1}",
    "trailing comma": b'{"event":1,}',
    "two values": b"{}{}",
    "latin-1": b'{"event":"\xe9"}',
    "utf-16": '{"event":1}'.encode("utf-16"),
    "utf-8 surrogate": b'{"event":"\xed\xa0\x80"}',
    "overlong": b'{"event":"\xc0\xaf"}',
    "control character": b'{"event":"\x01"}',
    "an array": b"[]",
    "a string": b'"x"',
    "a number": b"7",
    "null": b"null",
    "same key twice": b'{"event":{},"event":{}}',
    "same key twice inside": b'{"event":{"payload":{"a":1,"a":2}}}',
    "same key twice, half a character": b'{"\\ud800":1,"\\ud800":2}',
    "same key, escaped": b'{"event":1,"\\u0065vent":2}',
    "deep arrays": b'{"event":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "rather deep": b'{"email":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "deep objects": b'{"event":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
}
JSON = {"content-type": "application/json"}


async def callers(ada: Person) -> tuple[Person, Person]:
    machine = await ada.machine()
    return ada, machine


def url(path: str, ada: Person, machine: Person) -> str:
    return path.replace("{w}", ada.worker_id).replace("{m}", machine.worker_id)


@pytest.mark.parametrize("path", POSTS)
async def test_a_body_that_is_no_json_object_is_400_everywhere(ada: Person, path: str):
    ada, machine = await callers(ada)
    caller = machine if path.startswith("/machines") or "lease" in path else ada
    for name, content in MALFORMED.items():
        if path.startswith("/api/auth") and len(content) > 64 * 1024:
            continue  # too large there: 413, which says the same in every case
        answer = await caller.call("POST", url(path, ada, machine), content=content, headers=JSON)
        assert answer.status_code == 400, (name, answer.status_code, answer.text[:200])
        error(answer, 400, "invalid_request")


WRONG = [None, True, -1, 1.5, 10**30, "", "x" * 5000, "\u0000", "\ud800", [], [None], {}, {"a": {}}]


@pytest.mark.parametrize("path", POSTS)
async def test_wrongly_typed_values_are_a_client_error_everywhere(ada: Person, path: str):
    ada, machine = await callers(ada)
    caller = machine if path.startswith("/machines") or "lease" in path else ada
    names = {
        "/api/auth/email": ("email",),
        "/api/auth/verify": ("email", "code"),
        "/api/auth/refresh": ("refresh_token",),
        "/workers": ("worker_id", "workspace_ref", "adapter", "metadata"),
        "/workers/{w}/events": ("event", "events", "generation"),
        "/workers/{w}/requests": ("request",),
        "/workers/{w}/stop": ("reason", "force"),
        "/workers/{w}/lease": ("machine_id", "ttl_ms"),
        "/workers/{w}/lease/release": ("machine_id", "generation"),
        "/machines": ("machine_id", "name", "platform"),
        "/machines/{m}/heartbeat": ("desktop_session_id", "workers"),
        "/machines/{m}/feed/ack": ("cursor",),
        "/machines/{m}/requests": ("request",),
        "/machines/{m}/receipts": ("receipts",),
    }[path]
    for name in names:
        for value in WRONG:
            content = json.dumps({name: value}).encode()
            answer = await caller.call("POST", url(path, ada, machine), content=content, headers=JSON)
            assert answer.status_code < 500, (name, value, answer.text)
            if answer.status_code >= 400:
                assert set(answer.json()["error"]) == {"code", "message", "details"}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(payload=st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=5))
async def test_any_json_object_is_a_payload_and_comes_back_equal_or_is_a_client_error(ada: Person, payload: dict):
    body = {"event": {"event_type": "worker.event", "payload": payload}}
    answer = await ada.call("POST", f"/workers/{ada.worker_id}/events", content=json.dumps(body).encode(), headers=JSON)

    if answer.status_code == 202:
        page = await ada.get(f"/workers/{ada.worker_id}/events?after={answer.json()['data']['seq'] - 1}&limit=1")
        assert page.status_code == 200
        assert page.json()["data"][0]["payload"].keys() == payload.keys()
    else:
        assert answer.status_code in {403, 409, 422}, answer.text


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(content=st.binary(max_size=200))
async def test_any_bytes_are_a_client_error(ada: Person, content: bytes):
    answer = await ada.call("POST", f"/workers/{ada.worker_id}/events", content=content, headers=JSON)

    assert 400 <= answer.status_code < 500
