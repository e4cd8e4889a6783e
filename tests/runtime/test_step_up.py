"""What only a session that was stepped up may do; without, nothing is stored, and afterwards the same call is taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autopilot.contract.port import Claims
from autopilot.runtime.app import Runtime
from autopilot.testing.machines import Companion
from autopilot.testing.runtime import OWNER, call, frames, insert_worker

STALE = replace(OWNER, step_up=False)
ADMIN = Claims(user_id=9, device_id="device-9", scopes=frozenset({"admin", "administer"}), step_up=True)
HELD = {"cwd": "/x", "sandbox": "read-only", "approvalPolicy": "on-request"}
FULL = {
    "sandbox": {"sandbox": "danger-full-access"},
    "sandbox policy": {"sandboxPolicy": {"type": "dangerFullAccess"}},
    "external": {"sandboxPolicy": {"type": "externalSandbox"}},
    "profile": {"permissions": ":danger-full-access"},
    "never": {"sandbox": "workspace-write", "approvalPolicy": "never"},
}
OPEN = """
[sandbox]
allow = ["read-only", "workspace-write", "danger-full-access", "external-sandbox"]
[approval_policy]
allow = ["never", "on-request", "untrusted"]
"""


async def put(runtime: Runtime, text: str, subject: str, claims: Claims) -> Any:
    body = {"subject": subject, "format": "toml", "text": text, "expected_version": 0}
    return await call(runtime, "POST", "/policies", body, claims=claims)


@pytest.fixture
async def opened(runtime: Runtime) -> Runtime:
    """An installation that lets people ask for full access."""
    answer = await put(runtime, OPEN, "installation", ADMIN)
    assert answer.status == 200, answer.body
    await insert_worker(runtime, "w")
    await Companion(runtime, "m").register()
    return runtime


@pytest.mark.parametrize(("subject", "claims"), [("user", OWNER), ("installation", ADMIN)])
async def test_a_policy_takes_a_fresh_proof(runtime: Runtime, subject: str, claims: Claims) -> None:
    refused = await put(runtime, "", subject, replace(claims, step_up=False))

    assert (refused.status, refused.reason) == (403, "step_up_required")
    detail = refused.json["error"]["details"][0]
    assert (detail["how"], detail["methods"]) == ("POST /api/auth/step-up", ["email_code", "passkey"])
    assert (await put(runtime, "", subject, claims)).status == 200


async def test_prices_and_the_acts_of_others_take_a_fresh_proof(runtime: Runtime) -> None:
    stale = replace(ADMIN, step_up=False)
    prices = {"format": "toml", "text": "currency = 'USD'", "expected_version": 0}

    assert (await call(runtime, "POST", "/prices", prices, claims=stale)).reason == "step_up_required"
    assert (await call(runtime, "GET", "/audit", claims=stale)).reason == "step_up_required"
    assert (await call(runtime, "GET", "/audit", claims=STALE)).status == 200


@pytest.mark.parametrize("params", FULL.values(), ids=FULL)
@pytest.mark.parametrize("path", ["/workers/w/requests", "/machines/{machine}/requests"])
async def test_full_access_takes_a_fresh_proof_and_then_the_very_same_request_is_taken(
    opened: Runtime, params: dict[str, Any], path: str
) -> None:
    path = path.format(machine="m")
    body = {"request": {"request_id": "r1", "method": "thread/start", "params": {**HELD, **params}}}

    refused = await call(opened, "POST", path, body, query="wait_ms=0", claims=STALE)
    assert (refused.status, refused.reason) == (403, "step_up_required")
    assert await opened.pool.fetchval("select count(*) from receipt") == 0
    assert await frames(opened, "w") == []

    assert (await call(opened, "POST", path, body, query="wait_ms=0")).status == 202
    again = await call(opened, "POST", path, body, query="wait_ms=0", claims=STALE)  # its receipt is there: no proof
    assert again.status == 202


async def test_what_holds_something_back_takes_none(opened: Runtime) -> None:
    for number, params in enumerate(({}, {"sandbox": "workspace-write"}, {"approvalPolicy": "untrusted"})):
        body = {"request": {"request_id": f"r{number}", "method": "thread/start", "params": {**HELD, **params}}}
        answer = await call(opened, "POST", "/machines/m/requests", body, query="wait_ms=0", claims=STALE)
        assert answer.status == 202, answer.body
