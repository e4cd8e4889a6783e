"""Transitions: what happened in all logs, in one order, each once, whoever asks and whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from autopilot.contract.port import Claims
from autopilot.runtime import transitions
from autopilot.runtime.app import Runtime
from autopilot.testing.approvals import decide, question
from autopilot.testing.machines import Companion, ask, leased
from autopilot.testing.runtime import OWNER, call, insert_worker

THE_API = Claims(guest_scope="push", surface="runtime")


async def read(runtime: Runtime, after: int = 0) -> list[dict[str, Any]]:
    answer = await call(runtime, "POST", "/transitions", {"after": after}, claims=THE_API)
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.data["transitions"]
    assert answer.data["latest_no"] >= after or not found
    return found


async def turn(companion: Companion, worker_id: str, event_id: str, status: str = "completed", **more: Any) -> None:
    params = {"threadId": "t", "turn": {"id": event_id, "status": status}}
    said = {"source": "autopilot-desktop", "method": "turn/completed", "params": params, **more}
    answer = await companion.append(worker_id, "worker.event", event_id, **said)
    assert answer.status == 202, answer.body


async def test_a_question_its_answer_and_the_end_of_a_turn_are_told_in_their_order(runtime: Runtime):
    companion = await leased(runtime)
    asked = question("w")
    await companion.ask_approval("w", asked)
    assert (await decide(runtime, asked["approval_id"])).status == 200
    await companion.end_approval("w", asked["approval_id"], "applied", "accepted")
    await turn(companion, "w", "t1")
    await turn(companion, "w", "t2", "failed")
    await turn(companion, "w", "t3", "interrupted")

    found = await read(runtime)

    kinds = ["approval_asked", "approval_closed", "approval_closed", "turn_done", "turn_failed"]
    assert [one["kind"] for one in found] == kinds
    assert [one["transition_no"] for one in found] == [1, 2, 3, 4, 5]
    assert {one["approval_id"] for one in found} == {asked["approval_id"], None}
    assert found[1]["actor"]["device_id"] == OWNER.device_id
    assert (found[0]["worker_id"], found[0]["owner_user_id"], found[0]["team_id"]) == ("w", 1, None)
    assert await read(runtime, 3) == found[3:]
    assert await read(runtime) == found


@pytest.mark.parametrize("how", ["answered", "expired", "stopped"])
async def test_the_end_of_a_request_is_told_with_who_asked_for_what(runtime: Runtime, how: str):
    companion = await leased(runtime)
    if how == "stopped":
        answer = await call(runtime, "POST", "/workers/w/stop", {"reason": "x"})
        request_id = await runtime.pool.fetchval("select request_id from receipt")
        assert answer.status == 202
        said = {"source": "autopilot-desktop", "request_id": request_id, "verified": True}
        assert (await companion.append("w", "worker.stopped", "stopped", **said)).status == 202
    else:
        await ask(runtime, "model/list", "r1")
        request_id = "r1"
        if how == "answered":
            assert (await companion.respond("w", "r1", {"x": 1})).status == 202
        else:
            await runtime.pool.execute("update receipt set expires_at = now() - interval '1 second'")
            await runtime.machines.sweeper.sweep()

    (found,) = [one for one in await read(runtime) if one["kind"] == "request_ended"]

    state = {"answered": "completed", "expired": "expired", "stopped": "completed"}[how]
    request = found["request"]
    assert (request["request_id"], request["state"], request["actor"]["user_id"]) == (request_id, state, 1)
    assert request["method"] == ("worker/stop" if how == "stopped" else "model/list")
    assert request["asked_at"] <= request["ended_at"]


async def test_of_many_who_look_at_once_none_tells_anything_twice_or_out_of_order(runtime: Runtime):
    companions = [await leased(runtime, f"w{number}", f"m{number}") for number in range(6)]

    async def work(number: int) -> None:
        for count in range(8):
            await turn(companions[number], f"w{number}", f"t{count}")

    async def follow() -> list[tuple[str, int]]:
        after, seen = 0, []
        while len(seen) < 48:
            for one in await read(runtime, after):
                after = one["transition_no"]
                seen.append((one["worker_id"], one["seq"]))
        return seen

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        readers = [group.create_task(follow()) for _ in range(3)]
        for number in range(6):
            group.create_task(work(number))

    first, *others = [reader.result() for reader in readers]
    assert all(other == first for other in others)
    assert len(set(first)) == 48
    for number in range(6):
        seqs = [seq for worker_id, seq in first if worker_id == f"w{number}"]
        assert seqs == sorted(seqs)


async def test_a_flood_is_told_in_parts_and_all_of_it(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transitions, "FOUND_AT_ONCE", 3)
    monkeypatch.setattr(transitions, "ROWS_AT_ONCE", 5)
    monkeypatch.setattr(transitions, "LOGS_AT_ONCE", 2)
    companions = {f"w{number}": await leased(runtime, f"w{number}", f"m{number}") for number in range(3)}
    for _ in companions:  # of a log that nobody ever looked at only the last rows would count
        await read(runtime)
    for worker_id, companion in companions.items():
        for count in range(7):
            await turn(companion, worker_id, f"t{count}")
            await companion.append(worker_id, "worker.event", f"e{count}", method="item/completed", params={})

    looks = 0
    while len(await read(runtime)) < 21:
        looks += 1
        assert looks < 30
    assert looks > 2
    assert sorted(one["transition_no"] for one in await read(runtime)) == list(range(1, 22))


async def test_what_is_older_than_an_hour_is_not_told_and_what_was_told_is_forgotten(runtime: Runtime):
    companion = await leased(runtime)
    await turn(companion, "w", "old")
    await runtime.pool.execute("update event set occurred_at = occurred_at - interval '61 minutes'")
    await turn(companion, "w", "new")
    (found,) = await read(runtime)
    await runtime.pool.execute("update transition set occurred_at = occurred_at - interval '61 minutes'")
    assert await read(runtime) == []
    await turn(companion, "w", "next")
    assert [one["transition_no"] for one in await read(runtime)] == [found["transition_no"] + 1]


async def test_it_may_be_dropped_and_is_made_anew_from_the_logs(runtime: Runtime):
    companion = await leased(runtime)
    await turn(companion, "w", "t1")
    before = await read(runtime)
    await runtime.pool.execute("truncate transition, transition_place")
    await runtime.pool.execute("update transition_head set latest_no = 0, looked_at = now() - interval '1 hour'")
    assert await read(runtime) == before


async def test_a_log_that_somebody_wrote_oddly_keeps_no_other_from_its_turn(runtime: Runtime):
    companion = await leased(runtime)
    await insert_worker(runtime, "odd")
    for count, payload in enumerate(
        [
            {"method": "turn/completed", "source": "autopilot-ios", "params": []},
            {"method": "x", "params": "turn/completed"},
            {"method": ["turn/completed"], "params": {"turn": 1}},
        ]
    ):
        event = {"event_type": "worker.event", "event_id": f"e{count}", "payload": payload}
        assert (await call(runtime, "POST", "/workers/odd/events", {"event": event})).status == 202
    await turn(companion, "w", "t1")
    assert [one["worker_id"] for one in await read(runtime)] == ["w"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"after": "x"}', b'{"after": 1, "more": 2}'])
async def test_what_says_no_place_is_400(runtime: Runtime, body: bytes):
    assert (await call(runtime, "POST", "/transitions", body, claims=THE_API)).status == 400
