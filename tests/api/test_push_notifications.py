"""What is told to whom, when, how often, and when not: from events of a real ledger to a device that decrypts it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import Response
from tests.api.contract.conftest import SHAPES
from tests.api.contract.test_team_roles import member, put_into
from tests.api.contract.world import Person, ask, lease
from tests.api.push import PushWorld, again, ends_turn, executing, pushing, says, subscribed

from autopilot.contract.errors import Unavailable
from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.testing import approvals


@pytest.fixture
async def at(cluster) -> AsyncIterator[PushWorld]:
    async with pushing(cluster) as made:
        yield made


@pytest.fixture
async def ada(at: PushWorld) -> Person:
    return await at.person("ada")


@pytest.fixture
async def machine(ada: Person) -> Person:
    return await executing(ada)


async def titled(who: Person, machine: Person, title: str = "Tidy the parser") -> None:
    thread = {"id": "t", "name": title, "cwd": "/home/ada/parser", "status": {"type": "active"}}
    await says(machine, who.worker_id, method="thread/started", params={"threadId": "t", "thread": thread})


async def change(who: Person, **settings: Any) -> None:
    assert (await who.post("/api/push/settings", settings)).status_code == 200


async def decide(who: Person, approval_id: str, option_id: str = "accept") -> None:
    answer = await who.post(f"/approvals/{approval_id}/decision", {"option_id": option_id})
    assert answer.status_code == 200, answer.text


async def outcomes(at: PushWorld) -> list[str | None]:
    rows = await at.world.api.pool.fetch("select outcome from api.push_message order by message_no")
    return [row["outcome"] for row in rows]


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_question_is_told_once_with_what_it_asks_and_answers_that_may_be_given(cluster, shape):
    async with pushing(cluster, shape=shape) as at:
        ada = await at.person("ada")
        machine = await executing(ada)
        await titled(ada, machine)
        phone, _ = await subscribed(at, ada)
        approval_id = await ask(machine, ada.worker_id)

        (told,) = await at.turn()

        assert (told["kind"], told["title"], told["body"]) == (
            "approval",
            "Codex asks: Tidy the parser",
            "Run touch hello.txt?",
        )
        assert (told["tag"], told["path"]) == (f"approval:{approval_id}", f"/inbox/{approval_id}")
        assert [option["option_id"] for option in told["options"]] == ["accept", "decline"]
        (message,) = at.service.received
        assert (message.browser, message.headers["urgency"], message.headers["ttl"]) == (phone.name, "high", "86400")
        assert await at.turn() == []
        answer = await ada.post("/api/push/actions", {"token": told["options"][0]["token"]})
        assert answer.json()["data"]["state"] == "decided"
        assert await at.turn() == []  # the device that answered knows


async def test_an_answer_elsewhere_takes_the_notification_back_from_all_but_who_gave_it(at, ada, machine):
    phone, _ = await subscribed(at, ada)
    desktop = await again(at, ada)
    await subscribed(at, desktop)
    approval_id = await ask(machine, ada.worker_id)
    assert len(await at.turn()) == 2

    await decide(desktop, approval_id)
    (closed,) = await at.turn()

    assert (closed["kind"], closed["silent"], closed["tag"]) == ("approval_closed", True, f"approval:{approval_id}")
    assert at.service.received[-1].browser == phone.name
    ended = approvals.ended(approval_id, "accepted")
    await says(machine, ada.worker_id, "worker.approval.applied", **ended)
    assert await at.turn() == []


async def test_a_question_that_was_answered_before_it_is_told_is_told_to_nobody(at, ada, machine):
    await subscribed(at, ada)
    node = at.node()
    first = await ask(machine, ada.worker_id)
    await node.planner.turn()
    await decide(ada, first)
    await decide(ada, await ask(machine, ada.worker_id, 1))

    assert await at.turn(node) == []
    assert await outcomes(at) == ["closed", "closed"]


async def test_a_question_that_a_device_took_back_is_told_again(at, ada, machine):
    await subscribed(at, ada)
    approval_id = await ask(machine, ada.worker_id)
    await at.turn()
    lost = await again(at, ada)
    await decide(lost, approval_id)
    await at.turn()
    device_id = (await lost.get("/api/me")).json()["device"]["device_id"]
    await ada.post(f"/api/devices/{device_id}/revoke", {})
    await at.world.api.app.state.api.revocations.tell()

    (told,) = await at.turn()
    assert (told["kind"], told["approval_id"]) == ("approval", approval_id)


async def test_the_end_of_a_turn_says_the_last_words_and_a_failure_why(at, ada, machine):
    await titled(ada, machine)
    await subscribed(at, ada)
    await ends_turn(machine, ada.worker_id, "All tests\n pass.\u202e " + "x" * 500)
    (done,) = await at.turn()
    await ends_turn(machine, ada.worker_id, status="failed", error={"message": "the model is away"})
    (failed,) = await at.turn()

    assert (done["kind"], done["title"], done["path"]) == ("turn", "Done: Tidy the parser", f"/w/{_q(ada.worker_id)}")
    assert done["body"].startswith("All tests pass. xxx")
    assert len(done["body"]) == 180
    assert (failed["kind"], failed["title"], failed["body"]) == (
        "failure",
        "Failed: Tidy the parser",
        "the model is away",
    )
    assert done["tag"] == failed["tag"]
    first, second = (message.headers["topic"] for message in at.service.received)
    assert first == second


async def test_what_nobody_waits_for_is_not_told(at, ada, machine):
    await subscribed(at, ada)
    await ends_turn(machine, ada.worker_id, status="interrupted")
    error = {"threadId": "t", "turnId": "turn-1", "error": {"message": "x"}}
    await says(machine, ada.worker_id, "worker.error", method="error", params={**error, "willRetry": True})
    await says(machine, ada.worker_id, "worker.error", method="error", params={**error, "willRetry": False})
    await says(machine, ada.worker_id, method="item/completed", params={"note": '"turn/completed"'})
    await ada.append(ada.worker_id, source="autopilot-ios", method="turn/completed", params={})
    helper = await ada.open_worker(metadata={"thread_id": "t2", "parent_thread_id": "t"})
    await lease(machine, helper)
    await ends_turn(machine, helper)
    assert await at.turn() == []

    await says(machine, ada.worker_id, "worker.error", method="error", params={"error": {"message": "no disk"}})
    (told,) = await at.turn()
    assert (told["kind"], told["body"]) == ("failure", "no disk")


async def test_notifications_of_one_worker_that_wait_are_one(at, ada, machine):
    await subscribed(at, ada)
    for words in ("one", "two", "three"):
        await ends_turn(machine, ada.worker_id, words)

    (told,) = await at.turn()

    assert told["body"] == "three"
    assert await outcomes(at) == ["replaced", "replaced", "sent"]


@pytest.mark.parametrize(("off", "kinds"), [("approvals", ["turn"]), ("turns", ["approval"])])
async def test_each_kind_can_be_switched_off(at, ada, machine, off, kinds):
    await subscribed(at, ada)
    await change(ada, **{off: False})
    await ask(machine, ada.worker_id)
    await ends_turn(machine, ada.worker_id)
    assert [told["kind"] for told in await at.turn()] == kinds


async def test_failures_and_ends_of_requests_can_be_switched_off_too(at, ada, machine):
    await subscribed(at, ada)
    await change(ada, failures=False, requests=False)
    await ends_turn(machine, ada.worker_id, status="failed")
    await stopped(at, ada, machine)
    assert await at.turn() == []


@pytest.mark.parametrize(("approvals_too", "kinds"), [(False, []), (True, ["approval"])])
async def test_in_quiet_hours_nothing_comes_but_approvals_where_they_are_wanted(at, ada, machine, approvals_too, kinds):
    await subscribed(at, ada)
    now = at.clock.now()
    hours = {"quiet_from": f"{now - timedelta(hours=1):%H:%M}", "quiet_to": f"{now + timedelta(hours=1):%H:%M}"}
    await change(ada, quiet_hours=True, quiet_approvals=approvals_too, **hours)
    await ends_turn(machine, ada.worker_id)
    await ask(machine, ada.worker_id)
    assert [told["kind"] for told in await at.turn()] == kinds


async def test_without_content_it_says_that_there_is_something_and_offers_no_answer(at, ada, machine):
    await titled(ada, machine, "Secret project")
    await subscribed(at, ada)
    await change(ada, content=False)
    await ask(machine, ada.worker_id, title="Run rm secret?")
    await ends_turn(machine, ada.worker_id, "secret words")
    told = await at.turn()
    await stopped(at, ada, machine)
    told += await at.turn()

    assert sorted(one["kind"] for one in told) == ["approval", "approval_closed", "request", "turn"]
    assert all("ecret" not in repr(one) for one in told)
    assert all(one.get("options", []) == [] for one in told)


async def test_what_is_on_a_screen_is_not_told_and_a_question_is_once_nobody_looks(at, ada, machine):
    await subscribed(at, ada)
    desktop = await again(at, ada)
    at.clock = type(at.clock)(at.clock.now())
    await desktop.post("/api/push/looking", {"worker_ids": [ada.worker_id]})
    await ends_turn(machine, ada.worker_id)
    approval_id = await ask(machine, ada.worker_id)
    other = await ada.open_worker()
    await lease(machine, other)
    await ends_turn(machine, other)

    assert [told["worker_id"] for told in await at.turn()] == [other]
    assert "seen" in await outcomes(at)
    await at.clock.advance(120)
    assert [told["approval_id"] for told in await at.turn()] == [approval_id]


async def test_who_looks_away_is_told_at_once(at, ada, machine):
    await subscribed(at, ada)
    await ada.post("/api/push/looking", {"worker_ids": [ada.worker_id]})
    await ada.post("/api/push/looking", {"worker_ids": []})
    await ends_turn(machine, ada.worker_id)
    assert len(await at.turn()) == 1


# Requests and stops.


async def stopped(at: PushWorld, who: Person, machine: Person) -> None:
    """A stop that this person asked for ends."""
    answer = await who.post(f"/workers/{who.worker_id}/stop", {"reason": "done"})
    assert answer.json()["data"]["status"] == "stopping", answer.text
    sql = "select request_id from runtime.receipt where target_id = $1 and method = 'worker/stop'"
    request_id = await at.world.api.pool.fetchval(sql, who.worker_id)
    await says(machine, who.worker_id, "worker.stopped", request_id=request_id, verified=True)


async def test_the_end_of_a_stop_is_told_to_who_asked_for_it(at, ada, machine):
    await titled(ada, machine)
    await subscribed(at, ada)
    await stopped(at, ada, machine)

    (told,) = await at.turn()

    assert (told["kind"], told["title"]) == ("request", "Stopped: Tidy the parser")


async def test_the_end_of_a_request_is_told_where_its_answer_can_no_longer_be_heard(at, ada, machine):
    await subscribed(at, ada)
    for request_id, seconds in (("quick", 1), ("late", 20)):
        asked = {"request": {"request_id": request_id, "method": "model/list"}}
        await ada.post(f"/workers/{ada.worker_id}/requests?wait_ms=0", asked)
        sql = "update runtime.receipt set created_at = created_at - make_interval(secs => $2) where request_id = $1"
        await at.world.api.pool.execute(sql, request_id, float(seconds))
        error = {"code": "no", "message": "not today"}
        await says(machine, ada.worker_id, "worker.error", request_id=request_id, ok=False, error=error)

    (told,) = await at.turn()

    assert (told["kind"], told["request_id"], told["body"]) == ("request", "late", "not today")
    assert told["title"].startswith("Your request failed: ")


# Teams.


async def test_members_are_told_of_team_machines_where_they_ask_for_it_by_what_their_role_lets_them(at, ada, machine):
    crew = (await ada.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    await put_into(ada, machine, crew)
    people = {role: await member(ada, crew, role) for role in ("operator", "viewer")}
    people |= {"former": await member(ada, crew, "operator"), "stranger": await at.person("stranger")}
    browsers = {role: (await subscribed(at, one))[0] for role, one in people.items()}
    for one in people.values():
        await change(one, team_machines=True)
    node = at.node()
    await ask(machine, ada.worker_id)
    await node.planner.turn()
    removed = await ada.post(f"/api/teams/{crew}/members/{people['former'].user_id}/remove", {})
    assert removed.status_code == 200, removed.text

    await at.turn(node)

    told = {message.browser: message.notification for message in at.service.received}
    assert set(told) == {browsers["operator"].name, browsers["viewer"].name}
    assert len(told[browsers["operator"].name]["options"]) == 2
    assert told[browsers["viewer"].name].get("options", []) == []
    assert "not_theirs" in await outcomes(at)
    await change(people["operator"], team_machines=False)
    await ends_turn(machine, ada.worker_id)
    await at.turn()
    assert at.service.received[-1].browser == browsers["viewer"].name
    assert len(at.service.received) == 3


async def test_others_are_told_nothing_of_ones_own_machines(at, ada, machine):
    eve = await at.person("eve")
    await subscribed(at, eve)
    await change(eve, team_machines=True)
    await ask(machine, ada.worker_id)
    await ends_turn(machine, ada.worker_id)
    await stopped(at, ada, machine)
    assert await at.turn() == []


# Restarts, replays, several processes.


async def test_a_restart_sends_nothing_again_and_forgets_nothing_that_was_due(at, ada, machine):
    await subscribed(at, ada)
    await ends_turn(machine, ada.worker_id, "before")
    assert len(await at.turn()) == 1
    ended = at.node()
    await ask(machine, ada.worker_id)
    await ended.planner.turn()  # and then its process is killed
    await ends_turn(machine, ada.worker_id, "after")

    assert sorted(told["kind"] for told in await at.turn()) == ["approval", "turn"]
    assert await at.turn() == []


async def test_one_that_died_while_it_sent_is_taken_over_from_within_a_minute(at, ada, machine):
    await subscribed(at, ada)
    await ends_turn(machine, ada.worker_id)
    died = at.node()
    await died.planner.turn()
    now = at.clock.now()
    rows = await at.world.api.pool.fetch(
        "update api.push_message set claimed_until = $1, tries = 1 returning message_no", now + timedelta(seconds=60)
    )
    assert len(rows) == 1

    assert await at.turn() == []
    await at.clock.advance(61)
    assert len(await at.turn()) == 1


async def test_what_is_read_anew_from_the_ledger_is_not_told_again(at, ada, machine):
    await subscribed(at, ada)
    await ask(machine, ada.worker_id)
    await ends_turn(machine, ada.worker_id)
    assert len(await at.turn()) == 2

    await at.world.runtime.pool.execute("truncate transition, transition_place")
    await at.world.runtime.pool.execute(
        "update transition_head set latest_no = 0, looked_at = looked_at - interval '10 minutes'"
    )
    await at.turn()  # finds that it was ahead
    assert await at.turn() == []
    assert len(at.service.received) == 2
    await ends_turn(machine, ada.worker_id, "new")
    assert [told["body"] for told in await at.turn()] == ["new"]


async def test_what_has_grown_old_is_not_told(at, ada, machine):
    await subscribed(at, ada)
    await ends_turn(machine, ada.worker_id)
    await at.clock.advance(16 * 60)
    assert await at.turn() == []
    assert await outcomes(at) == []
    await ends_turn(machine, ada.worker_id)
    at.clock = type(at.clock)(at.clock.now() - timedelta(seconds=16 * 60))
    node = at.node()
    await node.planner.turn()
    await at.clock.advance(16 * 60)
    assert await at.turn(node) == []
    assert await outcomes(at) == ["too_old"]  # the first was passed over when it was read


async def test_a_device_is_told_of_nothing_from_before_it_subscribed(at, ada, machine):
    await ends_turn(machine, ada.worker_id, "before")
    await subscribed(at, ada)
    await ends_turn(machine, ada.worker_id, "after")
    assert [told["body"] for told in await at.turn()] == ["after"]


async def test_of_several_processes_one_sends_each_notification(at, ada, machine):
    await subscribed(at, ada)
    workers = [await ada.open_worker() for _ in range(12)]
    for worker_id in workers:
        await lease(machine, worker_id)
        await ends_turn(machine, worker_id)
    nodes = [at.node() for _ in range(4)]
    async with asyncio.TaskGroup() as group:
        for node in nodes:
            group.create_task(at.turn(node))
    await at.turn()

    assert sorted(one.notification["worker_id"] for one in at.service.received) == sorted(workers)


# Push services and a runtime that don't answer as one would like.


async def test_a_push_service_that_is_not_well_is_tried_again_later_and_later(at, ada, machine):
    await subscribed(at, ada)
    at.service.answers.extend(Response(status_code=503) for _ in range(3))
    await ends_turn(machine, ada.worker_id)
    tries = []
    for _ in range(8):
        await at.turn()
        tries.append(at.service.tries)
        await at.clock.advance(5)
    assert tries == [1, 2, 2, 3, 3, 3, 3, 4]
    assert len(at.service.received) == 1


async def test_a_push_service_that_wants_fewer_is_left_alone_for_as_long_as_it_says(at, ada, machine):
    await subscribed(at, ada)
    at.service.answers.append(Response(status_code=429, headers={"retry-after": "100"}))
    await ends_turn(machine, ada.worker_id)
    await at.turn()
    await at.clock.advance(99)
    assert await at.turn() == []
    await at.clock.advance(2)
    assert len(await at.turn()) == 1


async def test_one_that_never_gets_well_is_given_up_after_a_quarter_of_an_hour(at, ada, machine):
    await subscribed(at, ada)
    at.service.answers.extend(Response(status_code=500) for _ in range(50))
    await ends_turn(machine, ada.worker_id)
    for _ in range(20):
        await at.turn()
        await at.clock.advance(60)
    assert await outcomes(at) == ["too_old"]
    assert 5 < at.service.tries < 12


async def test_a_refused_message_is_not_tried_again(at, ada, machine):
    await subscribed(at, ada)
    at.service.answers.append(Response(status_code=413))
    await ends_turn(machine, ada.worker_id)
    await at.turn()
    await at.clock.advance(600)
    assert await at.turn() == []
    assert (at.service.tries, await outcomes(at)) == (1, ["refused"])


async def test_a_subscription_that_is_over_takes_its_messages_with_it(at, ada, machine):
    browser, _ = await subscribed(at, ada)
    at.service.forget(browser)
    await ends_turn(machine, ada.worker_id)
    await ask(machine, ada.worker_id)
    await at.turn()
    assert await outcomes(at) == []
    assert await at.world.api.pool.fetchval("select count(*) from api.push_subscription") == 0


class Away:
    """A runtime that tells what is new, and nothing else."""

    def __init__(self, port: Any) -> None:
        self._port = port

    async def call(self, request: RuntimeRequest) -> RuntimeResponse:
        if request.method == "GET":
            raise Unavailable("away", reason_code="runtime_unreachable", outcome="not_recorded")
        answer: RuntimeResponse = await self._port.call(request)
        return answer

    async def aclose(self) -> None:
        return None


async def test_a_runtime_that_is_away_makes_it_later(at, ada, machine):
    await subscribed(at, ada)
    await ends_turn(machine, ada.worker_id)
    assert await at.turn(at.node(Away(at.world.api.runtime))) == []
    await at.clock.advance(6)
    assert len(await at.turn()) == 1


async def test_the_server_itself_plans_and_sends(cluster):
    async with pushing(cluster, push_seconds=0.05) as at:
        ada = await at.person("ada")
        machine = await executing(ada)
        await subscribed(at, ada)
        await ask(machine, ada.worker_id)
        (message,) = await at.service.until(1)
        assert message.notification["kind"] == "approval"


def _q(worker_id: str) -> str:
    return worker_id.replace(":", "%3A")
