"""Streams through the API: chunk by chunk, and every way they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, eventually, serving

from autopilot.api.settings import Limits
from autopilot.contract.errors import RateLimited, Unavailable

Following = tuple[httpx2.Response, AsyncIterator[bytes]]
STREAM = "/api/runtime/codex/workers/w/stream"
FRAME = b'id: 1\nevent: codex.worker.event\ndata: {"seq":1}\n\n'


@asynccontextmanager
async def following(api: ServedApi, token: str, query: str = "") -> AsyncIterator[Following]:
    async with asyncio.timeout(30), api.client.stream("GET", STREAM + query, headers=bearer(token)) as response:
        yield response, response.aiter_raw()


@pytest.fixture
async def token(api: ServedApi) -> str:
    return (await api.mint("ada@example.org")).token


async def test_a_chunk_reaches_the_client_before_the_next_one_exists(api: ServedApi, token: str):
    async with following(api, token) as (response, chunks):
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["cache-control"] == "no-cache"
        assert response.headers["x-accel-buffering"] == "no"
        for number in range(3):
            await api.runtime.chunks.put(FRAME + b"%d" % number)
            assert await anext(chunks) == FRAME + b"%d" % number
        await api.runtime.chunks.put(None)
        assert [chunk async for chunk in chunks] == []


async def test_the_runtimes_iterator_is_closed_when_the_client_leaves(api: ServedApi, token: str):
    async with following(api, token) as (_, chunks):
        await api.runtime.chunks.put(FRAME)
        await anext(chunks)
    async with asyncio.timeout(30):
        await api.runtime.closed.wait()


async def test_signing_out_ends_the_streams_of_the_session_at_once_and_no_others(api: ServedApi, token: str):
    other = (await api.mint("ada@example.org")).token
    async with following(api, token, "?frames=control") as (_, chunks), following(api, other) as (_, others):
        await api.client.post("/api/auth/signout", headers=bearer(token))
        bye = b"".join([chunk async for chunk in chunks])
        assert bye == b'event: codex.stream.bye\ndata: {"reason":"revoked","retry_ms":0}\n\n'
        await api.runtime.chunks.put(FRAME)
        assert await anext(others) == FRAME


async def test_a_stream_that_did_not_ask_for_control_frames_ends_without_one(api: ServedApi, token: str):
    async with following(api, token) as (_, chunks):
        await api.client.post("/api/auth/signout", headers=bearer(token))
        assert [chunk async for chunk in chunks] == []


@pytest.mark.parametrize(
    "change",
    [
        "update api.access_token set expires_at = clock_timestamp()",
        "update api.session set ended_at = clock_timestamp(), end_reason = 'revoked'",
        "update api.device set revoked_at = clock_timestamp()",
        "delete from api.user_account",
    ],
    ids=["token expired", "session revoked", "device revoked", "account gone"],
)
async def test_a_token_that_speaks_for_nobody_any_more_ends_its_streams_within_two_seconds(
    api: ServedApi, token: str, change: str
):
    async with following(api, token, "?frames=control") as (_, chunks):
        await api.pool.execute(change)
        assert b"codex.stream.bye" in b"".join([chunk async for chunk in chunks])
    assert Limits().watch_seconds <= 1.0  # each look ends what has to: the other second is for a busy machine


async def test_a_shutdown_says_goodbye_and_is_quick(database: str):
    async with serving(database, EchoRuntime()) as api:
        token = (await api.mint("ada@example.org")).token
        async with following(api, token, "?frames=control") as (_, chunks):
            api.server.stop()
            async with asyncio.timeout(2):
                said = b"".join([chunk async for chunk in chunks])
        assert said == b'event: codex.stream.bye\ndata: {"reason":"shutdown","retry_ms":1000}\n\n'


async def test_a_runtime_that_breaks_off_ends_the_stream_cleanly_and_says_so(api: ServedApi, token: str):
    async with following(api, token, "?frames=control") as (_, chunks):
        await api.runtime.chunks.put(FRAME)
        await api.runtime.chunks.put(Unavailable("gone", reason_code="runtime_unreachable"))
        assert b"".join([chunk async for chunk in chunks]).endswith(b'{"reason":"unavailable","retry_ms":2000}\n\n')


async def test_one_stream_too_many_is_429(database: str):
    async with serving(database, EchoRuntime(), limits=Limits(streams_per_session=1)) as api:
        token = (await api.mint("ada@example.org")).token
        other = (await api.mint("ada@example.org")).token
        async with following(api, token):
            refused = await api.client.get(STREAM, headers=bearer(token))
            assert refused.status_code == 429
            assert refused.json()["error"]["details"][0]["reason_code"] == "too_many_streams"
            async with following(api, other) as (response, _):
                assert response.status_code == 200
        await eventually(lambda: api.app.state.api.watch.count == 0)


async def test_a_client_that_does_not_read_holds_back_only_itself(api: ServedApi, token: str):
    big = b"data: " + b"x" * 1_000_000 + b"\n\n"
    async with following(api, token) as (_, lazy):
        for _ in range(30):
            await api.runtime.chunks.put(big)
        fine = await api.client.get("/api/runtime/codex/workers", headers=bearer(token))
        assert fine.status_code == 200
        await eventually(lambda: api.runtime.chunks.qsize() < 30)
        assert api.runtime.chunks.qsize() > 10  # not all of it was taken into memory
        received = 0
        async for chunk in lazy:
            received += len(chunk)
            if received >= 30 * len(big):
                break


async def test_while_accounts_cannot_be_read_streams_go_on_for_a_while_and_then_end(api: ServedApi, token: str):
    from autopilot.api.watch import StreamWatch
    from autopilot.testing.clock import FakeClock

    class Blind:
        async def live(self, _: list[bytes]) -> set[bytes]:
            raise Unavailable("down", reason_code="database_unreachable")

    clock = FakeClock()
    watch = StreamWatch(
        Blind(), clock, seconds=1.0, limit=10, session_limit=10, user_limit=10, address_limit=10
    )  # the database's part is what is missing
    grant = await api.app.state.api.grants.find(token)
    stream = watch.open(grant, "local")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(watch.run())
        await clock.until_sleeping()
        await clock.advance(29)
        assert stream.reason is None
        await clock.advance(3)
        assert stream.reason == "unavailable"
        running.cancel()


async def test_a_user_and_an_address_have_so_many_streams_and_calls(database: str):
    limits = Limits(streams_per_user=2, streams_per_address=3, sessions_per_user=0.000001)
    async with serving(database, EchoRuntime(), limits=limits) as api:
        grants, watch = api.app.state.api.grants, api.app.state.api.watch
        ada, bob = await api.mint("ada@example.org"), await api.mint("bob@example.org")
        also_ada = await grants.find((await api.mint("ada@example.org")).token)
        of_ada, of_bob = await grants.find(ada.token), await grants.find(bob.token)

        held = [watch.open(of_ada, "192.0.2.1"), watch.open(of_ada, "192.0.2.2")]
        with pytest.raises(RateLimited):
            watch.open(also_ada, "192.0.2.3")
        held += [watch.open(of_bob, "192.0.2.1"), watch.open(of_bob, "192.0.2.1")]
        with pytest.raises(RateLimited):
            watch.open(of_bob, "192.0.2.1")
        watch.close(held.pop(0))
        watch.open(also_ada, "192.0.2.1")

        answers = [await api.client.get("/api/me", headers=bearer(bob.token)) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert "user_rate" in answers[-1].text
