"""The SDK against the real API and runtime: the ways through it that every client takes."""

from __future__ import annotations

import asyncio
import logging

import pytest

from autopilot.client import FollowPolicy, HandshakeClient, has_ended, log
from autopilot.client.backoff import BackoffPolicy
from autopilot.client.tokens import MemoryTokenStore, SignInAgain
from autopilot.contract import AppendEvent, ReceiptReport
from autopilot.contract.errors import Conflict, NotFound, StaleCursor

QUICK = FollowPolicy(backoff=BackoffPolicy(base_seconds=0.02, cap_seconds=0.1))


async def test_list_then_snapshot_then_stream(installation):
    client = await installation.client()
    created = await client.create_worker("desktopw:1", workspace_ref="desktop:///x", adapter="desktop_bridge")
    assert (created.status, created.latestSeq, created.idempotentReplay) == ("running", 1, False)
    await client.append_event(created.workerId, "worker.event", {"n": 1})

    (summary,) = (await client.list_workers(status="running", workspace_ref="desktop:///x")).workers
    snapshot = await client.worker(summary.worker_id)
    assert (summary.latest_seq, snapshot.latest_seq, snapshot.adapter) == (2, 2, "desktop_bridge")
    async with asyncio.timeout(30), client.follow(summary.worker_id, cursor=0) as follower:
        events = [await anext(follower), await anext(follower)]
        assert [event.eventType for event in events] == ["worker.started", "worker.event"]
        await client.append_event(summary.worker_id, "worker.event", {"n": 2})
        live = await anext(follower)

        assert (live.seq, live.payload) == (3, {"n": 2})
        assert follower.state.kind == "live"
    assert [event.seq for event in await client.events(summary.worker_id, after=1, limit=1)] == [2]
    assert [event.seq for event in await client.events(summary.worker_id, before=3, limit=1)] == [2]
    assert [worker.worker_id async for worker in client.every_worker(limit=1)] == [summary.worker_id]


async def test_a_request_is_fed_to_the_machine_and_its_response_comes_back(installation):
    client, machine = await installation.client(), await installation.machine()
    await client.create_worker("w")
    lease = await machine.claim_lease("w", "machine-1")
    asked = await client.request("w", "thread/read", {"threadId": "t"}, request_id="r", wait_ms=0)
    assert not has_ended(asked)

    async with asyncio.timeout(30), machine.follow_feed("machine-1", cursor=0) as feed:
        async for entry in feed:
            if entry.request_id == "r":
                break
        assert entry.body["params"] == {"threadId": "t"}
        await machine.report_receipts("machine-1", [ReceiptReport(worker_id="w", request_id="r", state="acknowledged")])
        result = {"source": "autopilot-desktop", "request_id": "r", "method": "thread/read", "ok": True, "response": 7}
        event = AppendEvent(event_type="worker.response", payload=result, event_id="response:r")
        await machine.append_events("w", [event], generation=lease.generation)
    await machine.ack_feed("machine-1", entry.feed_seq)

    again = await client.request("w", "thread/read", {"threadId": "t"}, request_id="r")
    receipt = await client.receipt("w", "r")
    assert (again.ok, again.response, again.state) == (True, 7, "completed")
    assert (receipt.state, receipt.delivered_at is not None) == ("completed", True)
    with pytest.raises(Conflict) as caught:
        await client.request("w", "thread/read", {"threadId": "other"}, request_id="r")
    assert caught.value.reason_code == "different_content"


async def test_stop_then_again_then_conflict_then_reattach(installation):
    client = await installation.client()
    await client.create_worker("w")

    assert (await client.stop_worker("w", reason="done")).idempotent_replay is False
    assert (await client.stop_worker("w")).idempotent_replay is True
    with pytest.raises(Conflict) as caught:
        await client.append_event("w", "worker.event", {})
    assert caught.value.reason_code == "worker_stopped"
    assert (await client.create_worker("w")).status == "running"
    assert (await client.append_event("w", "worker.event", {})).seq == 4


class TellingStore(MemoryTokenStore):
    """Says when something was saved."""

    def __init__(self):
        super().__init__()
        self.saved = asyncio.Event()

    def save(self, credentials):
        super().save(credentials)
        self.saved.set()


@pytest.mark.slow
async def test_a_token_that_ends_mid_stream_is_refreshed_and_the_stream_goes_on_at_the_cursor(installation):
    store = TellingStore()
    client = await installation.client(await installation.session(store))
    await client.create_worker("w")
    store.saved.clear()
    async with asyncio.timeout(30), client.follow("w", cursor=0, policy=QUICK) as follower:
        assert (await anext(follower)).seq == 1
        await installation.accounts.execute("update api.access_token set expires_at = clock_timestamp()")

        async def append_after_the_refresh() -> None:
            await store.saved.wait()
            await client.append_event("w", "worker.event", {})

        async with asyncio.TaskGroup() as group:
            group.create_task(append_after_the_refresh())
            assert (await anext(follower)).seq == 2


@pytest.mark.slow
async def test_a_revoked_session_signals_to_sign_in_and_keeps_the_cursor(installation):
    session = await installation.session()
    states = []
    session.on_state(lambda state: states.append(state.kind))
    client = await installation.client(session)
    await client.create_worker("w")
    async with asyncio.timeout(30), client.follow("w", cursor=0, policy=QUICK) as follower:
        assert (await anext(follower)).seq == 1
        await installation.accounts.execute("update api.session set ended_at = now(), end_reason = 'revoked'")
        with pytest.raises(SignInAgain):
            await anext(follower)
        assert (follower.cursor, follower.state.kind, states) == (1, "signed_out", ["signed_out"])

        await installation.sign_in(session)
        await client.append_event("w", "worker.event", {})
        assert (await anext(follower)).seq == 2


async def test_a_cursor_beyond_the_log_says_to_start_again(installation):
    client = await installation.client()
    await client.create_worker("w")
    async with asyncio.timeout(30), client.follow("w", cursor=99) as follower:
        with pytest.raises(StaleCursor) as caught:
            await anext(follower)
        assert caught.value.fact("latest_seq") == 1
        await follower.restart(0)
        assert (await anext(follower)).seq == 1


async def test_nobody_elses_worker_is_followed(installation):
    client = await installation.client()
    async with client.follow("nowhere", cursor=0) as follower:
        with pytest.raises(NotFound):
            await anext(follower)
        assert follower.state.kind == "refused"


async def test_the_handshake_is_acknowledged_by_the_machine(installation):
    client, machine = await installation.client(), await installation.machine()
    await client.create_worker("w")
    await machine.claim_lease("w", "machine-1")

    async def acknowledge() -> None:
        async with machine.follow_feed("machine-1", cursor=0) as feed:
            async for entry in feed:
                payload = (entry.body or {}).get("payload") or {}
                if payload.get("method") == "ios/handshake":
                    ack = {
                        "source": "autopilot-desktop",
                        "method": "desktop/handshake_ack",
                        "handshake_id": payload["handshake_id"],
                        "desktop_session_id": "start-1",
                        "occurred_at": payload["occurred_at"],
                    }
                    await machine.append_event("w", "worker.event", ack)
                    return

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(acknowledge())
        connected = await HandshakeClient(client, device_id="phone", source="autopilot-ios").run("w")

    assert (connected.machine_id, connected.desktop_session_id) == ("machine-1", "start-1")


async def test_the_id_of_a_call_is_in_the_log_here_and_in_the_ledger(installation, caplog):
    caplog.set_level(logging.INFO, "autopilot.client")
    client = await installation.client()
    await client.create_worker("w")
    await client.append_event("w", "worker.event", {}, event_id="e")
    await client.request("w", "thread/read", {}, request_id="r", wait_ms=0)

    lines = {
        line["operation"]: line["x_request_id"]
        for record in caplog.records
        if "operation" in (line := log.fields_of(record))
    }
    events = {event.eventType: event for event in await client.events("w", after=0)}
    assert events["worker.started"].xRequestId == lines["workers.create"]
    assert events["worker.event"].xRequestId == lines["workers.append"]
    assert events["worker.event"].eventId == "e"
    assert events["worker.request.received"].xRequestId == lines["workers.request"]
    assert (await client.receipt("w", "r")).x_request_id == lines["workers.request"]


async def test_signing_out_ends_the_session_for_good(installation):
    session = await installation.session()
    client = await installation.client(session)
    me = await client.me()
    assert me.user.email == "ada@example.com"
    await session.sign_out()

    with pytest.raises(SignInAgain):
        await client.me()
