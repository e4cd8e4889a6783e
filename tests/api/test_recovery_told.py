"""A recovery is on every stream of everything of its user at once, and of nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.api.passkeys import ADA, EVE, Passkeyed, served
from tests.api.served import EchoRuntime, ServedApi, bearer, serving
from tests.api.test_recovery import by_mail
from tests.authenticator import SoftPasskey

from autopilot.api.settings import ApiSettings
from autopilot.cli.recoveries import Recoveries
from autopilot.client import RuntimeCodexClient
from autopilot.contract import StateRecovery

GENEROUS_SECONDS = 30.0
"""Of a loaded machine; the promise to users is 2 s."""
EVERYTHING = "/api/runtime/codex/stream"
OPEN = b'event: codex.stream.open\ndata: {"latest_seq":0,"oldest_seq":0}\n\n'
STATE = b"event: codex.state.worker\ndata: {}\n\n"


@pytest.fixture
async def api(database: str) -> AsyncIterator[ServedApi]:
    async with served(database) as made:
        yield made


@pytest.fixture
async def ada(api: ServedApi) -> Passkeyed:
    return await Passkeyed.sign_in(api)


@pytest.fixture
async def passkey(ada: Passkeyed) -> SoftPasskey:
    return await ada.registered()


class Frames:
    """The frames of a stream, one after the other."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    async def next(self) -> tuple[str, dict[str, Any]]:
        async with asyncio.timeout(GENEROUS_SECONDS):
            while b"\n\n" not in self._left:
                self._left += await anext(self._chunks)
        frame, _, self._left = self._left.partition(b"\n\n")
        fields = dict(line.split(": ", 1) for line in frame.decode().splitlines())
        assert "id" not in fields
        return fields["event"], json.loads(fields["data"])


@asynccontextmanager
async def everything(api: ServedApi, token: str, query: str = "?frames=control") -> AsyncIterator[Frames]:
    async with api.client.stream("GET", EVERYTHING + query, headers=bearer(token), timeout=None) as response:
        assert response.status_code == 200
        yield Frames(response.aiter_raw())


@pytest.mark.parametrize("end", ["confirm", "revoke"])
async def test_what_is_open_is_told_what_came_in_from_where_and_until_when_and_when_that_is_over(
    api: ServedApi, ada: Passkeyed, passkey: SoftPasskey, end: str
):
    async with everything(api, ada.token) as frames:
        await api.runtime.chunks.put(OPEN)
        assert (await frames.next())[0] == "codex.stream.open"

        _, device = await by_mail(api, "Somewhere")
        event, told = await frames.next()

        assert event == "codex.state.recovery"
        assert told == {
            "state": "held",
            "device_id": device["device_id"],
            "device_name": "Somewhere",
            "platform": None,
            "surface": device["surface"],
            "address": "127.0.0.1",
            "began_at": told["began_at"],
            "held_until": device["held_until"],
        }
        assert (await ada.post(f"/api/devices/{device['device_id']}/{end}")).status_code == 200
        assert await frames.next() == ("codex.state.recovery", {**told, "state": "over"})


@pytest.mark.parametrize("query", ["?frames=control", ""])
async def test_a_stream_that_opens_during_the_hold_begins_with_it(
    api: ServedApi, ada: Passkeyed, passkey: SoftPasskey, query: str
):
    _, device = await by_mail(api)

    async with everything(api, ada.token, query) as frames:
        if query:
            await api.runtime.chunks.put(OPEN)
            assert (await frames.next())[0] == "codex.stream.open"
        event, told = await frames.next()
        await api.runtime.chunks.put(STATE)
        assert (await frames.next())[0] == "codex.state.worker"

    assert (event, told["device_id"], told["state"]) == ("codex.state.recovery", device["device_id"], "held")


async def test_it_is_told_on_another_node_too(database: str, api: ServedApi, ada: Passkeyed, passkey: SoftPasskey):
    async with (
        serving(database, EchoRuntime(), settings=ApiSettings()) as other,
        everything(other, ada.token) as frames,
    ):
        await other.runtime.chunks.put(OPEN)
        await frames.next()
        _, device = await by_mail(api)
        event, told = await frames.next()
    assert (event, told["device_id"]) == ("codex.state.recovery", device["device_id"])


async def test_nobody_else_is_told(api: ServedApi, ada: Passkeyed, passkey: SoftPasskey):
    eve = await Passkeyed.sign_in(api, EVE)
    machine = await api.mint(ADA, "execute", "observe", machine_id="desk", surface="companion")
    await by_mail(api)
    recoveries = api.app.state.api.recoveries
    for token in (eve.token, machine.token):
        async with everything(api, token) as frames:
            await api.runtime.chunks.put(OPEN)
            assert (await frames.next())[0] == "codex.stream.open"
            await by_mail(api, "Again")
            await recoveries.look()
            await api.runtime.chunks.put(STATE)
            assert (await frames.next())[0] == "codex.state.worker"


async def test_a_stream_of_one_worker_has_no_such_frame(api: ServedApi, ada: Passkeyed, passkey: SoftPasskey):
    await by_mail(api)
    async with api.client.stream("GET", "/api/runtime/codex/workers/w/stream", headers=bearer(ada.token)) as response:
        await api.runtime.chunks.put(STATE)
        await api.runtime.chunks.put(None)
        assert b"".join([chunk async for chunk in response.aiter_raw()]) == STATE


async def test_a_hold_that_is_over_by_the_clock_is_told(api: ServedApi, ada: Passkeyed, passkey: SoftPasskey):
    await by_mail(api)
    async with everything(api, ada.token) as frames:
        await api.runtime.chunks.put(OPEN)
        await frames.next()
        assert (await frames.next())[1]["state"] == "held"
        await api.pool.execute("update api.session set held_until = clock_timestamp() where held_until is not null")
        assert (await frames.next())[1]["state"] == "over"


async def test_the_sdk_hands_it_out_beside_everything(api: ServedApi, ada: Passkeyed, passkey: SoftPasskey):
    _, device = await by_mail(api)
    async with (
        asyncio.timeout(GENEROUS_SECONDS),
        RuntimeCodexClient(api.url, ada.token) as client,
        client.follow_everything() as entries,
    ):
        await api.runtime.chunks.put(OPEN)
        found = [await anext(entries) for _ in range(2)]
    assert isinstance(found[1], StateRecovery)
    assert (found[1].device_id, found[1].state) == (device["device_id"], "held")


async def test_a_terminal_that_watches_says_it_once_of_each_and_not_of_itself(
    api: ServedApi, ada: Passkeyed, passkey: SoftPasskey
):
    watching = Recoveries()
    async with RuntimeCodexClient(api.url, ada.token) as client:
        assert await watching.news(client) == []
        came, device = await by_mail(api, "Somewhere")
        [said] = await watching.news(client)
        again = await watching.news(client)
    async with RuntimeCodexClient(api.url, came.token) as client:
        of_itself = await Recoveries().news(client)

    assert "Somewhere from 127.0.0.1" in said
    assert f"autopilot devices revoke {device['device_id']}" in said
    assert (again, of_itself) == ([], [])


async def test_a_terminal_of_whom_may_not_list_devices_asks_for_them_once_at_most(api: ServedApi, ada: Passkeyed):
    executor = await api.mint(ADA, "execute", machine_id="desk", surface="companion")
    watching = Recoveries()
    async with RuntimeCodexClient(api.url, executor.token) as client:
        assert await watching.news(client) == []
    assert not watching.is_asked
