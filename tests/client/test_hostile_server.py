"""Whatever a server says, the SDK raises errors of the contract's tree, or reads on: never an error of Python's own."""

from __future__ import annotations

import asyncio
import json
import random
import zlib
from datetime import UTC, datetime

import httpx2
import pytest

from autopilot.client import (
    AnswerBounds,
    AnswerTooLarge,
    Credentials,
    Follower,
    Joiner,
    MemoryTokenStore,
    RuntimeCodexClient,
    Session,
)
from autopilot.client.doubt import leaves_doubt
from autopilot.client.http import Http
from autopilot.contract import ArtifactRef, PairingDevice, RequestOutcome
from autopilot.contract.errors import AutopilotError, NetworkError, UnknownError
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


class Endless(httpx2.AsyncByteStream):
    """A body that never ends: `piece` after `piece`, each after `pause_seconds`."""

    def __init__(self, piece, pause_seconds=0.0):
        self.piece, self.pause_seconds = piece, pause_seconds
        self.given_bytes, self.is_closed = 0, False

    async def __aiter__(self):
        while True:
            await asyncio.sleep(self.pause_seconds)
            self.given_bytes += len(self.piece)
            yield self.piece

    async def aclose(self):
        self.is_closed = True


SMALL = AnswerBounds(most_bytes=1_000_000, whole_seconds=0.2)


def bounded_client(body, status=200, headers=()):
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, stream=body, headers=list(headers)))
    return RuntimeCodexClient("http://api.test", "token", transport=transport, clock=QuickClock(), bounds=SMALL)


@pytest.mark.parametrize("zipped", [False, True])
async def test_of_an_answer_without_end_no_more_is_read_than_the_bound(zipped):
    piece = zlib.compress(b" " * 2**24) if zipped else b" " * 2**16
    body = Endless(piece)
    async with (
        asyncio.timeout(10),
        bounded_client(body, headers=[(b"content-encoding", b"deflate")] * zipped) as client,
    ):
        with pytest.raises(AnswerTooLarge) as caught:
            await client.request("w", "turn/start", request_id="r")
    assert (caught.value.status, caught.value.reason_code) == (200, "answer_too_large")
    assert leaves_doubt(caught.value)
    assert body.is_closed
    assert body.given_bytes <= SMALL.most_bytes + len(piece)


async def test_a_refusal_without_end_is_the_refusal_that_its_status_says():
    async with asyncio.timeout(10), bounded_client(Endless(b" " * 2**16), status=422) as client:
        with pytest.raises(UnknownError) as caught:
            await client.worker("w")
    assert caught.value.status == 422


@pytest.mark.parametrize("ask", [*CALLS[:3], *CALLS[4:], lambda client: client.request("w", "m", wait_ms=0)])
@pytest.mark.parametrize("status", [200, 409])
async def test_an_answer_that_drips_is_given_up(ask, status):
    body = Endless(b" ", pause_seconds=0.01)
    async with asyncio.timeout(10), bounded_client(body, status=status) as client:
        with pytest.raises((NetworkError, UnknownError)) as caught:
            await ask(client)
    is_no_stream = caught.value.reason_code == "malformed_answer"  # what stands in a stream's place is not read on
    assert is_no_stream or (caught.value.reason_code, caught.value.fact("outcome")) == ("timeout", "unknown")
    assert body.is_closed


class DrippingHead(asyncio.Protocol):
    """Begins an answer whose head never ends."""

    def __init__(self, left):
        self.left = left

    def connection_made(self, transport):
        transport.write(b"HTTP/1.1 200 OK\r\n")
        self.drip(transport)

    def drip(self, transport):
        if not transport.is_closing():
            transport.write(b"x-a: b\r\n")
            asyncio.get_running_loop().call_later(0.01, self.drip, transport)

    def connection_lost(self, _error):
        self.left.release()


@pytest.mark.parametrize("ask", [CALLS[0], CALLS[-1]], ids=["call", "stream"])
async def test_a_head_that_drips_is_given_up(ask):
    left, bounds = asyncio.Semaphore(0), AnswerBounds(whole_seconds=0.2)
    server = await asyncio.get_running_loop().create_server(lambda: DrippingHead(left), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with asyncio.timeout(10), server, RuntimeCodexClient(url, "t", clock=QuickClock(), bounds=bounds) as client:
        with pytest.raises(NetworkError) as caught:
            await ask(client)
        await left.acquire()
    assert caught.value.reason_code == "timeout"


async def test_who_asks_whether_anybody_answers_waits_no_longer_for_one_that_drips():
    body = Endless(b" ", pause_seconds=0.01)
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, stream=body))
    async with asyncio.timeout(10), RuntimeCodexClient("http://api.test", "token", transport=transport) as client:
        with pytest.raises(NetworkError):
            await client.worker("w", within_seconds=0.1)


def outcome_of(size_bytes):
    part = ArtifactRef(
        artifact_id="a",
        path="/response",
        bytes=size_bytes,
        sha256="0" * 64,
        media_type="text/plain",
        head_bytes=0,
        tail_bytes=0,
    )
    return RequestOutcome(worker_id="w", request_id="r", state="succeeded", response="", artifacts=(part,))


@pytest.mark.parametrize("said_bytes", [1000, 2**40])
async def test_a_part_without_end_is_not_read_beyond_what_it_was_said_to_be(said_bytes):
    body = Endless(b"x" * 400)
    async with asyncio.timeout(10), bounded_client(body, headers=[(b"content-type", b"text/plain")]) as client:
        with pytest.raises(AnswerTooLarge):
            await client.whole_response(outcome_of(said_bytes))
    assert body.given_bytes <= 1200


async def test_a_part_that_drips_is_given_up():
    clock = QuickClock()

    class Slow(Endless):
        async def __aiter__(self):
            async for piece in super().__aiter__():
                await clock.sleep(20.0)
                yield piece

    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, stream=Slow(b"x"), headers={"content-type": "text/plain"})
    )
    async with (
        asyncio.timeout(10),
        RuntimeCodexClient("http://api.test", "t", transport=transport, clock=clock) as client,
    ):
        with pytest.raises(NetworkError):
            await client.whole_response(outcome_of(10_000))
    assert clock.monotonic() < 1000
