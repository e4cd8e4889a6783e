"""What a client writes into a path, query or id is a value: never SQL, never another path, never another's thing."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from tests.api.contract.world import BASE, Person
from tests.api.served import raw

SQL = (
    "' or '1'='1",
    "' or 1=1 --",
    "'; drop table runtime.event; --",
    "' union select token_digest from api.access_token --",
    "$1",
    "%",
    "_",
    "\\",
    "x') or (select pg_sleep(60)) is not null --",
    "E'\\x00'",
)
QUERIES = (
    "/workers?workspace_ref={}",
    "/workers?status={}",
    "/workers?q={}",
    "/workers?machine_id={}",
    "/workers?before={}",
    "/approvals?worker_id={}",
    "/approvals?state={}",
    "/approvals?before={}",
    "/audit?action={}",
    "/audit?x_request_id={}",
    "/audit?device_id={}",
    "/audit?before={}",
    "/audit?from={}",
    "/spend?by={}",
    "/spend?from={}",
    "/policies/history?subject={}",
    "/stream?tail_ms=1&workers={}",
    "/workers/{}",
    "/workers/{}/events",
    "/machines/{}/requests/r1",
    "/approvals/{}",
)


async def tables(ada: Person) -> set[str]:
    sql = "select tablename from pg_tables where schemaname in ('api', 'runtime')"
    return {row["tablename"] for row in await ada.world.runtime.pool.fetch(sql)}


@pytest.mark.parametrize("query", QUERIES)
async def test_sql_in_a_value_finds_and_does_no_more_than_any_other_word(ada: Person, eve: Person, query: str):
    await eve.append(eve.worker_id, text="eves-secret")
    before = await tables(ada)
    for word in SQL:
        answer = await ada.get(query.format(quote(word, safe="")))
        assert answer.status_code in {200, 403, 404, 422}, (word, answer.text)
        assert "eves-secret" not in answer.text
        assert eve.worker_id not in answer.text
        if answer.status_code == 200 and answer.headers["content-type"] == "application/json":
            data = answer.json()["data"]
            assert "groups" in data if isinstance(data, dict) else data == [], (word, answer.text)
    assert await tables(ada) == before


async def test_sql_in_a_body_is_stored_as_it_was_said(ada: Person):
    for word in SQL:
        seq = await ada.append(ada.worker_id, text=word)
        page = (await ada.get(f"/workers/{ada.worker_id}/events?after={seq - 1}&limit=1")).json()["data"]
        assert page[0]["payload"]["text"] == word


ODD = (
    "../{w}",
    "..%2f{w}",
    "%2e%2e/{w}",
    "%2e%2e%2f{w}",
    ".%2e/workers/{w}",
    "x/../{w}",
    "x%2f..%2f{w}",
    "{w}/.",
    "{w}/..",
    "{w}/../{w}",
    "%252e%252e/{w}",
    "..%5c{w}",
    "..\\{w}",
    "%c0%ae%c0%ae/{w}",
    "%ef%bc%8e%ef%bc%8e/{w}",
    "{w}%00",
    "{w}%0d%0aX:%20y",
    "{w}%20",
    "%20{w}",
    "{w};v=1",
    "{w}#x",
    "{w}%23x",
    "{w}%3fx",
    "{W}",
    "{e}",
)


@pytest.mark.parametrize("odd", ODD)
async def test_no_spelling_of_another_workers_id_or_path_leads_to_it(ada: Person, eve: Person, odd: str):
    """Byte for byte: a client would tidy some of these up before it sends them."""
    every_byte = "".join(f"%{byte:02x}" for byte in eve.worker_id.encode())
    path = odd.format(w=eve.worker_id, W=eve.worker_id.upper(), e=every_byte)
    for target in (f"{BASE}/workers/{path}", f"{BASE}/workers/{path}/events", f"{BASE}//workers/{path}"):
        head = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {ada.token}\r\n\r\n"
        status, _, body = await raw(ada.world.api, head.encode())
        assert status in {400, 403, 404, 405, 422}, (target, body)
        assert set(json.loads(body)) == {"error"}


async def test_an_id_of_ones_own_is_one_id_however_it_is_encoded(ada: Person):
    every_byte = "".join(f"%{byte:02X}" for byte in ada.worker_id.encode())

    said: Any = (await ada.get(f"/workers/{every_byte}")).json()["data"]
    assert said["worker_id"] == ada.worker_id


async def test_an_append_to_an_odd_spelling_of_ones_own_worker_makes_no_second_one(ada: Person):
    body = {"event": {"event_type": "worker.event", "payload": {}}}
    for odd in (ada.worker_id.upper(), f"{ada.worker_id}%20", f"{ada.worker_id}%00", f"{ada.worker_id}%2f"):
        answer = await ada.post(f"/workers/{odd}/events", body)
        assert answer.status_code in {404, 422}, (odd, answer.text)
    assert len((await ada.get("/workers")).json()["data"]) == 1


@pytest.mark.parametrize(
    ("call", "header", "status"),
    [
        ("GET /workers/{w}/stream?tail_ms=1", "Last-Event-ID", 400),
        ("GET /workers/{w}/artifacts/none", "Range", 422),
        ("GET /workers/{w}/artifacts/none", "If-Range", 422),
        ("GET /workers/{w}/artifacts/none", "If-None-Match", 422),
        ("POST /workers", "Content-Type", 202),
    ],
)
async def test_a_header_of_any_bytes_means_the_same_to_a_runtime_behind_http(
    ada: Person, call: str, header: str, status: int
):
    method, path = call.format(w=ada.worker_id).split()
    written = b"application/json; x=\xe9" if header == "Content-Type" else b"\xe9\xff"
    head = f"{method} {BASE}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {ada.token}\r\n".encode()
    body = b"{}" if method == "POST" else b""
    head += header.encode() + b": " + written + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    answered, _, said = await raw(ada.world.api, head + body)
    assert answered == status, said
