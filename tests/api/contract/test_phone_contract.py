"""An existing phone client, written from sections 2 to 6 of the contract alone, and the facts it relies on."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from tests.api.contract.world import Person, World, envelope, error, frames
from tests.api.served import bearer, eventually


class Phone:
    """A long-poll client: a base URL, a token, a cursor for each worker. No part of our SDK."""

    def __init__(self, client: httpx2.AsyncClient, token: str) -> None:
        self.client = client
        self.headers = bearer(token)
        self.seen: list[dict[str, Any]] = []
        self.cursor = 0

    async def json(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.client.request(
            method, f"/api/runtime/codex/workers{path}", headers=self.headers, json=body if method == "POST" else None
        )
        return answer.json()["data"]

    async def poll(self, worker_id: str, tail_ms: int = 200) -> list[dict[str, Any]]:
        path = f"/api/runtime/codex/workers/{worker_id}/stream?cursor={self.cursor}&tail_ms={tail_ms}"
        text = (await self.client.get(path, headers=self.headers)).text
        found = []
        for block in text.split("\n\n"):
            lines = block.split("\n")
            data = [line[6:] for line in lines if line.startswith("data: ")]
            if data:
                event = json.loads(data[0])
                assert [line for line in lines if line.startswith("id: ")] == [f"id: {event['seq']}"]
                assert f"event: codex.{event['eventType']}" in lines
                found.append(event)
                self.cursor = event["seq"]
        self.seen += found
        return found


async def test_a_phone_lists_reads_follows_shakes_hands_asks_and_stops(world: World, ada: Person):
    machine = await ada.machine()
    worker = await ada.open_worker(adapter="desktop_bridge", workspace_ref="desktop:///src")
    lease = (await machine.post(f"/workers/{worker}/lease", {"machine_id": machine.worker_id, "ttl_ms": 60000})).json()
    phone = Phone(world.api.client, ada.token)

    listed = await phone.json("GET", "?status=running")
    assert [one["worker_id"] for one in listed if one["adapter"] == "desktop_bridge"] == [worker]
    snapshot = await phone.json("GET", f"/{worker}")
    assert (snapshot["status"], snapshot["workspace_ref"]) == ("running", "desktop:///src")

    handshake = {
        "source": "autopilot-ios",
        "method": "ios/handshake",
        "handshake_id": "h1",
        "device_id": "phone",
        "occurred_at": datetime.now(UTC).isoformat(),
    }
    phone.cursor = snapshot["latest_seq"]
    await phone.json("POST", f"/{worker}/events", {"event": {"event_type": "worker.event", "payload": handshake}})
    ack = {**handshake, "source": "autopilot-desktop", "method": "desktop/handshake_ack", "desktop_session_id": "d1"}
    del ack["device_id"]
    body = {
        "events": [{"event_type": "worker.event", "event_id": "ack:h1", "payload": ack}],
        "generation": lease["data"]["generation"],
    }
    assert (await machine.post(f"/workers/{worker}/events", body)).status_code == 202
    events = await phone.poll(worker)
    acks = [one for one in events if one["payload"].get("method") == "desktop/handshake_ack"]
    assert [(one["payload"]["handshake_id"], one["actor"]["machine_id"]) for one in acks] == [("h1", machine.worker_id)]

    asked = await world.api.client.post(
        f"/api/runtime/codex/workers/{worker}/requests?wait_ms=0",
        headers=phone.headers,
        json={"request": {"request_id": "r1", "method": "turn/start", "params": {"input": []}}},
    )
    assert asked.status_code == 202
    assert asked.json()["data"]["state"] in {"accepted", "delivered"}

    stopped = await phone.json("POST", f"/{worker}/stop", {"reason": "enough"})
    assert (stopped["worker_id"], stopped["status"]) == (worker, "stopping")
    await phone.poll(worker)
    seqs = [one["seq"] for one in phone.seen]
    assert seqs == list(range(snapshot["latest_seq"] + 1, seqs[-1] + 1))


async def test_create_answers_in_the_contracts_shape_and_is_idempotent(ada: Person):
    body = {"worker_id": "desktopw:create", "workspace_ref": "x", "metadata": {"b": 1, "a": None}}
    first, again = await ada.post("/workers", body), await ada.post("/workers", body)

    assert first.status_code == 202
    assert first.json() == {
        "data": {"workerId": "desktopw:create", "status": "running", "latestSeq": 1, "idempotentReplay": False}
    }
    assert again.status_code == 200
    assert again.json()["data"]["idempotentReplay"] is True
    assert (await ada.get("/workers/desktopw%3Acreate")).json()["data"]["worker_id"] == "desktopw:create"


async def test_a_payload_comes_back_as_it_was_sent(ada: Person):
    raw = '{"z":12345678901234567890123,"a":[1.50,null,"\\u00e9\\ud83d\\ude00"],"k":{"y":1,"x":2}}'
    content = '{"event":{"event_type":"worker.event","event_id":"raw","payload":' + raw + "}}"
    answer = await ada.call(
        "POST", f"/workers/{ada.worker_id}/events", content=content, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 202
    [frame] = await ada.read_stream(ada.worker_id, answer.json()["data"]["seq"] - 1)
    assert f'"payload":{raw}' in frame["data"]


async def test_an_envelope_says_who_when_and_with_which_request(ada: Person):
    body = {"event": {"event_type": "worker.event", "event_id": "e1", "payload": {"actor": "forged"}}}
    headers = {"x-request-id": "phone-42", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    sent = await ada.post(f"/workers/{ada.worker_id}/events", body, headers=headers)

    assert sent.headers["x-request-id"] == "phone-42"
    seq = sent.json()["data"]["seq"]
    [frame] = await ada.read_stream(ada.worker_id, seq - 1)
    found = envelope(frame)
    assert list(found) == ["workerId", "seq", "eventType", "payload", "occurredAt", "actor", "xRequestId", "eventId"]
    assert (frame["id"], frame["event"]) == (str(seq), "codex.worker.event")
    assert (found["xRequestId"], found["eventId"], found["payload"]) == ("phone-42", "e1", {"actor": "forged"})
    assert (found["actor"]["user_id"], found["actor"]["surface"]) == (ada.user_id, "sdk")
    assert found["occurredAt"].endswith("Z")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(found["occurredAt"])) < timedelta(minutes=1)


async def test_the_next_frame_is_cursor_plus_one_and_last_event_id_means_the_same(ada: Person):
    seqs = [await ada.append(ada.worker_id, n=n) for n in range(5)]

    assert [int(frame["id"]) for frame in await ada.read_stream(ada.worker_id, seqs[1])] == seqs[2:]
    by_header = await ada.get(f"/workers/{ada.worker_id}/stream?tail_ms=200", headers={"last-event-id": str(seqs[2])})
    assert [int(frame["id"]) for frame in frames(by_header.text)] == seqs[3:]
    both = await ada.get(
        f"/workers/{ada.worker_id}/stream?tail_ms=200&cursor={seqs[2]}", headers={"last-event-id": str(seqs[2])}
    )
    assert both.status_code == 200


async def test_a_long_poll_stays_open_for_its_time_also_after_frames_and_wakes_at_once(ada: Person):
    loop = asyncio.get_running_loop()
    await ada.append(ada.worker_id)
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        poll = group.create_task(ada.read_stream(ada.worker_id, 0, tail_ms=700))
        await eventually(lambda: ada.world.api.app.state.api.watch.count > 0)
        seq = await ada.append(ada.worker_id, n="live")
    assert 0.65 < loop.time() - began < 3
    assert [int(frame["id"]) for frame in poll.result()] == list(range(1, seq + 1))


async def test_without_a_cursor_a_stream_begins_now(ada: Person):
    await ada.append(ada.worker_id)
    answer = await ada.get(f"/workers/{ada.worker_id}/stream?tail_ms=100")

    assert frames(answer.text) == []
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"


async def test_control_frames_come_only_to_those_who_ask(ada: Person):
    path = f"/workers/{ada.worker_id}/stream?cursor=0&tail_ms=100"
    asked, not_asked = await ada.get(f"{path}&frames=control"), await ada.get(path)

    assert [frame["event"] for frame in frames(asked.text)] == [
        "codex.stream.open",
        "codex.worker.started",
        "codex.stream.caught_up",
        "codex.stream.bye",
    ]
    assert [frame["event"] for frame in frames(not_asked.text)] == ["codex.worker.started"]


async def test_stop_is_202_then_200_then_409_until_reattached(ada: Person):
    stop = f"/workers/{ada.worker_id}/stop"
    first, again = await ada.post(stop), await ada.post(stop, {})

    assert (first.status_code, first.json()["data"]["status"]) == (202, "stopped")
    assert (again.status_code, again.json()["data"]["idempotent_replay"]) == (200, True)
    body = {"event": {"event_type": "worker.event", "payload": {}}}
    error(await ada.post(f"/workers/{ada.worker_id}/events", body), 409, "conflict", "worker_stopped")
    reattached = await ada.post("/workers", {"worker_id": ada.worker_id})
    assert (reattached.status_code, reattached.json()["data"]["status"]) == (202, "running")
    assert (await ada.post(f"/workers/{ada.worker_id}/events", body)).status_code == 202


async def test_the_same_request_id_is_the_same_receipt(ada: Person):
    body = {"request": {"request_id": "r", "method": "turn/start", "params": {"n": 1}}}
    path = f"/workers/{ada.worker_id}/requests"
    first, again = await ada.post(f"{path}?wait_ms=0", body), await ada.post(f"{path}?wait_ms=0", body)

    assert first.status_code == again.status_code == 202
    assert first.json()["data"]["request_id"] == again.json()["data"]["request_id"] == "r"
    assert (await ada.get(f"{path}/r")).json()["data"]["state"] == "accepted"
    body["request"]["params"] = {"n": 2}
    error(await ada.post(f"{path}?wait_ms=0", body), 409, "conflict", "different_content")


async def test_pages_go_both_ways_without_a_stream(ada: Person):
    for n in range(6):
        await ada.append(ada.worker_id, n=n)
    path = f"/workers/{ada.worker_id}/events"

    assert [e["seq"] for e in (await ada.get(f"{path}?after=2&limit=3")).json()["data"]] == [3, 4, 5]
    before = [e["seq"] for e in (await ada.get(f"{path}?before=5&limit=2")).json()["data"]]
    assert sorted(before) == [3, 4]


async def test_a_batch_is_atomic(ada: Person):
    path = f"/workers/{ada.worker_id}/events"
    good = {"event_type": "worker.event", "event_id": "b1", "payload": {}}
    refused = await ada.post(path, {"events": [good, {"event_type": "worker.started", "event_id": "b2"}]})
    error(refused, 403, "forbidden")
    taken = await ada.post(path, {"events": [good, {**good, "event_id": "b2"}]})

    assert [one["duplicate"] for one in taken.json()["data"]] == [False, False]
    assert [one["seq"] for one in taken.json()["data"]] == [2, 3]
