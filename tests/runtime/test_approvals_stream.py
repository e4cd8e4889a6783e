"""Approvals on a principal's one stream: the open ones first, then every change."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from autopilot.contract.port import RuntimeRequest
from autopilot.runtime import stream_approvals, stream_principal
from autopilot.runtime.app import build
from autopilot.testing.approvals import decide, question
from autopilot.testing.machines import leased
from autopilot.testing.runtime import OWNER, STRANGER, call


@pytest.fixture
async def companion(runtime):
    return await leased(runtime)


async def ask(companion, number=0, **said):
    approval = question("w", number, **said)
    assert (await companion.ask_approval("w", approval)).status == 202
    return approval["approval_id"]


def states(body):
    """(kind, data) of every frame of state."""
    found = []
    for frame in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in frame.split("\n") if line and not line.startswith(":"))
        if fields.get("event", "").startswith("codex.state."):
            found.append((fields["event"].removeprefix("codex.state."), msgspec.json.decode(fields["data"])))
    return found


async def now(runtime, claims=OWNER):
    answer = await call(runtime, "GET", "/stream", claims=claims, query="tail_ms=1")
    return [data for kind, data in states(answer.body) if kind == "approval"]


class Reader:
    """One open stream of everything."""

    def __init__(self, body):
        self.body = body
        self.waiting = []

    async def next(self, wanted):
        """The next frame of state that `wanted(kind, data)` holds for."""
        async with asyncio.timeout(30):
            while True:
                while self.waiting:
                    kind, data = self.waiting.pop(0)
                    if wanted(kind, data):
                        return data
                self.waiting = states(await anext(self.body))

    async def approval(self):
        return await self.next(lambda kind, _: kind == "approval")


@pytest.fixture
async def reader(runtime):
    response = await runtime.call(RuntimeRequest(OWNER, "GET", "/stream"))
    yield Reader(response.body)
    await response.body.aclose()


async def test_the_open_ones_are_told_at_first_with_what_ended_lately_and_to_nobody_else(runtime, companion):
    ended = await ask(companion)
    await companion.end_approval("w", ended, "closed", reason="turn_ended")
    first, second = await ask(companion, 1), await ask(companion, 2)
    assert [(data["approval_id"], data["state"]) for data in await now(runtime)] == [
        (ended, "closed"),
        (first, "pending"),
        (second, "pending"),
    ]
    assert await now(runtime, STRANGER) == []


async def test_every_change_is_told_and_the_workers_count_with_it(runtime, companion, reader):
    approval_id = await ask(companion)
    assert (await reader.approval())["state"] == "pending"
    await decide(runtime, approval_id)
    summary = await reader.next(lambda kind, data: kind == "worker" and data["pending_approvals"] == 0)
    assert summary["worker_id"] == "w"
    decided = await reader.approval()
    assert (decided["state"], decided["decision"]["option_id"]) == ("decided", "accept")
    await companion.feed()
    assert (await reader.approval())["state"] == "delivered"
    await companion.end_approval("w", approval_id, "applied", "accepted")
    applied = await reader.approval()
    assert (applied["approval_id"], applied["state"], applied["outcome"]) == (approval_id, "applied", "accepted")


async def test_what_another_process_does_is_told_without_waiting_for_the_next_look(
    database, runtime, companion, reader, monkeypatch
):
    monkeypatch.setattr(stream_principal, "REFRESH_SECONDS", 3600)
    approval_id = await ask(companion)
    assert (await reader.approval())["state"] == "pending"
    async with await build(runtime.settings, dsn=database) as another:
        await decide(another, approval_id)
        assert (await reader.approval())["state"] == "decided"
        companion.runtime = another
        await companion.feed()  # no event tells of a delivery
        assert (await reader.approval())["state"] == "delivered"


@pytest.mark.parametrize(("bound", "value"), [("MAX_BYTES", 5_000), ("MAX_APPROVALS", 2)])
async def test_more_than_it_tells_at_once_is_said_to_be_incomplete(runtime, companion, monkeypatch, bound, value):
    monkeypatch.setattr(stream_approvals, bound, value)

    async def is_complete():
        answer = await call(runtime, "GET", "/stream", query="tail_ms=300&frames=control")
        frame = next(frame for frame in answer.body.split(b"\n\n") if b"codex.stream.caught_up" in frame)
        return msgspec.json.decode(frame.split(b"data: ", 1)[1])["complete"]

    ids = [await ask(companion, 0, title="x" * 4_000)]
    assert await is_complete()
    ids += [await ask(companion, number, title="x" * 4_000) for number in (1, 2)]
    assert not await is_complete()
    assert [data["approval_id"] for data in await now(runtime)] == ids[:2]


async def test_a_machine_that_falls_silent_makes_its_questions_unreachable(runtime, companion, monkeypatch):
    monkeypatch.setattr(stream_principal, "REFRESH_SECONDS", 0.1)
    await ask(companion)
    response = await runtime.call(RuntimeRequest(OWNER, "GET", "/stream"))
    reader = Reader(response.body)
    assert (await reader.approval())["machine_reachable"] is True
    await runtime.pool.execute(
        "update machine_beat set last_heard_at = last_heard_at - $1::interval", timedelta(hours=1)
    )
    assert (await reader.approval())["machine_reachable"] is False
    await response.body.aclose()
