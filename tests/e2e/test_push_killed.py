"""kill -9 of the process that sends notifications, at drawn moments: all that was due is told or given up in words.

`.venv/bin/pytest tests/e2e/test_push_killed.py -k "seed17]" --endurance` plays the round of one seed again.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from starlette.responses import Response
from tests.e2e.nodes import Nodes, running_nodes
from tests.waiting import until

from autopilot.api import opaque, tokens
from autopilot.client import RuntimeCodexClient
from autopilot.contract import AppendEvent, PushKeys, RegisterMachine
from autopilot.contract.errors import NetworkError, Unavailable
from autopilot.ops.serve import Server
from autopilot.testing import approvals
from autopilot.testing.postgres import TestCluster
from autopilot.testing.push_service import Browser, PushService, Received

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KINDS = ("turn", "failure", "approval", "answered", "stop")
PLANNED_AND_SENT_SECONDS = 2.5
"""Within this, a server that has just started has read what is new, and sends it."""
GIVEN_UP = frozenset({"replaced", "closed"})
"""What may become of a notification here but that it is sent: nothing grows old in a round, and nobody looks."""
ROWS = """select m.* from api.push_message m join api.push_subscription using (subscription_id)
    where user_id = $1 order by message_no"""

SURELY_SECONDS = 120
"""Three starts of a server on a busy machine."""

Said = TypeVar("Said")


@pytest.fixture(scope="module")
async def nodes(
    anyio_backend: str, cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Nodes]:
    here = {"AUTOPILOT_PUBLIC_URL": "http://127.0.0.1:8787"}
    async with (
        cluster.database() as dsn,
        running_nodes(dsn, tmp_path_factory.mktemp("nodes"), apis=1, **here) as running,
    ):
        yield running


@dataclass
class Life:
    """Somebody with two devices that are told, and a machine whose workers have something to tell."""

    nodes: Nodes
    service: PushService
    user_id: int
    machine_id: str
    client: RuntimeCodexClient
    companion: RuntimeCodexClient
    workers: list[str]
    devices: dict[str, Browser] = field(default_factory=dict)
    """Subscription -> browser."""
    due: list[tuple[str, str, int | None]] = field(default_factory=list)
    """Worker, kind and seq of each event that is to be told; no seq where the runtime wrote it."""
    words: dict[str, int] = field(default_factory=dict)
    """What a turn said -> its seq."""

    async def rows(self) -> list[Any]:
        return await self.nodes.api_pool.fetch(ROWS, self.user_id)

    async def append(self, worker_id: str, event_type: str, payload: dict[str, Any]) -> int:
        event_id = opaque.identifier("event_")
        event = AppendEvent(
            event_type=event_type, payload={"source": "autopilot-desktop", **payload}, event_id=event_id
        )
        (appended,) = await surely(lambda: self.companion.append_events(worker_id, [event]))
        return appended.seq

    async def happens(self, worker_id: str, kind: str, word: str) -> None:
        """Something of this kind, which is told in this word."""
        match kind:
            case "turn" | "failure":
                items = [{"type": "agentMessage", "id": "m", "text": word}]
                error, status = (None, "completed") if kind == "turn" else ({"message": word}, "failed")
                turn = {"id": "turn-1", "status": status, "items": items, "error": error}
                params = {"threadId": "t", "turn": turn}
                seq = await self.append(worker_id, "worker.event", {"method": "turn/completed", "params": params})
                self.words[word] = seq
                self.due.append((worker_id, kind, seq))
            case "approval" | "answered":
                asked = approvals.question(worker_id, word, risk="low")
                seq = await self.append(worker_id, "worker.approval.requested", approvals.asked(asked))
                self.due.append((worker_id, "approval", seq))
                if kind == "answered":
                    await surely(lambda: self.client.decide(asked["approval_id"], "accept"))
            case "stop":
                await surely(lambda: self.client.stop_worker(worker_id, reason=word))
                sql = "select request_id from receipt where target_id = $1 and method = 'worker/stop'"
                request_id = await self.nodes.pool.fetchval(sql, worker_id)
                await self.append(worker_id, "worker.stopped", {"request_id": request_id, "verified": True})
                self.due.append((worker_id, "request", None))


async def surely(call: Callable[[], Awaitable[Said]]) -> Said:
    """As a client does that hears nothing: again, the same."""
    async with asyncio.timeout(SURELY_SECONDS):
        while True:
            try:
                return await call()
            except (NetworkError, Unavailable):
                continue


@asynccontextmanager
async def lived(nodes: Nodes, seed: int, count: int) -> AsyncIterator[Life]:
    """Nothing has happened yet."""
    (api,), email, machine_id = nodes.apis, f"person{seed}@example.org", f"machine-{seed}"
    service, stopping = PushService(), asyncio.Event()
    async with AsyncExitStack() as stack:
        door = await stack.enter_async_context(Server(service.app, stopping=stopping).running())
        service.url = door.url

        async def client(*scopes: str, **rest: Any) -> RuntimeCodexClient:
            minted = await tokens.mint(nodes.api_pool, email=email, scopes=scopes, surface="cli", **rest)
            return await stack.enter_async_context(RuntimeCodexClient(api.url, minted.token))

        owner = await client("observe", "administer")
        companion = await client("execute", machine_id=machine_id)
        await companion.register_machine(RegisterMachine(machine_id=machine_id, name="laptop"))
        workers = [(await owner.create_worker()).workerId for _ in range(count)]
        for worker_id in workers:
            await companion.claim_lease(worker_id, machine_id)
        user_id = await nodes.api_pool.fetchval("select user_id from api.user_account where email = $1", email)
        life = Life(nodes, service, user_id, machine_id, owner, companion, workers)
        for _ in range(2):
            device = await client("observe", "administer")
            browser = service.subscribe((await device.push()).public_key)
            said = browser.subscription()
            made = await device.subscribe_push(said["endpoint"], PushKeys(**said["keys"]))
            life.devices[made.subscription_id] = browser
        yield life
        service.awake.set()


def draw(drawn: random.Random, life: Life) -> list[tuple[str, str, str]]:
    """What happens, in this order: worker, kind, word. One worker says more than once; one that stops, only that."""
    first, *others = life.workers
    happens = [(worker_id, drawn.choice(KINDS)) for worker_id in others]
    happens += [(first, drawn.choice(KINDS[:4])) for _ in range(3)]
    drawn.shuffle(happens)
    return [(worker_id, kind, f"word{number}") for number, (worker_id, kind) in enumerate(happens)]


@pytest.mark.seeds(2, 100)
@pytest.mark.timeout(400)
async def test_whoever_is_killed_all_that_was_due_is_told_or_given_up_in_words_and_no_old_history_is(
    nodes: Nodes, seed: int
) -> None:
    drawn = random.Random(seed)
    (api,) = nodes.apis
    async with lived(nodes, seed, count=drawn.randint(4, 14)) as life:
        kills = drawn.randint(1, 3)
        busy = [Response(status_code=status, headers={"retry-after": "1"}) for status in (429, 503)]
        life.service.answers.extend(drawn.choices(busy, k=drawn.choice((0, 0, 1, 2))))

        async def happen() -> None:
            for worker_id, kind, word in draw(drawn, life):
                await life.happens(worker_id, kind, word)

        async with asyncio.TaskGroup() as tasks:
            happening = tasks.create_task(happen())
            for number in range(kills):
                hangs = drawn.random() < 0.5
                if hangs:
                    life.service.awake.clear()  # messages are there, and their senders die before they hear so
                await asyncio.sleep(drawn.uniform(0, PLANNED_AND_SENT_SECONDS))  # drawn
                await api.kill()
                life.service.awake.set()
                if number == kills - 1:
                    life.service.answers.clear()
                    await a_minute_goes_by(nodes)
                await api.start()
            await happening

        rows = await until(lambda: settled(life), within_seconds=SURELY_SECONDS, between_seconds=0.2)
        for row in rows:
            check(life, row, kills)
        assert {(message.browser, *about(message)) for message in life.service.received} <= {
            (life.devices[row["subscription_id"]].name, *named(row)) for row in rows
        }
        taken_back(life, rows)
        await nothing_old_is_told(nodes, life)


async def a_minute_goes_by(nodes: Nodes) -> None:
    """For who sends and is gone: what it was at, and what was to be tried again, is anybody's."""
    await nodes.api_pool.execute(
        "update api.push_message set due_at = due_at - interval '1 minute',"
        " claimed_until = claimed_until - interval '1 minute' where ended_at is null"
    )
    await nodes.api_pool.execute("update api.push_subscription set not_before = null")


async def settled(life: Life) -> list[Any]:
    """All notifications, once there is one of each event for each device, and each is sent or given up."""
    rows = await life.rows()
    planned = Counter((row["worker_id"], row["kind"]) for row in rows if row["kind"] != "approval_closed")
    wanted = Counter((worker_id, kind) for worker_id, kind, _ in life.due for _ in life.devices)
    assert planned <= wanted, f"told twice, or of nothing: {planned - wanted}"
    return rows if planned == wanted and all(row["ended_at"] for row in rows) else []


def about(message: Received) -> tuple[Any, ...]:
    """What a message is of, as the ledger would name it."""
    said = message.notification
    return said["kind"], said["worker_id"], said["approval_id"], said["tag"]


def named(row: Any) -> tuple[Any, ...]:
    return row["kind"], row["worker_id"], row["approval_id"], row["tag"]


def arrived(life: Life, row: Any) -> list[Received]:
    """How this notification came to its device."""
    device = life.devices[row["subscription_id"]].name
    came = [one for one in life.service.received if one.browser == device and about(one) == named(row)]
    if row["kind"] in {"turn", "failure"}:
        came = [one for one in came if life.words[one.notification["body"]] == row["seq"]]
    return came


def check(life: Life, row: Any, kills: int) -> None:
    """It was told, or is said to be given up; more than once only as often as somebody died over it, in one place."""
    came = arrived(life, row)
    assert row["outcome"] == "sent" or row["outcome"] in GIVEN_UP, dict(row)
    assert came or row["outcome"] in GIVEN_UP, dict(row)
    assert len(came) <= min(row["tries"], 1 + kills), dict(row)
    assert len({message.headers["topic"] for message in came}) <= 1
    seqs = {seq for worker_id, kind, seq in life.due if (worker_id, kind) == (row["worker_id"], row["kind"])}
    assert row["seq"] in seqs or row["kind"] in {"request", "approval_closed"}


def taken_back(life: Life, rows: list[Any]) -> None:
    """A question that was answered stands on no device."""
    for row in rows:
        if row["kind"] == "approval" and row["outcome"] == "closed" and arrived(life, row):
            device = life.devices[row["subscription_id"]].name
            ended = [one for one in life.service.received if one.browser == device]
            last = [one.notification for one in ended if one.notification["tag"] == row["tag"]][-1]
            assert last["kind"] == "approval_closed", dict(row)


async def nothing_old_is_told(nodes: Nodes, life: Life) -> None:
    """The server dies once more, and reads the whole ledger anew: only what happens then is told."""
    (api,) = nodes.apis
    before = len(life.service.received)
    await api.kill()
    await nodes.pool.execute("truncate transition, transition_place")
    await nodes.pool.execute("update transition_head set latest_no = 0, looked_at = looked_at - interval '10 minutes'")
    await nodes.api_pool.execute("update api.push_reader set after_no = 0")
    await api.start()
    worker_id = (await life.client.create_worker()).workerId
    await life.companion.claim_lease(worker_id, life.machine_id)
    await life.happens(worker_id, "turn", "new")
    received = await life.service.until(before + len(life.devices), seconds=SURELY_SECONDS)
    assert [message.notification["body"] for message in received[before:]] == ["new"] * len(life.devices)
    await until(lambda: settled(life), within_seconds=SURELY_SECONDS)
    assert len(life.service.received) == before + len(life.devices)
