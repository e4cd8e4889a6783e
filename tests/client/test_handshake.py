"""Only an acknowledgement with one's own id, by a machine, on the stream, in time, connects."""

from __future__ import annotations

import asyncio
import json

import pytest

from autopilot.client import HandshakeClient, HandshakeTimeout, RuntimeCodexClient
from autopilot.testing.clock import FakeClock
from autopilot.testing.streaming_server import StreamingServer


@pytest.fixture
async def server():
    async with StreamingServer() as running:
        yield running


async def asked(server: StreamingServer) -> dict:
    async with asyncio.timeout(30):
        while "w" not in server.logs or not server.logs["w"].frames or not server.openings:
            await server.changed()
    return json.loads(server.logs["w"].frames[0])["payload"]


def acknowledge(server: StreamingServer, handshake_id: str, **envelope) -> None:
    ack = {"source": "autopilot-desktop", "method": "desktop/handshake_ack", "handshake_id": handshake_id}
    by_machine = {"actor": {"surface": "companion", "machine_id": "m"}}
    server.append("w", {**ack, "desktop_session_id": "d", "occurred_at": "x"}, **{**by_machine, **envelope})


async def test_it_connects_on_its_own_acknowledgement(server):
    async with (
        RuntimeCodexClient(server.url, "token") as client,
        asyncio.timeout(30),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(HandshakeClient(client, device_id="phone", source="autopilot-ios").run("w"))
        payload = await asked(server)
        acknowledge(server, payload["handshake_id"])

    connected = running.result()
    assert payload["method"] == "ios/handshake"
    assert (payload["source"], payload["device_id"]) == ("autopilot-ios", "phone")
    assert payload["occurred_at"]
    assert (connected.machine_id, connected.desktop_session_id) == ("m", "d")
    assert (connected.asked_seq, connected.acked_seq) == (1, 2)


async def test_it_believes_nobody_else(server):
    """Another's acknowledgement, one by a person, one of another type, one by another machine: none of them."""
    clock = FakeClock()
    async with (
        RuntimeCodexClient(server.url, "token", clock=clock) as client,
        asyncio.timeout(30),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(failing(HandshakeClient(client, device_id="p").run("w", machine_id="m")))
        handshake_id = (await asked(server))["handshake_id"]
        acknowledge(server, "another's")
        acknowledge(server, handshake_id, actor={"surface": "sdk", "user_id": 1})
        acknowledge(server, handshake_id, event_type="worker.response")
        acknowledge(server, handshake_id, actor={"surface": "companion", "machine_id": "other"})
        while server.openings[0].sent < 4:
            await server.changed()
        await clock.advance(29.9)
        assert not running.done()
        await clock.advance(0.2)

    error = running.result()
    assert isinstance(error, HandshakeTimeout)
    assert error.fact("asked_seq") == 1


async def test_a_timeout_says_when_not_even_the_question_is_recorded():
    clock = FakeClock()
    async with (
        asyncio.timeout(30),
        RuntimeCodexClient("http://127.0.0.1:9", "token", transport=Never(), clock=clock) as client,
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(failing(HandshakeClient(client, device_id="p").run("w")))
        await clock.until_sleeping()
        await clock.advance(30)

    assert running.result().fact("asked_seq") is None


async def failing(work):
    try:
        await work
    except Exception as error:  # noqa: BLE001 - the subject of the test
        return error
    raise AssertionError("it did not fail")


class Never:
    """A network without an answer."""

    async def handle_async_request(self, _request):
        await asyncio.Event().wait()

    async def aclose(self):
        pass

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass
