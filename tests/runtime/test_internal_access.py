"""The signed door on every route that the runtime's router knows: who is not the API gets nothing from any."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from autopilot.api.http import paths
from autopilot.contract.claims import CLAIMS_HEADER, USER_HEADER, to_headers
from autopilot.contract.port import Claims
from autopilot.ops.clock import SystemClock
from autopilot.ops.serve import Server
from autopilot.ops.signature import HEADER, SigningKey, sign
from autopilot.runtime.app import Runtime
from autopilot.runtime.http.app import BASE, build
from autopilot.testing.machines import machine_claims
from autopilot.testing.runtime import OWNER, STRANGER, call

KEY = SigningKey("k1", b"a secret of this test")
CLOCK = SystemClock()
BODY = b"{}"
FOR_THE_API = {
    ("POST", "/audit/records"),
    ("POST", "/devices/{device_id}/revoked"),
    ("POST", "/teams/{team_id}/members/{user_id}/departed"),
    ("POST", "/teams/{team_id}/members/{user_id}/narrowed"),
    ("POST", "/users/{user_id}/deleted"),
    ("POST", "/transitions"),
}
"""What no public path leads to."""
IDS: dict[str, str] = defaultdict(lambda: "x")


def served(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every method and pattern that a router knows."""
    for method in node.endpoints:
        yield method, path
    for name, child in node.children.items():
        yield from served(child, f"{path}/{name}")
    if node.variable is not None:
        yield from served(node.variable, f"{path}/{{{node.variable.name}}}")


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx2.AsyncClient]:
    stopping = asyncio.Event()
    app = build(runtime, keys={KEY.key_id: KEY.secret}, clock=CLOCK, stopping=stopping)
    async with (
        asyncio.timeout(120),
        Server(app, stopping=stopping).running() as door,
        httpx2.AsyncClient(base_url=door.url, trust_env=False) as made,
    ):
        yield made


def signed(method: str, target: str, *, body: bytes = BODY, **rest: Any) -> dict[str, str]:
    claims, now = rest.get("claims", OWNER), rest.get("now", CLOCK.now())
    of_claims = to_headers(claims)
    mac = sign(rest.get("key", KEY), method=method, target=target, body=body, claims=of_claims[CLAIMS_HEADER], now=now)
    return {**of_claims, HEADER: mac}


def forged(method: str, target: str) -> dict[str, tuple[dict[str, str], int, str]]:
    """Headers of who is not the API, each with what comes of it."""
    good = signed(method, target)
    others = to_headers(STRANGER)
    late, early = CLOCK.now() - timedelta(minutes=5), CLOCK.now() + timedelta(minutes=5)
    return {
        "nothing": ({}, 401, "signature_missing"),
        "a client's token": ({"authorization": "Bearer apat_x"}, 401, "signature_missing"),
        "claims alone": (to_headers(OWNER), 401, "signature_missing"),
        "no signature at all": (good | {HEADER: "v1 nonsense"}, 401, "signature_malformed"),
        "another key": (signed(method, target, key=SigningKey("k1", b"guessed")), 401, "signature_wrong"),
        "an unknown key": (signed(method, target, key=SigningKey("k9", KEY.secret)), 401, "signature_unknown_key"),
        "another path": (signed(method, f"{target}x"), 401, "signature_wrong"),
        "another body": (signed(method, target, body=b"[]"), 401, "signature_wrong"),
        "other claims": (good | {CLAIMS_HEADER: others[CLAIMS_HEADER]}, 401, "signature_wrong"),
        "too late": (signed(method, target, now=late), 401, "signature_expired"),
        "too early": (signed(method, target, now=early), 401, "signature_expired"),
        "another principal": (good | {USER_HEADER: others[USER_HEADER]}, 403, "claims_disagree"),
    }


async def test_every_route_is_closed_to_who_is_not_the_api(runtime: Runtime, client: httpx2.AsyncClient):
    routes = sorted(served(runtime.router._root))
    assert len(routes) > 30
    before = await runtime.pool.fetchval("select count(*) from worker")
    for method, pattern in routes:
        target = BASE + pattern.format_map(IDS)
        for what, (headers, status, reason) in forged(method, target).items():
            answer = await client.request(method, target, headers=headers, content=BODY)
            told = answer.json()["error"]["details"][0]["reason_code"]
            assert (answer.status_code, told) == (status, reason), (what, method, pattern)
    assert await runtime.pool.fetchval("select count(*) from worker") == before


async def test_a_call_that_was_let_in_once_is_let_in_nowhere_again(runtime: Runtime, client: httpx2.AsyncClient):
    for method, pattern in sorted(served(runtime.router._root)):
        target = BASE + pattern.format_map(IDS) + "?tail_ms=1&wait_ms=0"
        headers = signed(method, target)
        first = await client.request(method, target, headers=headers, content=BODY)
        assert first.status_code != 401, (method, pattern, first.text)
        again = await client.request(method, target, headers=headers, content=BODY)
        told = again.json()["error"]["details"][0]["reason_code"]
        assert (again.status_code, told) == (401, "signature_replayed"), (method, pattern)


async def test_what_is_for_the_api_alone_is_on_no_public_path_and_taken_from_nobody_else(runtime: Runtime):
    public = {(method, internal or path) for methods, path, internal in paths.TABLE for method in methods.split()}
    assert set(served(runtime.router._root)) - public == FOR_THE_API
    assert public <= set(served(runtime.router._root))

    admin = replace(OWNER, scopes=frozenset({"administer", "admin"}))
    guest = Claims(guest_scope="audit", surface="web", scopes=frozenset({"administer"}))
    line = {"records": [{"audit_id": "a", "action": "signed_in", "outcome": "done"}]}
    for claims in (OWNER, STRANGER, admin, guest, machine_claims()):
        assert (await call(runtime, "POST", "/audit/records", line, claims=claims)).status == 403
        assert (await call(runtime, "POST", "/devices/dev_other/revoked", {}, claims=claims)).status == 403
        assert (await call(runtime, "POST", "/users/77/deleted", {}, claims=claims)).status == 403
        assert (await call(runtime, "POST", "/transitions", {"after": 0}, claims=claims)).status == 403
        for change in ("departed", "narrowed"):
            told = await call(runtime, "POST", f"/teams/t/members/1/{change}", {"membership_no": 7}, claims=claims)
            assert told.status == 403
    assert await runtime.pool.fetchval("select count(*) from audit_entry") == 0
