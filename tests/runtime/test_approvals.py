"""Approvals: asked by an executor, decided once, handed over, ended once."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from autopilot.contract.port import Claims
from autopilot.runtime.app import build
from autopilot.runtime.retention import Retention
from autopilot.testing.approvals import approval_of, asked, decide, ended, open_ids, question
from autopilot.testing.machines import Companion, leased
from autopilot.testing.runtime import OBSERVER, OWNER, STRANGER, call, frames, insert_worker


@pytest.fixture
async def companion(runtime):
    return await leased(runtime)


async def ask(companion, codex_request_id=0, worker_id="w", **said):
    approval = question(worker_id, codex_request_id, **said)
    answer = await companion.ask_approval(worker_id, approval)
    assert answer.status == 202, answer.body
    return approval["approval_id"]


async def told(runtime, state, worker_id="w"):
    return [frame for frame in await frames(runtime, worker_id) if frame["eventType"] == f"worker.approval.{state}"]


async def decisions(companion):
    return [entry for entry in await companion.feed() if entry["kind"] == "decision"]


async def test_a_question_of_codex_is_an_approval_that_can_be_listed_and_read(runtime, companion):
    approval_id = await ask(companion, ttl_ms=86_400_000)
    assert await open_ids(runtime) == [approval_id]
    found = await approval_of(runtime, approval_id)
    assert found["state"] == "pending"
    assert found["worker_id"] == "w"
    assert found["kind"] == "command"
    assert found["codex_request_id"] == 0
    assert found["evidence"]["command"] == ["touch", "hello.txt"]
    assert [option["option_id"] for option in found["options"]] == ["accept", "acceptForSession", "decline", "cancel"]
    assert found["params"] == {"threadId": "thread-1"}
    assert found["machine"]["machine_id"] == "m1"
    assert found["machine_reachable"] is True
    assert found["expires_at"] > found["requested_at"]
    assert found["decision"] is None
    [event] = await told(runtime, "requested")
    assert found["seq"] == event["seq"]


async def test_a_decision_is_decided_then_delivered_and_applied_when_codex_took_it(runtime, companion):
    approval_id = await ask(companion)

    answer = await decide(runtime, approval_id)
    assert answer.status == 200, answer.body
    assert answer.data["state"] == "decided"
    assert answer.data["decision"]["option_id"] == "accept"
    assert answer.data["decision"]["actor"]["device_id"] == "device-1"
    [event] = await told(runtime, "decided")
    assert event["payload"]["approval_id"] == approval_id
    assert event["payload"]["decision"]["option_id"] == "accept"
    assert event["actor"]["surface"] == "ios"

    [entry] = await decisions(companion)
    assert entry["body"]["approval_id"] == approval_id
    assert entry["body"]["option_id"] == "accept"
    assert entry["body"]["decided_at"] == answer.data["decision"]["decided_at"]
    assert (entry["worker_id"], entry["seq"], entry["request_id"]) == ("w", event["seq"], None)
    assert (await approval_of(runtime, approval_id))["state"] == "delivered"

    assert (await companion.end_approval("w", approval_id, "applied", "accepted")).status == 202
    found = await approval_of(runtime, approval_id)
    assert (found["state"], found["outcome"]) == ("applied", "accepted")
    assert found["ended_at"] >= found["delivered_at"]
    assert await open_ids(runtime) == []
    assert [entry["body"] for entry in await decisions(companion)] == [None]


async def test_a_decision_is_fed_as_a_decision_and_not_as_an_event_too(runtime, companion):
    await decide(runtime, await ask(companion))
    assert [entry["kind"] for entry in await companion.feed()] == ["decision"]


async def test_a_decision_waits_for_its_machine_and_comes_again_until_it_is_acknowledged(runtime, companion):
    approval_id = await ask(companion)
    await decide(runtime, approval_id)
    assert (await approval_of(runtime, approval_id))["state"] == "decided"
    first = await decisions(companion)
    again = await decisions(companion)
    assert first == again
    await companion.post("/machines/m1/feed/ack", {"cursor": first[0]["feed_seq"]})
    assert await decisions(companion) == []


async def test_an_approval_that_is_delivered_was_so_before_its_frame_was_written(runtime, companion):
    approval_id = await ask(companion)
    async with companion.following() as entries:
        await decide(runtime, approval_id)
        entry = await anext(entries)
        while entry["kind"] != "decision":
            entry = await anext(entries)
        assert (await approval_of(runtime, approval_id))["state"] == "delivered"


async def test_the_same_question_again_changes_nothing(runtime, companion):
    approval_id = await ask(companion)
    await decide(runtime, approval_id)
    again = question("w", title="Another title")
    assert (await companion.ask_approval("w", again)).status == 202
    other_id = await companion.append("w", "worker.approval.requested", "another-event-id", **asked(again))
    assert other_id.status == 202
    found = await approval_of(runtime, approval_id)
    assert (found["state"], found["title"]) == ("decided", "Run touch hello.txt?")


async def test_the_ids_of_another_process_of_codex_are_other_questions(runtime, companion):
    first = await ask(companion)
    second = await ask(companion, incarnation="codex-2")
    assert first != second
    assert await open_ids(runtime) == [first, second]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"approval_id": "ap_" + "0" * 32}, "payload.approval.approval_id"),
        ({"item_id": "another"}, "payload.approval.approval_id"),
        ({"codex_request_id": True}, "payload.approval.codex_request_id"),
        ({"codex_request_id": {"a": 1}}, "payload.approval.codex_request_id"),
        ({"incarnation": ""}, "payload.approval.incarnation"),
        ({"incarnation": "x" * 121}, "payload.approval.incarnation"),
        ({"kind": "Command!"}, "payload.approval.kind"),
        ({"kind": 7}, "payload.approval.kind"),
        ({"method": "with space"}, "payload.approval.method"),
        ({"title": None}, "payload.approval.title"),
        ({"ttl_ms": 999}, "payload.approval.ttl_ms"),
        ({"ttl_ms": 604_800_001}, "payload.approval.ttl_ms"),
        ({"options": []}, "payload.approval.options"),
        ({"options": [{"option_id": "a", "label": "A"}] * 2}, "payload.approval.options[1].option_id"),
        ({"options": [{"option_id": "", "label": "A"}]}, "payload.approval.options[0].option_id"),
        ({"evidence": {"command": "touch"}}, "payload.approval.evidence.command"),
    ],
)
async def test_what_an_executor_says_wrongly_of_a_question_is_422_and_leaves_no_trace(runtime, companion, said, field):
    approval = question("w") | said
    answer = await companion.ask_approval("w", approval)
    assert answer.status == 422, answer.body
    assert field in [detail["field"] for detail in answer.json["error"]["details"]]
    assert await told(runtime, "requested") == []
    assert await open_ids(runtime, "state=all") == []


async def test_a_question_without_an_approval_and_an_end_without_an_id_are_422(companion):
    answer = await companion.append("w", "worker.approval.requested", "e1", method="m")
    assert (answer.status, answer.json["error"]["details"][0]["field"]) == (422, "payload.approval")
    for payload in ({}, ended("with space"), ended("ap_1", outcome="Not a word"), ended("ap_1", reason="No!")):
        answer = await companion.append("w", "worker.approval.closed", "e2", **payload)
        assert answer.status == 422, answer.body


async def test_text_that_the_database_can_not_hold_as_text_is_kept(runtime, companion):
    approval_id = await ask(companion, title="nul \0 and a line\nend", thread_id="\0")
    found = await approval_of(runtime, approval_id)
    assert (found["title"], found["thread_id"]) == ("nul \0 and a line\nend", "\0")


async def test_only_whom_it_belongs_to_reads_and_decides_it(runtime, companion):
    approval_id = await ask(companion)
    before = await frames(runtime, "w")
    for method, path, body in (("GET", "", None), ("POST", "/decision", {"option_id": "accept"})):
        refused = await call(runtime, method, f"/approvals/{approval_id}{path}", body, claims=STRANGER)
        assert (refused.status, refused.reason) == (403, "role")
        unknown = await call(runtime, method, f"/approvals/ap_unknown{path}", body, claims=STRANGER)
        assert (unknown.status, unknown.reason) == (404, "no_such_approval")
        by_machine = await call(runtime, method, f"/approvals/{approval_id}{path}", body, claims=companion.claims)
        assert (by_machine.status, by_machine.reason) == (403, "scope")
    both = dataclasses.replace(companion.claims, scopes=frozenset({"execute", "administer"}))
    assert (await decide(runtime, approval_id, claims=both)).reason == "scope"
    refused = await decide(runtime, approval_id, claims=OBSERVER)
    assert (refused.status, refused.reason) == (403, "scope")
    assert (await call(runtime, "GET", "/approvals", claims=companion.claims)).reason == "scope"
    assert (await call(runtime, "GET", f"/approvals/{approval_id}", claims=OBSERVER)).status == 200
    assert await frames(runtime, "w") == before


async def test_a_guest_answers_its_own_and_no_users(runtime, companion):
    guest = Claims(guest_scope="guest-1", scopes=frozenset({"administer"}))
    approval_id = await ask(companion)
    assert (await decide(runtime, approval_id, claims=guest)).reason == "role"
    await insert_worker(runtime, "g", guest)
    mine = question("g")
    event = {"event_type": "worker.approval.requested", "payload": asked(mine)}
    assert (await call(runtime, "POST", "/workers/g/events", {"event": event}, claims=guest)).status == 202
    listed = await call(runtime, "GET", "/approvals", claims=guest)
    assert [approval["approval_id"] for approval in listed.data] == [mine["approval_id"]]
    assert listed.data[0]["machine"] is listed.data[0]["machine_reachable"] is None


async def test_the_device_that_was_revoked_decides_nothing(runtime, companion):
    approval_id = await ask(companion)
    await call(runtime, "POST", "/devices/device-1/revoked")
    assert (await decide(runtime, approval_id)).status == 401
    other = dataclasses.replace(OWNER, device_id="device-9")
    assert (await decide(runtime, approval_id, claims=other)).status == 200


async def test_the_pending_ones_are_counted_in_snapshot_and_list(runtime, companion):
    first = await ask(companion)
    await ask(companion, 1)

    async def counts():
        snapshot = (await call(runtime, "GET", "/workers/w/snapshot")).data["pending_approvals"]
        [summary] = (await call(runtime, "GET", "/workers")).data
        assert summary["pending_approvals"] == snapshot
        return snapshot

    assert await counts() == 2
    await decide(runtime, first)
    assert await counts() == 1


async def test_lists_are_paged_open_ones_oldest_first_and_others_newest_first(runtime, companion):
    ids = [await ask(companion, number) for number in range(5)]
    for approval_id in ids[:2]:
        await companion.end_approval("w", approval_id, "closed", reason="turn_ended")
    await decide(runtime, ids[2])

    async def pages(query):
        found, before = [], ""
        while True:
            page = (await call(runtime, "GET", "/approvals", query=f"{query}&limit=2{before}")).json
            found.append([approval["approval_id"] for approval in page["data"]])
            if page["next"] is None:
                return found
            before = f"&before={page['next']}"

    assert await pages("state=pending") == [ids[3:5]]
    assert await pages("state=open") == [ids[2:4], ids[4:]]
    assert await pages("state=ended") == [ids[1::-1]]
    assert await pages("state=all") == [ids[:2:-1], ids[2:0:-1], ids[:1]]
    assert await pages("state=all&worker_id=w") == await pages("state=all")


async def test_a_page_is_bounded_in_bytes_and_holds_one_at_least(database, settings):
    small = msgspec.structs.replace(settings, page_bytes=5_000)
    async with await build(small, dsn=database) as runtime:
        companion = await leased(runtime)
        ids = [await ask(companion, number, title="x" * 3_000) for number in range(3)]
        large = await ask(companion, 3, title="x" * 9_000)
        found, before = [], ""
        while before is not None:
            page = (await call(runtime, "GET", "/approvals", query=f"state=open{before}")).json
            found.append([approval["approval_id"] for approval in page["data"]])
            before = None if page["next"] is None else f"&before={page['next']}"
        assert found == [ids[:2], [ids[2], large]]
        newest = (await call(runtime, "GET", "/approvals", query="state=all")).json
        assert [approval["approval_id"] for approval in newest["data"]] == [large]
        assert newest["next"] is not None


@pytest.mark.parametrize("query", ["state=some", "limit=0", "limit=201", "before=x", "before=!", "worker_id=a%20b"])
async def test_a_list_asked_for_wrongly_is_422(runtime, query):
    assert (await call(runtime, "GET", "/approvals", query=query)).status == 422


async def test_the_first_end_is_the_end(runtime, companion):
    approval_id = await ask(companion)
    await decide(runtime, approval_id)
    assert (await companion.end_approval("w", approval_id, "superseded", "declined")).status == 202
    assert (await companion.end_approval("w", approval_id, "applied", "accepted")).status == 202
    assert (await companion.end_approval("w", approval_id, "closed", reason="turn_ended")).status == 202
    found = await approval_of(runtime, approval_id)
    assert (found["state"], found["outcome"], found["closed_reason"]) == ("superseded", "declined", None)
    assert len(await told(runtime, "applied")) == 1


async def test_what_codex_took_without_an_answer_of_ours_was_answered_elsewhere(runtime, companion):
    approval_id = await ask(companion)
    await companion.end_approval("w", approval_id, "applied", "accepted")
    assert (await approval_of(runtime, approval_id))["state"] == "superseded"


async def test_nobody_ends_an_approval_of_another_worker(runtime, companion):
    approval_id = await ask(companion)
    await insert_worker(runtime, "v")
    await companion.claim("v")
    assert (await companion.end_approval("v", approval_id, "closed", reason="turn_ended")).status == 202
    assert (await approval_of(runtime, approval_id))["state"] == "pending"


async def test_an_approval_asked_and_ended_in_one_batch_is_ended(runtime, companion):
    approval = question("w")
    approval_id = approval["approval_id"]
    events = [
        {"event_type": "worker.approval.requested", "event_id": "a", "payload": asked(approval)},
        {"event_type": "worker.approval.superseded", "event_id": "b", "payload": ended(approval_id, "accepted")},
    ]
    body = {"events": events, "generation": companion.generations["w"]}
    assert (await companion.post("/workers/w/events", body)).status == 202
    assert (await approval_of(runtime, approval_id))["state"] == "superseded"


@pytest.mark.parametrize("force", [False, True])
async def test_what_is_open_is_closed_before_the_worker_is_stopped(runtime, companion, force):
    first, second = await ask(companion), await ask(companion, 1)
    await decide(runtime, second)
    if force:
        assert (await call(runtime, "POST", "/workers/w/stop", {"force": True})).status == 202
    else:
        assert (await companion.append("w", "worker.stopped", "stopped")).status == 202
    log = [frame["eventType"] for frame in await frames(runtime, "w")]
    assert log[-1] == "worker.stopped"
    assert log.count("worker.approval.closed") == 2
    for approval_id in (first, second):
        found = await approval_of(runtime, approval_id)
        assert (found["state"], found["closed_reason"]) == ("closed", "worker_stopped")
    assert all(entry["body"] is None for entry in await decisions(companion))
    refused = await decide(runtime, first)
    assert (refused.status, refused.reason) == (409, "approval_ended")
    assert refused.json["error"]["details"][0]["closed_reason"] == "worker_stopped"


async def test_another_machine_closes_what_the_former_ones_codex_asked(runtime, companion):
    approval_id = await ask(companion)
    assert (await companion.release("w")).status == 200
    other = Companion(runtime, "m2")
    await other.register()
    assert (await other.claim("w")).status == 200
    found = await approval_of(runtime, approval_id)
    assert (found["state"], found["closed_reason"]) == ("closed", "machine_replaced")
    [closed] = [entry for entry in await companion.feed() if entry["kind"] == "event"]
    assert closed["body"]["eventType"] == "worker.approval.closed"
    assert closed["body"]["payload"]["approval"] == {
        "approval_id": approval_id,
        "outcome": None,
        "reason": "machine_replaced",
    }
    mine = question("w", 1)
    assert (await other.ask_approval("w", mine)).status == 202
    assert await open_ids(runtime) == [mine["approval_id"]]


async def test_the_same_machine_that_claims_again_closes_nothing(runtime, companion):
    approval_id = await ask(companion)
    await companion.claim("w")
    assert await open_ids(runtime) == [approval_id]


async def test_what_can_only_be_answered_at_the_computer_is_not_answered_here(runtime, companion):
    approval_id = await ask(companion, answerable=False, options=[], kind="unsupported")
    refused = await decide(runtime, approval_id)
    assert (refused.status, refused.reason) == (409, "answer_at_the_computer")
    assert (await approval_of(runtime, approval_id))["answerable"] is False


async def test_an_approval_outlives_its_events(runtime, companion, settings):
    approval_id = await ask(companion)
    await decide(runtime, approval_id, "decline", message="no")
    before = await approval_of(runtime, approval_id)
    retention = Retention(runtime.ledger, runtime.pool, settings, runtime.clock)
    await retention.prune_payloads("w", below_seq=100)
    await retention.raise_floor("w", floor_seq=100)
    after = await approval_of(runtime, approval_id)
    assert {**after, "machine": None} == {**before, "machine": None}
    [entry] = await decisions(companion)
    assert entry["body"]["message"] == "no"


async def test_an_approval_and_its_answer_survive_a_new_runtime(database, runtime, companion, settings):
    approval_id = await ask(companion)
    await decide(runtime, approval_id, "decline", message="later")
    async with await build(settings, dsn=database) as another:
        companion.runtime = another
        [entry] = await decisions(companion)
        assert entry["body"]["message"] == "later"
        assert (await approval_of(another, approval_id))["state"] == "delivered"
