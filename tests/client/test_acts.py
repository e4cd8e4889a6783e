"""What a person does is never shown as done before it is, never done twice, and nothing of it is lost."""

from __future__ import annotations

import asyncio
import random

import httpx2
import pytest

from autopilot.client import RuntimeCodexClient
from autopilot.client.acts import Act
from autopilot.client.acts_book import REPEAT_SECONDS, Acts
from autopilot.client.overview_store import OverviewStore
from autopilot.client.presenters import acts as words
from autopilot.contract import AppendEvent, ReceiptReport
from autopilot.contract.errors import Conflict, InvalidRequest
from autopilot.testing.clock import FakeClock
from autopilot.testing.fault_messages import Faults, FaultyTransport
from autopilot.testing.scaled_clock import ScaledClock
from autopilot.testing.streaming_server import StreamingServer


async def comes(act: Act, *phases: str) -> None:
    """Until the act is in one of these."""
    async with asyncio.timeout(30):
        async for view in act.changes():
            if view.phase in phases:
                return


class Phone:
    """Acts that are seen to, over a stream."""

    def __init__(self, client: RuntimeCodexClient) -> None:
        self.acts = Acts(client, device_id="phone")
        self.store = OverviewStore(client)
        self.store.subscribe(lambda view: self.acts.take(view.overview))

    async def __aenter__(self) -> Acts:
        self._group = await asyncio.TaskGroup().__aenter__()
        self._tasks = [self._group.create_task(work) for work in (self.acts.run(), self.store.run())]
        return self.acts

    async def __aexit__(self, *_) -> None:
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(None, None, None)


def ended(act: Act, *, ok: bool) -> AppendEvent:
    """What a machine says of the end of a request."""
    said = {"source": "autopilot-desktop", "request_id": act.request_id, "method": "turn/start"}
    how = {"ok": True, "response": {}} if ok else {"ok": False, "error": {"message": "no"}}
    kind = "worker.response" if ok else "worker.error"
    return AppendEvent(event_type=kind, payload=said | how, event_id=f"response:{act.request_id}")


def answering(status: int, reason: str = "", *, times: int = 1_000, retry_after: str = "") -> list:
    """The server's answers: these, then what a request is answered with."""
    codes = {
        401: "unauthorized",
        403: "forbidden",
        404: "not_found",
        409: "conflict",
        410: "stale_cursor",
        422: "unprocessable",
        429: "rate_limited",
        503: "unavailable",
    }
    detail = {"reason_code": reason or "some_reason", "outcome": "not_recorded"}
    body = {"error": {"code": codes[status], "message": "no", "details": [detail]}}
    headers = {"retry-after": retry_after} if retry_after else {}
    return [httpx2.Response(status, json=body, headers=headers) for _ in range(times)]


def scripted(answers: list, seen: list) -> httpx2.MockTransport:
    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        if answers:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        data = {"worker_id": "w", "request_id": "r", "state": "accepted"}
        return httpx2.Response(202, json={"data": data})

    return httpx2.MockTransport(handle)


@pytest.mark.parametrize(
    ("status", "reason", "way"),
    [
        (401, "token_refused", "sign_in"),
        (403, "role", "none"),
        (403, "step_up_required", "step_up"),
        (409, "worker_stopped", "reload"),
        (410, "below_floor", "reload"),
        (422, "invalid_value", "correct"),
        (429, "session_rate", "wait"),
        (503, "runtime_unreachable", "wait"),
    ],
)
async def test_each_refusal_is_told_loses_nothing_and_leaves_it_to_be_sent_again(status, reason, way):
    seen: list[httpx2.Request] = []
    refusals = answering(status, reason)
    clock = ScaledClock(1000)
    async with RuntimeCodexClient(
        "http://127.0.0.1:9", "token", transport=scripted(refusals, seen), clock=clock
    ) as client:
        act = Acts(client).say("w", "what was typed")
        request_id = act.request_id
        view = await act.send()

        assert view.phase == "refused"
        assert words.trouble(view).way == way
        assert words.label(view).text == words.trouble(view).sentence
        assert act.deed.params == {"input": [{"type": "text", "text": "what was typed"}]}
        refusals.clear()
        view = await act.send()
    assert (view.phase, view.attempts, act.request_id) == ("waiting", 2, request_id)
    assert all(request_id in request.content.decode() for request in seen)


@pytest.mark.parametrize(
    ("status", "reason", "is_offered"),
    [
        (401, "token_refused", True),
        (403, "step_up_required", True),
        (409, "leased", True),
        (429, "session_rate", True),
        (503, "runtime_unreachable", True),
        (403, "role", False),
        (403, "scope", False),
        (403, "policy_denied.method", False),
        (404, "no_such_worker", False),
        (409, "worker_stopped", False),
        (409, "different_content", False),
        (422, "invalid_value", False),
    ],
)
async def test_sending_again_is_offered_only_where_the_answer_may_be_another_one(status, reason, is_offered):
    transport = scripted(answering(status, reason), [])
    async with RuntimeCodexClient(
        "http://127.0.0.1:9", "token", transport=transport, clock=ScaledClock(1000)
    ) as client:
        act = Acts(client).say("w", "what was typed")
        assert not words.may_send_again(act.view)
        view = await act.send()
    assert view.phase == "refused"
    assert words.may_send_again(view) is is_offered


async def test_of_what_nobody_answered_sending_it_again_is_offered():
    transport = scripted([httpx2.ConnectError("no network") for _ in range(1000)], [])
    async with RuntimeCodexClient(
        "http://127.0.0.1:9", "token", transport=transport, clock=ScaledClock(1000)
    ) as client:
        view = await Acts(client).say("w", "hello").send()
    assert (view.phase, words.may_send_again(view)) == ("unknown", True)


async def test_what_nobody_answered_is_unknown_and_is_sent_again_under_its_id():
    seen: list[httpx2.Request] = []
    answers: list = [httpx2.ConnectError("no network") for _ in range(1000)]
    async with (
        RuntimeCodexClient(
            "http://127.0.0.1:9", "token", transport=scripted(answers, seen), clock=ScaledClock(1000)
        ) as client,
        asyncio.TaskGroup() as group,
    ):
        acts = Acts(client)
        running = group.create_task(acts.run())
        act = acts.say("w", "hello")
        assert act.view.phase == "idle"
        await comes(act, "unknown")
        assert words.trouble(act.view).way == "retry"
        answers.clear()
        acts.poke()
        await comes(act, "waiting")
        running.cancel()
    assert all(act.request_id in request.content.decode() for request in seen)


@pytest.mark.parametrize("status", [401, 403, 429, 503])
async def test_what_may_have_arrived_is_not_said_to_be_refused_by_a_later_no(status):
    seen: list[httpx2.Request] = []
    answers: list = [httpx2.ReadError("cut in the middle"), *answering(status, times=3)]
    transport = scripted(answers, seen)
    async with RuntimeCodexClient(
        "http://127.0.0.1:9", "token", transport=transport, clock=ScaledClock(1000)
    ) as client:
        act = Acts(client).say("w", "hello")
        view = await act.send()
        assert (view.phase, view.error.fact("outcome"), len(seen) > 1) == ("unknown", "unknown", True)
        answers[:] = answering(status)
        assert (await act.send()).phase == "unknown"
        answers[:] = answering(422)
        assert (await act.send()).phase == "refused"
        answers[:] = answering(429)
        assert (await act.send()).phase == "refused"


async def test_what_was_typed_long_ago_is_not_sent_behind_ones_back():
    clock = FakeClock()
    seen: list[httpx2.Request] = []
    answers: list = [httpx2.ConnectError("no network") for _ in range(1000)]
    async with RuntimeCodexClient(
        "http://127.0.0.1:9", "token", transport=scripted(answers, seen), clock=clock
    ) as client:
        acts = Acts(client)
        async with asyncio.TaskGroup() as group:
            act = acts.say("w", "hello")
            running = group.create_task(acts.run())
            await clock.advance(REPEAT_SECONDS + 60)
            assert act.view.phase == "unknown"
            running.cancel()
        count = len(seen)
        answers.clear()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(acts.run())
            await clock.advance(60)
            assert (act.view.phase, len(seen)) == ("unknown", count)
            acts.begin(act)
            await clock.advance(1)
            assert act.view.phase == "waiting"
            running.cancel()


async def test_cancelled_while_it_is_sent_it_is_unknown():
    hanging = asyncio.Event()

    async def hang(_request: httpx2.Request) -> httpx2.Response:
        hanging.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with (
        RuntimeCodexClient("http://127.0.0.1:9", "token", transport=httpx2.MockTransport(hang)) as client,
        asyncio.TaskGroup() as group,
    ):
        acts = Acts(client)
        running = group.create_task(acts.run())
        act = acts.say("w", "hello")
        await hanging.wait()
        assert act.view.phase == "sending"
        running.cancel()
    assert (act.view.phase, act.view.may_send) == ("unknown", True)


async def test_nothing_to_say_and_no_turn_to_say_it_to_are_refused_before_anything_is_sent():
    async with RuntimeCodexClient("http://127.0.0.1:9", "token") as client:
        acts = Acts(client)
        with pytest.raises(InvalidRequest):
            acts.say("w", "  \n")
        with pytest.raises(Conflict):
            acts.steer("w", "more", None)
        with pytest.raises(Conflict):
            acts.interrupt("w", None)
        assert acts.view == ()


@pytest.mark.slow
async def test_a_request_moves_with_its_receipt_to_its_end(installation):
    client, machine = await installation.client(), await installation.machine()
    await client.create_worker("w")
    lease = await machine.claim_lease("w", "machine-1")
    async with Phone(client) as acts:
        for end, phase in (("completed", "done"), ("failed", "failed"), ("indeterminate", "indeterminate")):
            act = acts.say("w", f"to be {end}")
            views = [act.view]
            act.subscribe(views.append)
            await comes(act, "waiting")
            for state in ("delivered", "acknowledged"):
                report = ReceiptReport(worker_id="w", request_id=act.request_id, state=state)
                await machine.report_receipts("machine-1", [report])
            if end == "indeterminate":
                report = ReceiptReport(worker_id="w", request_id=act.request_id, state=end)
                await machine.report_receipts("machine-1", [report])
            else:
                await machine.append_events("w", [ended(act, ok=end == "completed")], generation=lease.generation)
            await comes(act, "done", "failed", "indeterminate")
            assert act.view.phase == phase
            assert not act.view.may_send
            order = ["idle", "sending", "waiting", phase]
            assert [order.index(view.phase) for view in views] == sorted(order.index(view.phase) for view in views)


@pytest.mark.slow
@pytest.mark.seeds(3, 60)
async def test_over_a_network_that_loses_and_doubles_messages_nothing_is_done_twice(installation, seed):
    faults = Faults(random.Random(seed), 0.4)
    source = await installation.session()
    client = await installation.client(source, transport=FaultyTransport(faults), clock=ScaledClock(20))
    machine = await installation.machine()
    plain = await installation.client(source)
    await plain.create_worker("w")
    async with Phone(client) as acts:
        made = [acts.say("w", f"message {number}") for number in range(6)]
        for act in made:
            await comes(act, "waiting")
        stop = acts.stop("w", reason="enough")
        await comes(stop, "done")
    del machine
    events = await plain.events("w", after=0, limit=500)
    received = [event.payload["request_id"] for event in events if event.eventType == "worker.request.received"]
    assert sorted(received) == sorted({act.request_id for act in made} | ({stop.request_id} & set(received)))
    assert len([event for event in events if event.eventType == "worker.stopped"]) == 1


@pytest.mark.slow
async def test_a_stop_is_done_when_the_machine_says_so(installation):
    client, machine = await installation.client(), await installation.machine()
    await client.create_worker("w")
    lease = await machine.claim_lease("w", "machine-1")
    async with Phone(client) as acts:
        act = acts.stop("w", reason="enough")
        await comes(act, "waiting")
        stopped = AppendEvent(event_type="worker.stopped", payload={"verified": True, "source": "autopilot-desktop"})
        await machine.append_events("w", [stopped], generation=lease.generation)
        await comes(act, "done")
        assert acts.of("w") == (act,)


@pytest.mark.slow
async def test_a_handshake_that_is_sent_again_is_the_same_question_to_the_ledger(installation):
    client = await installation.client()
    await client.create_worker("w")
    act = Acts(client, device_id="phone").handshake("w")
    seqs = []
    for _ in range(2):
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(act.send())
            await comes(act, "waiting", "refused")
            seqs.append(act.asked_seq)
            sending.cancel()
        assert (act.view.phase, act.view.error) == ("unknown", None)
    assert seqs[0] is not None
    assert seqs[0] == seqs[1]


async def test_a_handshake_says_where_it_is_and_a_repeated_one_is_the_same_question():
    clock = FakeClock()
    async with (
        StreamingServer() as server,
        RuntimeCodexClient(server.url, "token", clock=clock) as client,
        asyncio.timeout(30),
        asyncio.TaskGroup() as group,
    ):
        acts = Acts(client, device_id="phone")
        running = group.create_task(acts.run())
        act = acts.handshake("w")
        await comes(act, "waiting")
        assert (act.asked_seq, act.asked_at) == (1, 0.0)
        ack = {
            "source": "autopilot-desktop",
            "method": "desktop/handshake_ack",
            "handshake_id": act.request_id,
            "desktop_session_id": "d",
            "occurred_at": "x",
        }
        server.append("w", ack, actor={"surface": "companion", "machine_id": "m"})
        await comes(act, "done")
        assert words.label(act.view).text == "Connected"

        silent = acts.handshake("w")
        await comes(silent, "waiting")
        await clock.advance(31)
        await comes(silent, "failed")
        assert words.label(silent.view).text == "Nobody answered"
        assert not silent.view.may_send
        running.cancel()
