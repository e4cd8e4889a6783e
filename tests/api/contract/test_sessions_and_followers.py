"""Sessions and streams together, over the real runtime: revocation, refresh and resume, and many followers."""

from __future__ import annotations

import asyncio

import httpx2
from tests.api.contract.world import Person, World, frames
from tests.api.served import bearer


async def collect(client: httpx2.AsyncClient, path: str, token: str) -> str:
    async with asyncio.timeout(30), client.stream("GET", path, headers=bearer(token)) as response:
        assert response.status_code == 200
        return "".join([text async for text in response.aiter_text()])


async def test_a_token_that_expires_mid_stream_ends_it_and_the_refreshed_one_resumes_at_the_cursor(world: World):
    signed = await world.api.sign_in("walker@example.org")
    walker = Person(world, "walker@example.org", signed["userId"], signed["token"])
    worker = await walker.open_worker()
    path = f"/api/runtime/codex/workers/{worker}/stream?frames=control&cursor="
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(collect(world.api.client, f"{path}0", signed["token"]))
        await walker.append(worker, n=1)
        await world.api.pool.execute(
            "update api.access_token set expires_at = clock_timestamp() from api.session s "
            "where s.session_id = access_token.session_id and s.user_id = $1",
            signed["userId"],
        )
    first = frames(reading.result())
    assert first[-1]["event"] == "codex.stream.bye"
    cursor = max(int(frame["id"]) for frame in first if "id" in frame)

    refreshed = await world.api.client.post("/api/auth/refresh", json={"refresh_token": signed["refresh_token"]})
    walker.token = refreshed.json()["token"]
    await walker.append(worker, n=2)
    resumed = await walker.read_stream(worker, cursor)
    assert [int(frame["id"]) for frame in resumed] == [cursor + 1]


async def follow_to(client: httpx2.AsyncClient, path: str, token: str, last: int) -> list[int]:
    """The ids of the frames of a stream, until `last` has come."""
    text = ""
    async with client.stream("GET", path, headers=bearer(token)) as response:
        async for piece in response.aiter_text():
            text += piece
            if f"id: {last}\n" in text and text.endswith("\n\n"):
                break
    return [int(frame["id"]) for frame in frames(text)]


async def test_a_hundred_followers_see_every_event_once_and_in_order(world: World, ada: Person):
    followers, events = 100, 30
    path = f"/api/runtime/codex/workers/{ada.worker_id}/stream?cursor=1"
    limits = httpx2.Limits(max_connections=None)
    client = httpx2.AsyncClient(base_url=world.api.url, limits=limits, timeout=30, trust_env=False)
    async with asyncio.timeout(60), client, asyncio.TaskGroup() as group:
        reading = [group.create_task(follow_to(client, path, ada.token, events + 1)) for _ in range(followers)]
        for n in range(events):
            await ada.append(ada.worker_id, n=n)
    for one in reading:
        assert one.result() == list(range(2, events + 2))


async def test_signing_out_ends_streams_within_two_seconds(world: World, ada: Person):
    path = f"/api/runtime/codex/workers/{ada.worker_id}/stream?frames=control"
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(collect(world.api.client, path, ada.token))
        other = await world.api.mint(ada.email)
        while world.api.app.state.api.watch.count == 0:  # noqa: ASYNC110 - the stream has no event for being open
            await asyncio.sleep(0)
        await ada.post("/api/auth/signout")
        async with asyncio.timeout(2):
            text = await asyncio.shield(reading)
    assert '"reason":"revoked"' in text
    assert (await world.api.client.get("/api/runtime/codex/workers", headers=bearer(other.token))).status_code == 200
