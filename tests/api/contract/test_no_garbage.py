"""What a request or a stream leaves behind ends by its reference counts: nobody has to look for it."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.api.contract.world import Person
from tests.api.served import bearer
from tests.waiting import until
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from autopilot.ops.serve import Wire
from autopilot.ops.transport import GatheringTransport
from autopilot.runtime.tail import Follower

OPEN_CONNECTIONS = 10
"""More than the tests' client holds open; each has its last request."""


@pytest.fixture
def collector() -> Iterator[None]:
    """It looks for no garbage meanwhile."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def left() -> dict[str, int]:
    """More of a kind than there can be connections."""
    kinds = (RequestResponseCycle, Wire, GatheringTransport, Follower)
    counted = Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, kinds))
    return {name: count for name, count in counted.items() if count > OPEN_CONNECTIONS}


@pytest.mark.usefixtures("collector")
async def test_requests_leave_nothing_for_the_garbage_collector(ada: Person):
    for number in range(50):
        await ada.append(ada.worker_id, text=f"event {number}")
        assert (await ada.get(f"/workers/{ada.worker_id}/events?after=0")).status_code == 200

    assert left() == {}


@pytest.mark.usefixtures("collector")
async def test_streams_that_were_left_leave_nothing_for_the_garbage_collector(ada: Person):
    for _ in range(OPEN_CONNECTIONS + 5):
        path = f"/workers/{ada.worker_id}/stream?cursor=0"
        async with ada.world.api.client.stream("GET", f"/api/runtime/codex{path}", headers=bearer(ada.token)) as answer:
            assert answer.status_code == 200
            await anext(answer.aiter_bytes())

    await until(lambda: left() == {}, within_seconds=30)
