"""Approvals as people and machines meet them, over a real server as one process and as two, by the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.api.contract.world import Person, ask, lease

from autopilot.client import RuntimeCodexClient, has_approval_ended
from autopilot.contract import Approval, StreamCaughtUp, WorkerSummary
from autopilot.contract.errors import Conflict, Forbidden, NotFound, Unprocessable
from autopilot.testing import approvals


@pytest.fixture
async def client(ada: Person) -> AsyncIterator[RuntimeCodexClient]:
    async with RuntimeCodexClient(str(ada.world.api.client.base_url), ada.token) as made:
        yield made


@pytest.fixture
async def machine(ada: Person) -> Person:
    """Ada's machine, with the lease of her worker."""
    made = await ada.machine()
    await lease(made, ada.worker_id)
    return made


async def end(machine: Person, worker_id: str, approval_id: str, state: str, outcome: str) -> None:
    event = {"event_type": f"worker.approval.{state}", "payload": approvals.ended(approval_id, outcome)}
    answer = await machine.post(f"/workers/{worker_id}/events", {"event": event})
    assert answer.status_code == 202, answer.text


async def test_an_approval_from_its_question_to_its_end(
    ada: Person, machine: Person, client: RuntimeCodexClient
) -> None:
    approval_id = await ask(machine, ada.worker_id)

    (listed,) = (await client.approvals()).approvals
    assert (listed.approval_id, listed.state, listed.machine_reachable) == (approval_id, "pending", True)
    assert listed.evidence is not None
    assert listed.evidence.command == ("touch", "hello.txt")
    assert (await client.worker(ada.worker_id)).pending_approvals == 1
    decided = await client.decide(approval_id, "decline", message="rather not")
    assert (decided.state, decided.decision and decided.decision.message) == ("decided", "rather not")
    feed = (await machine.get(f"/machines/{machine.worker_id}/feed?tail_ms=1")).text
    assert "event: codex.feed.decision" in feed
    assert '"option_id":"decline"' in feed
    assert (await client.approval(approval_id)).state == "delivered"
    await end(machine, ada.worker_id, approval_id, "applied", "declined")

    assert has_approval_ended(await client.approval(approval_id))
    assert [one async for one in client.every_approval()] == []
    assert [one.state async for one in client.every_approval(state="ended", limit=1)] == ["applied"]
    assert (await client.decide(approval_id, "decline", message="rather not")).state == "applied"
    with pytest.raises(Conflict) as other:
        await client.decide(approval_id, "accept")
    assert other.value.reason_code == "answered_differently"
    assert other.value.fact("winner")["option_id"] == "decline"


async def test_what_does_not_fit_is_refused_by_field(ada: Person, machine: Person, client: RuntimeCodexClient) -> None:
    approval_id = await ask(machine, ada.worker_id)
    for answer, field in (
        ({"option_id": "perhaps"}, "option_id"),
        ({"option_id": "accept", "message": "x"}, "message"),
        ({"option_id": "accept", "content": {"a": 1}}, "content"),
    ):
        with pytest.raises(Unprocessable) as refused:
            await client.decide(approval_id, **answer)
        assert refused.value.fact("field") == field
    with pytest.raises(NotFound):
        await client.approval("ap_unknown")


async def test_of_two_people_at_two_devices_one_decides(
    ada: Person, machine: Person, client: RuntimeCodexClient
) -> None:
    approval_id = await ask(machine, ada.worker_id)
    answers = await asyncio.gather(
        *(client.decide(approval_id, option) for option in ("accept", "decline") * 4), return_exceptions=True
    )
    winner = (await client.approval(approval_id)).decision
    assert winner is not None
    for option, answer in zip(("accept", "decline") * 4, answers, strict=True):
        assert isinstance(answer, Approval if option == winner.option_id else Conflict)


async def test_a_machine_reads_and_decides_nothing(ada: Person, machine: Person) -> None:
    approval_id = await ask(machine, ada.worker_id)
    async with RuntimeCodexClient(str(ada.world.api.client.base_url), machine.token) as executor:
        for call in (executor.approvals(), executor.approval(approval_id), executor.decide(approval_id, "accept")):
            with pytest.raises(Forbidden) as refused:
                await call
            assert refused.value.reason_code == "scope"


async def test_the_stream_of_everything_tells_approvals_until_they_end(
    ada: Person, eve: Person, machine: Person, client: RuntimeCodexClient
) -> None:
    first = await ask(machine, ada.worker_id)
    said: list[tuple[str, str]] = []
    async with asyncio.timeout(30), client.follow_everything() as follower:
        async for entry in follower:
            if isinstance(entry, Approval):
                said.append((entry.approval_id, entry.state))
            if isinstance(entry, StreamCaughtUp):
                await client.decide(first, "accept")
            if said[-1:] == [(first, "decided")]:
                await end(machine, ada.worker_id, first, "superseded", "declined")
            if isinstance(entry, WorkerSummary):
                assert entry.worker_id == ada.worker_id
            if said[-1:] == [(first, "superseded")]:
                break
    assert said == [(first, "pending"), (first, "decided"), (first, "superseded")]
    async with RuntimeCodexClient(str(ada.world.api.client.base_url), eve.token) as other:
        assert (await other.approvals(state="all")).approvals == []
