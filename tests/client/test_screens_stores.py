"""What stores of screens show when answers come late, in another order, not at all, or to nobody."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest
from tests.waiting import until

from autopilot.client import RuntimeCodexClient
from autopilot.client.answering import Answer
from autopilot.client.approval_store import ApprovalStore
from autopilot.client.audit_search import AuditSearch, Sought
from autopilot.client.machine_store import MachineStore, ThreadsStore
from autopilot.client.new_session_store import NewSessionStore
from autopilot.client.overview import Overview
from autopilot.client.overview_store import OverviewStore
from autopilot.client.policy_store import PolicyStore
from autopilot.client.presenters.people import Names
from autopilot.client.stopping import EmergencyStop
from autopilot.contract import Approval, ApprovalOption, Machine, decode
from autopilot.contract.errors import Forbidden, UnknownError
from autopilot.testing.approvals import question
from autopilot.testing.clock import FakeClock
from autopilot.testing.scaled_clock import ScaledClock

OPTION = ApprovalOption(option_id="accept", label="Approve", effect="accept")


class Server:
    """Answers as it is told to, by path; what is held waits for its turn."""

    def __init__(self, **answers: object) -> None:
        self.answers = dict(answers)
        self.asked: list[httpx2.Request] = []
        self.holds = False
        self.turns: list[asyncio.Event] = []

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if self.holds:
            self.turns.append(asyncio.Event())
            await self.turns[-1].wait()
        name = next(name for name in self.answers if name in request.url.path)
        answer = self.answers[name]
        answer = answer(request) if callable(answer) else answer
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json={"data": answer})

    def client(self) -> RuntimeCodexClient:
        return RuntimeCodexClient(
            "http://api.test", "token", transport=httpx2.MockTransport(self), clock=ScaledClock(1000)
        )

    async def holding(self, count: int) -> None:
        await until(lambda: len(self.turns) == count)


def refused(status: int, reason: str) -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"code": "c", "message": "no", "details": [{"reason_code": reason}]}})


def approval(state: str) -> Approval:
    said = {"approval_id": "ap", "worker_id": "w", "requested_at": "2026-11-23T08:00:00Z", "state": state}
    return decode(Approval, question("w") | said)


def told(store: OverviewStore, overview: Overview) -> None:
    """As the stream would."""
    store._fold._restore(overview)
    store._fold._overview = None
    store._change()


POLICIES = {"effective": [], "documents": [], "answering": [], "rules": [], "budgets": []}


async def test_a_policy_is_never_shown_as_that_of_another_team():
    server = Server(policies=POLICIES, teams=[])
    async with server.client() as client:
        store = PolicyStore(client)
        await store.look()
        assert store.view.asked.value is not None
        server.answers["policies"] = refused(403, "role")
        await store.look(team_id="t1")
        assert (store.view.team_id, store.view.asked.value) == ("t1", None)
        assert isinstance(store.view.asked.error, Forbidden)
        await store.look()
        assert store.view.asked.value is None


async def test_what_a_trial_said_is_told_of_that_trial_only():
    server = Server(test={"allowed": True}, policies=POLICIES, teams=[])
    async with server.client() as client, asyncio.TaskGroup() as group:
        store = PolicyStore(client)
        server.holds = True
        group.create_task(store.try_it("turn/start"))
        await server.holding(1)
        group.create_task(store.try_it("fs/readFile"))
        await server.holding(2)
        server.turns[0].set()
        server.turns[1].set()
        await until(lambda: not store.view.is_trying)
        assert (store.view.tried, store.view.verdict.allowed) == ("fs/readFile", True)
        late = group.create_task(store.try_it("turn/start"))
        await server.holding(3)
        server.holds = False
        await store.look(team_id="t1")
        server.turns[2].set()
        await late
        assert (store.view.tried, store.view.verdict) == ("", None)


@pytest.mark.parametrize("how", ["looked at", "answered"])
async def test_an_answer_that_comes_late_does_not_take_back_what_the_stream_has_told(how):
    server = Server(decision=json.loads(json.dumps({})), approvals={})
    async with server.client() as client, asyncio.TaskGroup() as group:
        overview = OverviewStore(client)
        told(overview, Overview(approvals=(approval("pending"),)))
        store = ApprovalStore(client, overview, "ap", lambda: Names(me=1))
        running = group.create_task(store.run())
        late = question("w") | {"approval_id": "ap", "worker_id": "w", "requested_at": "2026-11-23T08:00:00Z"}
        server.answers = {"decision": late | {"state": "decided"}, "approvals": late | {"state": "pending"}}
        server.holds = True
        asking = group.create_task(store.look() if how == "looked at" else store.answer(Answer(OPTION)))
        await server.holding(1)
        told(overview, Overview(ended_approvals=(approval("applied"),)))
        await until(lambda: store.view.approval.state == "applied")
        server.turns[0].set()
        await asking
        assert (store.view.approval.state, store.view.is_sending) == ("applied", False)
        running.cancel()


async def test_who_is_waited_for_by_nobody_any_more_is_not_busy():
    server = Server(**{"": refused(403, "role")})
    server.holds = True
    async with server.client() as client:
        overview = OverviewStore(client)
        stop, machine, threads = EmergencyStop(client, overview), MachineStore(client, "m"), ThreadsStore(client, "m")
        audit, session = AuditSearch(client), NewSessionStore(client, overview)
        told(overview, Overview(machines=(decode(Machine, {"machine_id": "m", "name": "m", "facts": []}),)))
        session._take(overview.view)
        session.edit(prompt="do it", folder="/work")
        assert session.view.may_start
        async with asyncio.TaskGroup() as group:
            works = [
                stop.stop("", force=False),
                machine.share("t"),
                threads.adopt("th"),
                audit.look(Sought(text="x")),
                session.start(),
            ]
            tasks = [group.create_task(work) for work in works]
            await server.holding(5)
            for task in tasks:
                task.cancel()
    busy = (
        stop.view.is_asking,
        machine.view.is_busy,
        threads.view.taking,
        audit.view.is_asking,
        session.view.is_asking,
    )
    assert busy == (False, False, None, False, False)
    assert session.view.may_start


async def test_a_search_that_is_let_go_while_one_types_is_not_asking():
    transport = httpx2.MockTransport(Server())
    async with RuntimeCodexClient("http://api.test", "token", transport=transport, clock=FakeClock()) as client:
        audit = AuditSearch(client)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(audit.look(Sought(text="x")))
            await until(lambda: audit.view.is_asking)
            task.cancel()
        assert not audit.view.is_asking


async def test_a_session_that_may_have_been_asked_for_is_asked_for_under_its_id_until_somebody_says_no():
    answers = [httpx2.Response(200, text="<html>a portal"), *[refused(401, "token_refused")], refused(409, "fenced")]
    server = Server(requests=lambda _request: answers.pop(0))
    async with server.client() as client:
        overview = OverviewStore(client)
        told(overview, Overview(machines=(decode(Machine, {"machine_id": "m", "name": "m", "facts": []}),)))
        store = NewSessionStore(client, overview)
        store._take(overview.view)
        store.edit(prompt="do it", folder="/work")
        await store.start()
        assert isinstance(store.view.error, UnknownError)
        await store.start()
        await store.start()
        answers.append(refused(409, "fenced"))
        await store.start()
    ids = [json.loads(request.content)["request"]["request_id"] for request in server.asked]
    assert ids[0] == ids[1] == ids[2] != ids[3]
