"""Whatever a server says, the SDK raises errors of the contract's tree, or reads on: never an error of Python's own."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime

import httpx2
import pytest

from autopilot.client import Credentials, Follower, Joiner, MemoryTokenStore, RuntimeCodexClient, Session
from autopilot.client.http import Http
from autopilot.contract import PairingDevice
from autopilot.contract.errors import AutopilotError, UnknownError
from autopilot.testing.clock import FakeClock

DEEP = b"[" * 200_000
DEEP_OBJECT = b'{"data":' * 100_000
HUGE = "9" * 4000
HUGER = "9" * 5000  # more digits than Python takes for a number
WELL_FORMED = b'id: 1\nevent: codex.worker.event\ndata: {"seq": 1}\n\n'
NAMES = ("error", "code", "message", "details", "data", "next", "latest_seq", "retry_ms", "token", "refresh_token")
NAMES += ("expires_in", "userId", "user", "id", "worker_id", "machine_id", "seq", "payload", "request_id", "status")


def odd_json(rng, depth=0):
    """Any JSON text, with our own names in it, and what no parser likes."""
    kind = rng.randrange(12 if depth < 4 else 9)
    match kind:
        case 0:
            return rng.choice(["null", "true", "-1", "0", "1e999", "NaN", "0.5", HUGE, HUGER])
        case 1:
            return rng.choice(["[" * 100_000, '{"a":' * 100_000, "[" * 20_000 + "]" * 20_000, '"', "{", "tru"])
        case 2 | 3 | 4:
            return json.dumps(rng.choice(["", "x", "\ud800", "\x00", "running", "2026-11-22T00:00:00Z"]))
        case 5 | 6 | 7 | 8:
            return str(rng.randrange(10**6))
        case 9:
            return "[" + ",".join(odd_json(rng, depth + 1) for _ in range(rng.randrange(4))) + "]"
    names = rng.sample(NAMES, rng.randrange(8))
    return "{" + ",".join(f'"{name}":{odd_json(rng, depth + 1)}' for name in names) + "}"


class QuickClock(FakeClock):
    """Sleeps take no time."""

    async def sleep(self, seconds):
        self._elapsed += seconds


class Stream:
    def __init__(self, content):
        self.content = content

    async def read(self):
        content, self.content = self.content, None
        return content

    async def aclose(self):
        pass


class Source:
    """Streams of these contents, then one with a well-formed frame."""

    def __init__(self, *contents):
        self.contents = [*contents, WELL_FORMED]

    async def open(self, cursor, tail_ms):  # noqa: ARG002  a source's shape
        return Stream(self.contents.pop(0))


def client_of(status, body, retry_after="1"):
    headers = [(b"retry-after", retry_after.encode("latin-1"))]
    answer = httpx2.Response
    transport = httpx2.MockTransport(lambda _: answer(status, stream=httpx2.ByteStream(body), headers=headers))
    return RuntimeCodexClient("http://api.test", "token", transport=transport, clock=QuickClock())


CALLS = [
    lambda client: client.machines(),
    lambda client: client.list_workers(),
    lambda client: client.worker("w"),
    lambda client: client.request("w", "turn/start", request_id="r"),
    lambda client: client.append_event("w", "worker.event", event_id="e"),
    lambda client: client.open_stream("w", 0),
]


@pytest.mark.parametrize("body", [DEEP, DEEP_OBJECT, b'{"data":%s}' % HUGER.encode(), b'{"error":{"details":5}}'])
@pytest.mark.parametrize("status", [200, 403, 409, 500])
async def test_an_answer_that_no_parser_takes_is_an_error_of_ours(status, body):
    for ask in CALLS:
        async with client_of(status, body) as client:
            with pytest.raises(AutopilotError) as caught:
                await ask(client)
            assert (caught.value.status or 200) == status


@pytest.mark.seeds(10, 2000)
async def test_whatever_is_answered_the_errors_are_ours(seed):
    rng = random.Random(seed)
    for _ in range(20):
        body = odd_json(rng).encode("utf-8", "surrogatepass")
        retry_after = rng.choice(["-1", "1", HUGE, "soon", "²", "Sun, 22 Nov 99999 00:00:00 GMT"])
        async with client_of(rng.choice([200, 202, 400, 401, 409, 422, 429, 503]), body, retry_after) as client:
            try:
                await rng.choice(CALLS)(client)
            except AutopilotError:
                continue


@pytest.mark.parametrize(
    "frame",
    [
        b"event: codex.stream.open\ndata: " + DEEP + b"\n\n",
        b"event: codex.stream.bye\ndata: " + DEEP_OBJECT + b"\n\n",
        b'event: codex.stream.open\ndata: {"latest_seq": ' + HUGE.encode() + b"}\n\n",
        b'event: codex.stream.bye\ndata: {"retry_ms": ' + HUGE.encode() + b"}\n\n",
        b"id: 1\nevent: codex.worker.event\ndata: " + DEEP + b"\n\n",
        b"id: " + HUGER.encode() + b"\nevent: codex.worker.event\ndata: {}\n\n",
    ],
    ids=["open", "bye", "latest_seq", "retry_ms", "event", "id"],
)
async def test_a_frame_that_no_parser_takes_is_passed_over_or_read_again(frame):
    follower = Follower(Source(frame), lambda value: value["seq"], cursor=0, clock=QuickClock())
    async with asyncio.timeout(30), follower:
        assert await anext(follower) == 1


@pytest.mark.seeds(10, 2000)
async def test_whatever_is_streamed_what_is_whole_is_handed_out(seed):
    rng = random.Random(seed)
    kinds = ["codex.stream.open", "codex.stream.bye", "codex.stream.caught_up", "codex.worker.event"]
    frames = [f"event: {rng.choice(kinds)}\ndata: {odd_json(rng)}\n\n".encode() for _ in range(10)]
    follower = Follower(Source(*frames), lambda value: value["seq"], cursor=0, clock=QuickClock())
    async with asyncio.timeout(30), follower:
        assert await anext(follower) == 1


@pytest.mark.parametrize("expires_in", ["1" + "0" * 20, "-5", HUGE, "[]"])
async def test_a_session_of_no_sensible_life_is_refused_and_not_kept(expires_in):
    body = '{"ok":true,"userId":7,"user":{"id":7,"email":"e"},"token":"t","refresh_token":"r","expires_in":%s}'
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, content=(body % expires_in).encode()))
    held = Credentials(access_token="a", refresh_token="r0", expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    store = MemoryTokenStore(held)
    async with Session("http://api.test", store, transport=transport, clock=QuickClock()) as session:
        with pytest.raises(UnknownError):
            await session.renew("a")
    assert store.load() == held
    async with Http("http://api.test", tokens=None, transport=transport, clock=QuickClock()) as http:
        with pytest.raises(UnknownError):
            await Joiner(http, PairingDevice(), clock=QuickClock()).collect(store)
    assert store.load() == held
