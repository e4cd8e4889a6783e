"""Any message between phone, API, runtime, companion and Codex is lost or comes twice: nothing is done twice for it,
and nothing is lost without a receipt that says so."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.companion.installation import FULL_ACCESS, Installation, assert_sound, installed, method
from tests.waiting import until

from autopilot.client import RuntimeCodexClient, has_ended
from autopilot.companion.app import Companion
from autopilot.companion.codex import history
from autopilot.companion.codex.messages import CodexError, CodexGone
from autopilot.companion.codex.process import Launch
from autopilot.companion.methods import OWN_MESSAGE
from autopilot.companion.traces import THREAD_SOURCE
from autopilot.contract import Receipt
from autopilot.contract.errors import AutopilotError
from autopilot.testing.fault_messages import Faults, FaultyPort, FaultyTransport
from autopilot.testing.model import ScriptedModel, script

pytestmark = pytest.mark.e2e

SHARES = {"phone": 0.3, "runtime": 0.08, "companion": 0.15, "codex": 0.15}
TURNS = 4
PATIENCE_SECONDS = 100.0
BETWEEN_SECONDS = 0.1
"""Codex is asked each time, over the lines that lose messages."""
patient = partial(until, within_seconds=PATIENCE_SECONDS, between_seconds=BETWEEN_SECONDS)
TAKEN_SECONDS = 10.0


def echo(request_id: str) -> dict[str, Any]:
    """A message whose execution can be counted in the work folder."""
    return {"input": [{"type": "text", "text": script({"shell": f"echo {request_id} >> runs.txt"}, {"say": "done"})}]}


def lossy(companion: Companion, faults: Faults) -> Counter[str]:
    """Calls to Codex are lost with their connection, before they are heard or after they were done.

    Returns how often Codex answered each request, by what it carries of the request's id.
    """
    call = companion.codex.call
    heard: Counter[str] = Counter()

    async def lose(method: str, params: Any = None, **more: Any) -> msgspec.Raw:
        fate = faults.fate()
        if fate != "lost":
            answer = await call(method, params, **more)
            if method in ACTS:
                heard[mark_of(params)] += 1
            if fate == "passes":
                return answer
        companion.codex.reconnect()
        raise CodexGone("the connection to Codex ended")

    companion.codex.call = lose
    return heard


ACTS = OWN_MESSAGE | {"thread/start", "thread/name/set"}


def mark_of(params: dict[str, Any]) -> str:
    """What tells whose request a call is."""
    return params.get("clientUserMessageId") or params.get("threadSource", "").removeprefix(THREAD_SOURCE) or "name"


class Phone:
    """Asks until it is answered, always under the same id."""

    def __init__(self, client: RuntimeCodexClient, machine_id: str, rng: random.Random) -> None:
        self._client = client
        self._machine_id = machine_id
        self._rng = rng

    async def ask(self, worker: str | None, method: str, params: dict[str, Any], request_id: str) -> None:
        wait_ms = self._rng.choice([0, 0, 300])
        more: dict[str, Any] = {"request_id": request_id, "wait_ms": wait_ms}

        async def once() -> None:
            if worker is None:
                await self._client.machine_request(self._machine_id, method, params, **more)
            else:
                await self._client.request(worker, method, params, **more)

        await until_it_succeeds(once)


async def until_it_succeeds(attempt: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                return await attempt()
            except AutopilotError as error:
                if error.status not in {None, 503}:  # else the network's
                    raise


async def ended(look: Callable[[], Awaitable[Receipt]]) -> Receipt:
    """The receipt at its end."""
    found: list[Receipt] = []

    async def once() -> None:
        found.append(await look())

    async def is_over() -> bool:
        await until_it_succeeds(once)
        return has_ended(found[-1])

    await patient(is_over)
    return found[-1]


async def at_rest(companion: Companion, thread_id: str) -> None:
    """Until no turn runs, and nothing waits to be one."""
    call = companion.codex.call

    async def rests() -> bool:
        return not (await history.running_turn(call, thread_id) or await history.queued(call, thread_id))

    await patient(rests)


async def patiently(look: Callable[[], Awaitable[Counter[str]]]) -> Counter[str]:
    """Look again while the connection to Codex is still coming back."""
    found: list[Counter[str]] = []

    async def looked() -> bool:
        with contextlib.suppress(CodexError):
            found.append(await look())
        return bool(found)

    await patient(looked)
    return found[-1]


async def heard_of(companion: Companion, thread_id: str, taken: set[str]) -> Counter[str]:
    """Which messages Codex has, once those that it took have come to be in its history, or time is over."""

    async def has_all() -> bool:
        return not taken - (await messages(companion, thread_id)).keys()

    with contextlib.suppress(TimeoutError):
        await until(has_all, within_seconds=TAKEN_SECONDS, between_seconds=BETWEEN_SECONDS)
    await at_rest(companion, thread_id)
    return await messages(companion, thread_id)


async def messages(companion: Companion, thread_id: str) -> Counter[str]:
    """How often Codex has each request's message in its history."""
    found: Counter[str] = Counter()
    async for entry in history.items(companion.codex.call, thread_id):
        client_id = msgspec.json.decode(entry.item).get("clientId")
        found[str(client_id)] += 1
    return found


def runs(project: Path) -> Counter[str]:
    """How often the command of each request ran."""
    file = project / "runs.txt"
    return Counter(file.read_text().split()) if file.exists() else Counter()


@pytest.fixture
def faults(seed: int) -> dict[str, Faults]:
    """Of each network, off until the round begins."""
    made = {name: Faults(random.Random(f"{seed} {name}"), share) for name, share in SHARES.items()}
    for one in made.values():
        one.on = False
    return made


@pytest.fixture
async def installation(  # noqa: PLR0917  # all that an installation is made of
    database: str, tmp_path: Path, launch: Launch, model: ScriptedModel, project: Path, faults: dict[str, Faults]
) -> AsyncIterator[Installation]:
    """With such a network between API and runtime."""
    async with installed(
        database, tmp_path, launch, model, project, between=lambda runtime: FaultyPort(runtime, faults["runtime"])
    ) as made:
        yield made


@pytest.mark.seeds(10, 200)
async def test_whatever_message_is_lost_or_comes_twice_nothing_is_done_twice_or_lost_without_a_word(
    installation: Installation, faults: dict[str, Faults], seed: int
) -> None:
    rng = random.Random(seed)
    async with (
        installation.companion(transport=FaultyTransport(faults["companion"])) as companion,
        RuntimeCodexClient(
            installation.served.url, installation.person_token, transport=FaultyTransport(faults["phone"])
        ) as client,
    ):
        worker = await installation.start_thread()
        thread_id = worker.removeprefix("desktopw:")
        # Without a first turn the thread would have no history to tell of.
        await installation.turn(worker, {"say": "before"})
        await installation.log_until(worker, method("turn/completed"))
        done = lossy(companion, faults["codex"])
        for one in faults.values():
            one.on = True
        phone = Phone(client, installation.machine_id, rng)
        asked = [(worker, rng.choice(["turn/start", "thread/queue/add"]), f"r{number}") for number in range(TURNS)]
        async with asyncio.TaskGroup() as tasks:
            for target, what, request_id in asked:
                tasks.create_task(phone.ask(target, what, echo(request_id), request_id))
            tasks.create_task(phone.ask(worker, "thread/name/set", {"name": "n"}, "name"))
            made = {"cwd": str(installation.project), **FULL_ACCESS}
            tasks.create_task(phone.ask(None, "thread/start", made, "new"))
        owner = installation.owner
        receipts = {
            request_id: await ended(lambda request_id=request_id: owner.receipt(worker, request_id))
            for request_id in [*(one[2] for one in asked), "name"]
        }
        receipts["new"] = await ended(lambda: owner.machine_receipt(installation.machine_id, "new"))
        for one in faults.values():
            one.on = False
        taken = {one[2] for one in asked if receipts[one[2]].state == "completed"}
        heard = await patiently(lambda: heard_of(companion, thread_id, taken))
        ran = runs(installation.project)
        log = await installation.whole_log(worker)

    told = {name: (receipt.state, receipt.error) for name, receipt in receipts.items()}
    assert max(done.values()) == 1
    for _, _, request_id in asked:
        _is_true(told[request_id][0], heard[request_id], told)
        assert ran[request_id] <= heard[request_id]
    assert_sound(log)
    said = Counter(event.payload.get("request_id") for event in log if event.eventType == "worker.response")
    assert all(count == 1 for count in said.values())
    assert any(one.drawn.total() > one.drawn["passes"] for one in faults.values())


def _is_true(state: str, times: int, told: object) -> None:
    """The receipt's end says how often it was done: once, not at all, or nobody knows; never more than once."""
    possible = {"completed": {1}, "indeterminate": {0, 1}}.get(state, {0})
    assert times in possible, (state, times, told)
