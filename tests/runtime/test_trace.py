"""A trace: every hop that whoever asks may read, found by either name, with a bounded look."""

from __future__ import annotations

from typing import Any

import pytest

from autopilot.api.audit_outbox import THE_API
from autopilot.contract.port import Claims
from autopilot.runtime import trace_routes
from autopilot.runtime.app import Runtime
from autopilot.testing import approvals
from autopilot.testing.machines import Companion, ask, leased
from autopilot.testing.runtime import OBSERVER, OWNER, STRANGER, batch, call, draft, insert_worker

ADMIN = Claims(user_id=9, scopes=frozenset({"observe", "admin"}), surface="cli", step_up=True)


async def traced(runtime: Runtime, name: str, query: str = "", claims: Claims = OWNER) -> dict[str, Any]:
    answer = await call(runtime, "GET", f"/trace/{name}", query=query, claims=claims)
    assert answer.status == 200, answer.body
    return answer.data


def told(trace: dict[str, Any]) -> list[tuple[str, str]]:
    return [(hop["source"], hop["what"]) for hop in trace["hops"]]


async def missing(runtime: Runtime, name: str, claims: Claims = OWNER, query: str = "") -> bool:
    answer = await call(runtime, "GET", f"/trace/{name}", query=query, claims=claims)
    return answer.status == 404 and answer.reason == "no_such_request"


async def test_a_request_is_traced_by_either_of_its_names(runtime: Runtime) -> None:
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "r1", {"text": "secret words"}, headers={"x-request-id": "x1"})
    await companion.report("r1", "delivered", "w")
    await companion.respond("w", "r1", {"ok": True})

    by_request, by_call = await traced(runtime, "r1"), await traced(runtime, "x1")

    assert by_request["hops"] == by_call["hops"]
    assert set(by_request["ids"]) == {"r1", "x1"}
    assert by_request["ids"][0] == "r1"
    assert ("receipt", "accepted") in told(by_request)
    assert ("receipt", "delivered") in told(by_request)
    assert ("receipt", "completed") in told(by_request)
    assert ("event", "worker.request.received") in told(by_request)
    assert ("event", "worker.response") in told(by_request)
    times = [hop["at"] for hop in by_request["hops"]]
    assert times == sorted(times)
    first = by_request["hops"][0]
    assert (first["method"], first["worker_id"], first["actor"]["user_id"]) == ("turn/start", "w", OWNER.user_id)
    assert "secret words" not in str(by_request)
    assert not by_request["cut_off"]


async def test_a_decision_is_traced_by_the_call_that_made_it(runtime: Runtime) -> None:
    companion = await leased(runtime)
    asked = approvals.question("w")
    await companion.append("w", "worker.approval.requested", "q", **approvals.asked(asked))
    path = f"/approvals/{asked['approval_id']}/decision"
    answer = await call(runtime, "POST", path, {"option_id": "accept"}, headers={"x-request-id": "x-decides"})
    assert answer.status == 200, answer.body

    trace = await traced(runtime, "x-decides")

    assert ("approval", "decided") in told(trace)
    assert ("event", "worker.approval.decided") in told(trace)
    assert trace["hops"][0]["approval_id"] == asked["approval_id"]


@pytest.mark.parametrize("name", ["r1", "x1", "nowhere"])
async def test_what_one_may_not_read_is_answered_like_what_is_nowhere(runtime: Runtime, name: str) -> None:
    await leased(runtime)
    await ask(runtime, "turn/start", "r1", {"input": []}, headers={"x-request-id": "x1"})

    assert await missing(runtime, name, STRANGER)
    assert await missing(runtime, name, STRANGER, "worker_id=w")
    assert await missing(runtime, name) == (name == "nowhere")


async def test_acts_of_others_are_an_admin_s_to_see(runtime: Runtime) -> None:
    said = {"audit_id": "a1", "action": "signed_in", "outcome": "refused", "user_id": 1, "x_request_id": "x-sign-in"}
    await call(runtime, "POST", "/audit/records", {"records": [said]}, claims=THE_API)

    assert told(await traced(runtime, "x-sign-in")) == [("audit", "signed_in (refused)")]
    assert told(await traced(runtime, "x-sign-in", claims=ADMIN)) == [("audit", "signed_in (refused)")]
    assert await missing(runtime, "x-sign-in", STRANGER)
    unproved = Claims(user_id=9, scopes=ADMIN.scopes, surface="cli")
    assert await missing(runtime, "x-sign-in", unproved)


async def test_an_append_is_found_among_the_newest_events_and_further_back_where_its_worker_is_named(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_routes, "NEWEST", 3)
    await insert_worker(runtime, "w")
    body = {"event": {"event_type": "worker.event", "event_id": "e0", "payload": {"source": "me"}}}
    await call(runtime, "POST", "/workers/w/events", body, headers={"x-request-id": "x-append"})
    assert told(await traced(runtime, "x-append")) == [("event", "worker.event")]

    await runtime.ledger.append(batch("w", *(draft(f"e{number}") for number in range(1, 10))))

    assert await missing(runtime, "x-append")
    assert told(await traced(runtime, "x-append", "worker_id=w")) == [("event", "worker.event")]


async def test_an_id_within_other_words_is_no_name(runtime: Runtime) -> None:
    await insert_worker(runtime, "w")
    body = {
        "event": {"event_type": "worker.event", "event_id": "e0", "payload": {"words": "x-said", "list": ["x-said"]}}
    }
    await call(runtime, "POST", "/workers/w/events", body)

    assert await missing(runtime, "x-said")


async def test_more_than_is_shown_is_said_to_be_there(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_routes, "MOST_HOPS", 1)
    companion = Companion(runtime)
    await companion.register()
    await leased(runtime)
    await ask(runtime, "turn/start", "r1", {"input": []}, headers={"x-request-id": "x1"})

    trace = await traced(runtime, "r1")

    assert (len(trace["hops"]), trace["cut_off"]) == (1, True)


async def test_what_is_no_id_is_refused(runtime: Runtime) -> None:
    refused = await call(runtime, "GET", f"/trace/{'x' * 201}")
    assert (refused.status, refused.json["error"]["details"][0]["field"]) == (422, "requestId")
    refused = await call(runtime, "GET", "/trace/r1", query="worker_id=%2F")
    assert (refused.status, refused.json["error"]["details"][0]["field"]) == (422, "worker_id")
    executor = Claims(user_id=1, machine_id="m", scopes=frozenset({"execute"}))
    assert (await call(runtime, "GET", "/trace/r1", claims=executor)).status == 403
    assert (await call(runtime, "GET", "/trace/r1", claims=OBSERVER)).status == 404
