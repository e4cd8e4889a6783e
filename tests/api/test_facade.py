"""What the facade forwards, what it keeps to itself, and every error it makes, over a real socket."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, raw, serving

from autopilot import contract
from autopilot.api.http import paths
from autopilot.api.settings import ApiSettings, Limits
from autopilot.contract.errors import Unavailable
from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.testing.postgres import TestCluster

WORKERS = "/api/runtime/codex/workers"


@pytest.fixture(scope="module")
async def served_once(cluster: TestCluster) -> AsyncIterator[ServedApi]:
    async with cluster.database() as dsn, serving(dsn, EchoRuntime()) as served:
        yield served


@pytest.fixture
def api(served_once: ServedApi) -> ServedApi:
    """One server for all of these: they leave nothing but accounts."""
    served_once.runtime.reset()
    return served_once


@pytest.fixture
async def token(api: ServedApi) -> str:
    return (await api.mint("ada@example.org")).token


async def test_every_path_of_the_table_is_forwarded_to_its_internal_path(api: ServedApi, token: str):
    for methods, public, internal in paths.TABLE:
        if public.endswith(("/stream", "/feed")):
            continue
        ids = {"worker_id": "desktopw%3A1~x", "request_id": "r%2F1", "machine_id": "m1", "approval_id": "ap_1"} | {
            "artifact_id": "a" * 32
        }
        for method in methods.split():
            url = paths.BASE + public.format_map(ids) + "?a=b%20c&a=%C3%A9"
            content = b"{}" if method == "POST" else None
            answer = await api.client.request(
                method, url, headers={**bearer(token), "content-type": "application/json"}, content=content
            )
            assert answer.status_code == 200, url
            seen = api.runtime.calls[-1]
            assert (seen.method, seen.path, seen.query) == (
                method,
                (internal or public).format_map(ids),
                "a=b%20c&a=%C3%A9",
            )


async def test_the_runtime_learns_who_asks_from_the_token_alone(api: ServedApi):
    minted = await api.mint("ada@example.org", "observe", surface="ios", name="phone")
    forged = {"x-oa-user-id": "1", "x-autopilot-surface": "runtime", "x-oa-runtime-claims": "{}"}
    await api.client.get(WORKERS, headers={**bearer(minted.token), **forged})

    seen = api.runtime.calls[-1]
    assert seen.claims.user_id == minted.userId
    assert seen.claims.scopes == {"observe"}
    assert seen.claims.surface == "ios"
    assert seen.claims.machine_id is None
    assert not forged.keys() & seen.headers.keys()


async def test_an_execute_token_carries_its_machine(api: ServedApi):
    minted = await api.mint(None, "execute", machine_id="m-1", surface="companion")
    await api.client.get(WORKERS, headers=bearer(minted.token))

    claims = api.runtime.calls[-1].claims
    assert (claims.machine_id, claims.surface, claims.scopes) == ("m-1", "companion", {"execute"})


async def test_ids_of_correlation_go_through_and_the_request_id_comes_back(api: ServedApi, token: str):
    sent = {
        "x-request-id": "phone-7:retry/2",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": "vendor=value",
        "last-event-id": "17",
    }
    answer = await api.client.get(WORKERS, headers={**bearer(token), **sent})

    assert answer.headers["x-request-id"] == "phone-7:retry/2"
    assert {name: api.runtime.calls[-1].headers[name] for name in sent} == sent


@pytest.mark.parametrize("given", [None, "", "with blank", "x" * 129, "é", "<script>"])
async def test_a_missing_or_unsound_request_id_is_made_anew(api: ServedApi, token: str, given: str | None):
    headers = list(bearer(token).items()) + ([("x-request-id", given.encode())] if given is not None else [])
    answer = await api.client.get(WORKERS, headers=headers)

    made = answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f-]{36}", made)
    assert api.runtime.calls[-1].headers["x-request-id"] == made


async def test_only_what_means_something_to_a_client_comes_back(api: ServedApi, token: str):
    answer = await api.client.get(WORKERS, headers=bearer(token))

    assert "server" not in answer.headers
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-autopilot-contract"] == contract.VERSION
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "access-control-allow-origin" not in answer.headers
    assert "set-cookie" not in answer.headers


async def test_behind_tls_answers_say_so(database: str):
    settings = ApiSettings(public_url="https://autopilot.example.org")
    async with serving(database, EchoRuntime(), settings=settings) as api:
        assert "max-age" in (await api.client.get("/healthz")).headers["strict-transport-security"]


@pytest.mark.parametrize(
    "values", [[], ["Basic x"], ["Bearer"], ["Bearer no"], ["Bearer " + "x" * 600], ["Bearer a"] * 2]
)
async def test_without_a_good_token_every_worker_call_is_401(api: ServedApi, values: list[str]):
    headers = [("authorization", value) for value in values]
    for methods, public, _ in paths.TABLE:
        url = paths.BASE + public.format(
            worker_id="w", request_id="r", machine_id="m", approval_id="ap_1", artifact_id="a"
        )
        answer = await api.client.request(methods.split()[0], url, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"
        assert answer.headers["www-authenticate"] == "Bearer"
    assert api.runtime.calls == []


NO_PATHS = """/nope /api /api/nope /api/auth/verify/ /internal/v1/codex/workers /api/runtime/codex /api/runtime/codex/
/api/runtime/codex/x /api/runtime/codex/workers/ /api/runtime/codex/workers//stream /api/runtime/codex/workers/w/nope
/api/runtime/codex/workers/w/stream/"""


async def test_the_address_itself_leads_to_the_page_that_a_person_can_read(api: ServedApi):
    answer = await api.client.get("/")

    assert (answer.status_code, answer.headers["location"]) == (307, "/api/docs")


@pytest.mark.parametrize("path", NO_PATHS.split())
async def test_an_unknown_path_is_404_in_the_contracts_form(api: ServedApi, token: str, path: str):
    answer = await api.client.get(path, headers=bearer(token))

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert answer.json()["error"]["details"][0]["reason_code"] == "no_such_route"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", WORKERS, "GET, POST"),
        ("HEAD", WORKERS, "GET, POST"),
        ("OPTIONS", WORKERS, "GET, POST"),
        ("POST", f"{WORKERS}/w", "GET"),
        ("GET", f"{WORKERS}/w/stop", "POST"),
        ("GET", "/api/auth/email", "POST"),
        ("DELETE", "/healthz", "GET, HEAD"),
    ],
)
async def test_another_method_is_405_and_says_which_there_are(
    api: ServedApi, token: str, method: str, path: str, allowed: str
):
    answer = await api.client.request(method, path, headers=bearer(token))

    assert answer.status_code == 405
    assert sorted(answer.headers["allow"].split(", ")) == allowed.split(", ")
    if method != "HEAD":
        assert answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("segment", [b"%2e%2e", b"%2E", b"..", b"."])
async def test_an_id_that_no_path_can_hold_never_reaches_the_runtime(api: ServedApi, token: str, segment: bytes):
    line = b"GET " + WORKERS.encode() + b"/" + segment + b"/stream HTTP/1.1\r\n"
    status, _, body = await raw(api, line + b"host: localhost\r\nauthorization: Bearer " + token.encode() + b"\r\n\r\n")

    assert status == 422
    assert json.loads(body)["error"]["details"][0] == {"reason_code": "dot_segment", "field": "worker_id"}
    assert api.runtime.calls == []


async def test_a_body_is_forwarded_byte_for_byte(api: ServedApi, token: str):
    body = b' {"event":{"n":123456789012345678901234567890,"b":null,"a":"\\u0000\xc3\xa9"}}\n'
    headers = {**bearer(token), "content-type": "application/json; charset=UTF-8"}
    await api.client.post(f"{WORKERS}/w/events", content=body, headers=headers)

    assert api.runtime.calls[-1].body == body


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, "content_type"),
        ({"content-type": "text/plain"}, "content_type"),
        ({"content-type": "application/json; charset=latin-1"}, "charset"),
        ({"content-type": "application/json", "content-encoding": "gzip"}, "content_encoding"),
    ],
)
async def test_a_body_that_is_not_json_by_its_own_account_is_415(api: ServedApi, token, headers, reason):
    answer = await api.client.post(f"{WORKERS}/w/events", content=b"{}", headers={**bearer(token), **headers})

    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unsupported_media_type"
    assert answer.json()["error"]["details"][0]["reason_code"] == reason


async def test_a_body_over_the_limit_is_413_by_its_declared_length(api: ServedApi, token: str):
    answer = await api.client.post(f"{WORKERS}/w/events", content=b"x" * (16 * 1024 * 1024 + 1), headers=bearer(token))

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "payload_too_large"
    assert answer.headers["connection"] == "close"
    assert api.runtime.calls == []


async def test_a_body_without_a_length_is_413_while_it_is_read(api: ServedApi, token: str):
    async def endless():
        for _ in range(20):
            yield b"x" * 1024 * 1024

    answer = await api.client.post(f"{WORKERS}/w/events", content=endless(), headers=bearer(token))

    assert answer.status_code == 413
    assert api.runtime.calls == []


async def test_a_body_of_exactly_the_limit_passes(api: ServedApi, token: str):
    answer = await api.client.post(f"{WORKERS}/w/events", content=b"x" * 16 * 1024 * 1024, headers=bearer(token))

    assert answer.json()["data"]["bytes"] == 16 * 1024 * 1024


async def test_a_body_that_never_comes_is_408(database: str):
    async with serving(database, EchoRuntime(), limits=Limits(body_idle_seconds=0.1)) as api:
        token = (await api.mint("ada@example.org")).token
        head = f"POST {WORKERS}/w/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
        status, headers, body = await raw(api, head.encode() + b'content-length: 9\r\n\r\n{"a"')

        assert status == 408
        assert json.loads(body)["error"]["code"] == "timeout"
        assert headers["connection"] == "close"


async def test_headers_over_the_limit_are_431(api: ServedApi, token: str):
    for headers in ({"x-big": "x" * 40_000}, {f"x-{n}": "1" for n in range(120)}):
        answer = await api.client.get(WORKERS, headers={**bearer(token), **headers})
        assert answer.status_code == 431
        assert answer.json()["error"]["code"] == "headers_too_large"


async def test_a_path_and_query_over_the_limit_is_431(api: ServedApi, token: str):
    answer = await api.client.get(f"{WORKERS}?before={'x' * 20_000}", headers=bearer(token))

    assert answer.status_code == 431
    assert answer.json()["error"]["details"][0]["reason_code"] == "target_too_large"


async def test_bytes_that_are_no_http_are_400_in_the_contracts_form(api: ServedApi):
    status, _, body = await raw(api, b"\x16\x03\x01 hello\r\n\r\n")

    assert status == 400
    assert json.loads(body)["error"]["code"] == "invalid_request"


async def test_refusals_of_the_runtime_pass_unchanged_with_their_retry_after(api: ServedApi, token: str):
    refusal = b'{"error":{"code":"conflict","message":"stopped","details":[{"reason_code":"worker_stopped"}]}}'

    async def refuse(_: RuntimeRequest) -> RuntimeResponse:
        return RuntimeResponse(409, {"content-type": "application/json", "retry-after": "3"}, refusal)

    api.runtime.answer = refuse
    answer = await api.client.post(f"{WORKERS}/w/stop", headers=bearer(token))

    assert (answer.status_code, answer.content, answer.headers["retry-after"]) == (409, refusal, "3")


async def test_a_runtime_that_cannot_be_reached_is_503_with_the_outcome(api: ServedApi, token: str):
    async def lost(_: RuntimeRequest) -> RuntimeResponse:
        raise Unavailable("gone", reason_code="runtime_unreachable", outcome="unknown", retry_after_seconds=1.0)

    api.runtime.answer = lost
    answer = await api.client.post(f"{WORKERS}/w/stop", headers=bearer(token))

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["error"]["details"] == [{"reason_code": "runtime_unreachable", "outcome": "unknown"}]


async def test_what_nobody_foresaw_is_503_and_leaks_nothing(api: ServedApi, token: str, caplog):
    async def broken(_: RuntimeRequest) -> RuntimeResponse:
        raise ZeroDivisionError("secret /srv/path")

    api.runtime.answer = broken
    answer = await api.client.post(f"{WORKERS}/w/stop", headers=bearer(token))

    assert answer.status_code == 503
    assert answer.json()["error"]["details"] == [{"reason_code": "internal_error", "outcome": "unknown"}]
    assert "secret" not in answer.text
    assert "Zero" not in answer.text


async def test_a_database_that_does_not_answer_is_503_and_nothing_is_forwarded(database: str):
    async with serving(database, EchoRuntime()) as api:
        await api.pool.close()
        answer = await api.client.get(WORKERS, headers=bearer("apat_x"))

        assert answer.status_code == 503
        assert answer.json()["error"]["details"] == [{"reason_code": "database_unreachable", "outcome": "not_recorded"}]
        assert (await api.client.post("/api/auth/refresh", json={"refresh_token": "x"})).status_code == 503
        assert api.runtime.calls == []


async def test_a_session_over_its_rate_is_429_and_another_one_is_not(database: str):
    async with serving(database, EchoRuntime(), settings=ApiSettings(client_per_second=0.2)) as api:
        busy, other = (await api.mint("ada@example.org")).token, (await api.mint("ada@example.org")).token
        answers = [await api.client.get(WORKERS, headers=bearer(busy)) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 429]
        assert 1 <= int(answers[1].headers["retry-after"]) <= 5
        assert (await api.client.get(WORKERS, headers=bearer(other))).status_code == 200


async def test_an_executor_is_not_held_back_by_the_rate_of_people(database: str):
    async with serving(database, EchoRuntime(), settings=ApiSettings(client_per_second=0.2)) as api:
        token = (await api.mint(None, "execute", machine_id="m", surface="companion")).token
        answers = [await api.client.post(f"{WORKERS}/w/events", headers=bearer(token)) for _ in range(20)]

        assert {answer.status_code for answer in answers} == {200}


async def test_an_address_that_tries_unknown_tokens_is_told_to_wait_and_good_tokens_are_not(database: str):
    async with serving(database, EchoRuntime(), limits=Limits(strangers_per_second=0.1, strangers_burst=2.0)) as api:
        good = (await api.mint("ada@example.org")).token
        answers = [await api.client.get(WORKERS, headers=bearer(f"guess{n}")) for n in range(3)]

        assert [answer.status_code for answer in answers] == [401, 401, 429]
        assert (await api.client.get(WORKERS, headers=bearer(good))).status_code == 200
