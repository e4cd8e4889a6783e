"""Four chains of calls against a running deployment: `make staging URL=…`; in every other run, against a local one.

With AUTOPILOT_STAGING_URL they go there, with the session of `autopilot login`; the last chain waits for an access
token to expire (as long as the deployment says) and signs that session out at its end.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.e2e.installation import running_up

from autopilot.cli.logins import store_of
from autopilot.client import (
    Credentials,
    MemoryTokenStore,
    RuntimeCodexClient,
    Session,
    SignInAgain,
    TokenStore,
    has_ended,
)
from autopilot.client.calls import new_id
from autopilot.contract import Envelope
from autopilot.contract.errors import Conflict

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STAGING_URL = os.environ.get("AUTOPILOT_STAGING_URL")
LOCAL_ACCESS_SECONDS = "4"


@dataclass
class Deployment:
    """Where the chains go, and who asks."""

    url: str
    store: TokenStore

    @asynccontextmanager
    async def client(self) -> AsyncIterator[RuntimeCodexClient]:
        async with (
            Session(self.url, self.store, surface="cli") as session,
            RuntimeCodexClient(self.url, session, surface="cli") as client,
        ):
            yield client


@pytest.fixture(scope="module")
async def deployment(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    if STAGING_URL:
        yield Deployment(STAGING_URL.rstrip("/"), store_of(STAGING_URL.rstrip("/"), os.environ))
        return
    home = tmp_path_factory.mktemp("staging") / "home"
    async with running_up(home, AUTOPILOT_ACCESS_SECONDS=LOCAL_ACCESS_SECONDS) as up:
        minted = _credentials(up.url, (await up.cli("token", "--json")).json)
        store = MemoryTokenStore(minted)
        async with Session(up.url, store, surface="cli") as session:
            await session.renew(minted.access_token)  # the server's own tokens live as short as it was told
        yield Deployment(up.url, store)


def _credentials(url: str, signed_in: dict[str, Any]) -> Credentials:
    return Credentials(
        access_token=signed_in["token"],
        refresh_token=signed_in["refresh_token"],
        expires_at=datetime.now(UTC) + timedelta(seconds=signed_in["expires_in"]),
        base_url=url,
    )


async def _desktop_worker(client: RuntimeCodexClient) -> str:
    async with asyncio.timeout(30):
        while True:
            for worker in (await client.list_workers(status="running")).workers:
                if worker.adapter == "desktop_bridge":
                    return worker.worker_id
            await client.clock.sleep(0.2)


async def test_list_then_snapshot_then_stream(deployment: Deployment) -> None:
    async with deployment.client() as client, asyncio.timeout(60):
        listed = await _desktop_worker(client)
        snapshot = await client.worker(listed)
        async with client.follow(listed, cursor=max(0, snapshot.latest_seq - 3)) as follower:
            seqs = [(await anext(follower)).seq for _ in range(min(3, snapshot.latest_seq))]

    assert snapshot.worker_id == listed
    assert seqs == list(range(max(0, snapshot.latest_seq - 3) + 1, snapshot.latest_seq + 1))


async def test_a_request_and_its_response_event_by_its_id(deployment: Deployment) -> None:
    async with deployment.client() as client, asyncio.timeout(90):
        worker = await _desktop_worker(client)
        cursor = (await client.worker(worker)).latest_seq
        outcome = await client.request(worker, "thread/read", {}, wait_ms=30_000)
        async with client.follow(worker, cursor=cursor) as follower:
            seen = await _until_response(follower, outcome.request_id)

    assert (outcome.state, has_ended(outcome)) == ("completed", True)
    assert (seen[0], seen[-1]) == ("worker.request.received", "worker.response")


async def _until_response(follower: AsyncIterator[Envelope], request_id: str) -> list[str]:
    """The types of the events that name the request, up to its end."""
    types: list[str] = []
    async for event in follower:
        if event.payload.get("request_id") == request_id:
            types.append(event.eventType)
            if event.eventType in ("worker.response", "worker.error"):
                break
    return types


async def test_stop_then_again_then_refused_then_reattached(deployment: Deployment) -> None:
    worker = new_id("staging")
    async with deployment.client() as client, asyncio.timeout(60):
        await client.create_worker(worker, metadata={"by": "make staging"})
        first = await client.stop_worker(worker, reason="staging")
        again = await client.stop_worker(worker, reason="staging")
        with pytest.raises(Conflict) as refused:
            await client.append_event(worker, "worker.event", {"method": "staging"})
        reattached = await client.create_worker(worker)
        appended = await client.append_event(worker, "worker.event", {"method": "staging"})
        await client.stop_worker(worker, reason="staging is over")

    assert (first.status, first.idempotent_replay) == ("stopped", False)
    assert (again.status, again.idempotent_replay) == ("stopped", True)
    assert refused.value.reason_code == "worker_stopped"
    assert reattached.status == "running"
    assert appended.seq == reattached.latestSeq + 1


@pytest.mark.timeout(1200)
async def test_a_token_that_expires_mid_stream_is_renewed_and_one_that_is_revoked_asks_for_a_sign_in(
    deployment: Deployment,
) -> None:
    worker = new_id("staging")
    async with deployment.client() as client:
        async with asyncio.timeout(60):
            await client.create_worker(worker, metadata={"by": "make staging"})
            await client.append_event(worker, "worker.event", {"method": "staging", "n": 1})
        async with client.follow(worker, cursor=0) as follower:
            seen = [(await anext(follower)).seq for _ in range(2)]
            await _let_the_access_token_expire(deployment)
            await client.append_event(worker, "worker.event", {"method": "staging", "n": 2})
            async with asyncio.timeout(60):
                seen.append((await anext(follower)).seq)
            async with Session(deployment.url, deployment.store, surface="cli") as same_device:
                kept = deployment.store.load()
                await same_device.sign_out()
                assert kept is not None
                deployment.store.save(kept)  # as another device would still hold it
            with pytest.raises(SignInAgain):
                async with asyncio.timeout(120):
                    await anext(follower)

            assert seen == [1, 2, 3]
            assert follower.cursor == 3


async def _let_the_access_token_expire(deployment: Deployment) -> None:
    """Wait until the token that the stream was opened with is over, by the server's own word."""
    held = deployment.store.load()
    assert held is not None
    assert held.expires_at is not None
    async with RuntimeCodexClient(deployment.url, held.access_token, surface="cli") as client:
        while True:
            try:
                await client.me()
            except SignInAgain:
                return
            await client.clock.sleep(0.5)
