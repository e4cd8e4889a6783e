"""One thread has one writer: two companions, a partition, clocks an hour apart; threads that other programs hold."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.companion.daemon import client_of, daemon_of, start_daemon
from tests.companion.installation import FULL_ACCESS, Installation, assert_sound, item, method, methods, of_type
from tests.companion.second_machine import Network, machine_of, network_of
from tests.companion.test_companion_ends import completed, in_history
from tests.companion.test_shared_codex import said, turns_ended
from tests.waiting import until

from autopilot.client import RuntimeCodexClient
from autopilot.companion import leases, standing
from autopilot.companion.app import Companion
from autopilot.contract import AppendEvent, Envelope, RequestOutcome
from autopilot.contract.errors import Conflict
from autopilot.testing.model import script

pytestmark = pytest.mark.e2e
NOTHING, HOUR = timedelta(0), timedelta(hours=1)
SKEWS = [pair for pair in itertools.product((-HOUR, NOTHING, HOUR), repeat=2) if any(pair)]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases of others are asked for often."""
    monkeypatch.setattr(leases, "HELD_ELSEWHERE_SECONDS", 0.5)
    monkeypatch.setattr(leases, "NOT_OURS_SECONDS", 2.0)


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
@pytest.mark.seeds(2, 40)
async def test_of_two_companions_of_one_thread_one_writes_always(
    installation: Installation, tmp_path: Path, seed: int
) -> None:
    """The seed chooses whose clock is wrong, how often and how long the first one is cut off, and what goes on then."""
    chance = random.Random(seed)
    wrong = ((NOTHING, HOUR), (NOTHING, -HOUR))[seed] if seed < 2 else chance.choice(SKEWS)
    async with (
        network_of(installation) as network,
        machine_of(installation, tmp_path / "second", wrong_by=wrong[1]) as second,
    ):
        async with machine_of(installation, tmp_path / "first", url=network.url, wrong_by=wrong[0]) as first:
            one, two = first.machine.machine_id, second.machine.machine_id
            installation.machine_id, installation.machine_token = one, token_of(first)
            await until(lambda: second.following._since is not None)
            worker = await installation.start_thread()
            await installation.turn(worker, {"say": "first words"})
            await until(lambda: worker in second.leases.elsewhere)
            assert second.leases.elsewhere[worker].machine_id == one
            await until(lambda: (told := standing.read(second.settings.data)) is not None and spoken_for(told) == [one])
            refused = await adopt(installation, two, worker)
            assert refused.error is not None
            assert (refused.error["code"], refused.error["machine_id"]) == ("held_by_another_machine", one)

            log: list[Envelope] = []
            for number in range(1, 2 + seed % 3):
                log = await cut_off(installation, network, first, two, worker, number, chance)
                generations = [event.payload["generation"] for event in log if of_type("worker.lease.claimed")(event)]
                assert generations == sorted(set(generations))
                with pytest.raises(Conflict) as fenced:
                    await late_writer(installation, installation.machine_token, worker, generations[0])
                assert fenced.value.reason_code == "fenced"
            turns = sum(method("turn/completed")(event) for event in log)
            kept = await in_history(first, worker)

        log = await installation.whole_log(worker)
        assert {event.actor.machine_id for event in log if item("agentMessage")(event) and event.actor} == {one}
        assert sorted(completed(log)) == sorted(kept)

        await until(lambda: second.leases.generation(worker) is not None)
        asked = await installation.turn(worker, {"say": "taken over"})
        log = await installation.log_until(worker, said("taken over"), turns_ended(turns + 1))
        kept = await in_history(second, worker)

    assert asked.state == "completed"
    assert_sound(await installation.whole_log(worker))
    assert sorted(completed(log)) == sorted(kept)


async def cut_off(  # noqa: PLR0917 - who is there
    installation: Installation,
    network: Network,
    first: Companion,
    two: str,
    worker: str,
    number: int,
    chance: random.Random,
) -> list[Envelope]:
    """The first companion is cut off while its Codex goes on; the log once it has told everything."""
    words, gate = f"alone {number}", f"cut {number}"
    midway, is_short, is_asked = (chance.random() < 0.5 for _ in range(3))
    step = {"say": words, "gate": gate} if midway else {"say": words}
    params = {"threadId": worker.partition(":")[2], "input": [{"type": "text", "text": script(step)}]}
    if midway:
        await first.codex.call("turn/start", params)
        await installation.model.reached(gate)
    network.cut()
    if midway:
        installation.model.open(gate)
    else:
        await first.codex.call("turn/start", params)
    if number == 1 or not is_short:  # a short one may be over before anybody asks for the lease
        before = await installation.whole_log(worker)
        wanted = [nth(told, 1 + sum(map(told, before))) for told in (claimed_by(two), released_by(two))]
        await installation.log_until(worker, *wanted)
    if is_asked:
        refused = await adopt(installation, two, worker)
        assert refused.error is not None
        assert refused.error["code"] in {"held_by_another_machine", "held_by_another_process"}
    network.mend()
    return await installation.log_until(worker, said(words), turns_ended(number + 1))


async def adopt(installation: Installation, machine_id: str, worker: str) -> RequestOutcome:
    params = {"threadId": worker.partition(":")[2]}
    return await installation.owner.machine_request(machine_id, "thread/resume", params, wait_ms=30_000)


def nth(fits: Callable[[Envelope], bool], number: int) -> Callable[[Envelope], bool]:
    """The event that is so many of those that fit."""
    seen = 0

    def counted(event: Envelope) -> bool:
        nonlocal seen
        seen += fits(event)
        return seen >= number

    return counted


def spoken_for(told: standing.Status) -> list[str]:
    return [each.machine_id for each in told.owners.held_by_machines]


def token_of(companion: Companion) -> str:
    assert companion.settings.token is not None
    return companion.settings.token.reveal()


def claimed_by(machine_id: str):
    return lambda event: of_type("worker.lease.claimed")(event) and event.payload["machine_id"] == machine_id


def released_by(machine_id: str):
    return lambda event: of_type("worker.lease.released")(event) and event.payload["machine_id"] == machine_id


async def late_writer(installation: Installation, token: str, worker: str, generation: int) -> None:
    """What the first companion would have sent before the partition, arriving now."""
    async with RuntimeCodexClient(installation.served.url, token, surface="companion") as client:
        event = AppendEvent(event_type="worker.event", payload={"source": "autopilot-desktop"}, event_id="late")
        await client.append_events(worker, [event], generation=generation)


async def test_a_thread_that_another_program_holds_is_watched_until_that_lets_go(
    installation: Installation, tmp_path: Path
) -> None:
    async with installation.companion(join_shared_codex=False) as companion:
        await until(lambda: companion.following._since is not None)
        other = await start_daemon(installation.launch)  # stands for a program with an app-server of its own
        try:
            async with client_of(other.socket) as terminal:
                thread_id = await terminal.start_thread(installation.project)
                worker = f"desktopw:{thread_id}"
                await terminal.turn(thread_id, {"shell": "echo seen"}, {"say": "half", "gate": "watched"})
                await installation.model.reached("watched")
                log = await installation.log_until_there(worker, item("commandExecution"))
                assert not any(method("turn/completed")(event) for event in log), "it runs"
                assert any(method("desktop/thread_elsewhere", elsewhere=True)(event) for event in log)
                watched = await installation.owner.worker(worker)
                refused = await installation.turn(worker, {"say": "not here"})
                adopting = await installation.machine_request("thread/resume", {"threadId": thread_id})
                forked = await installation.machine_request("thread/fork", {"threadId": thread_id, **FULL_ACCESS})
                installation.model.open("watched")
                await installation.log_until(worker, said("half"), method("turn/completed"))
        finally:
            await other.terminate()
        adopted = await installation.machine_request("thread/resume", {"threadId": thread_id})
        asked = await installation.turn(worker, {"say": "here"})
        log = await installation.log_until(worker, said("here"), turns_ended(2))
        kept = await in_history(companion, worker)
        ours = await installation.owner.worker(worker)

    assert (watched.control and watched.control.value, ours.control and ours.control.value) == ("observe_only", "full")
    for outcome in (refused, adopting):
        assert outcome.error is not None
        assert (outcome.state, outcome.error["code"]) == ("failed", "held_by_another_process")
        assert outcome.error["ways_out"] == ["thread/resume", "thread/fork"]
    assert forked.response["worker_id"] != worker
    assert (adopted.state, asked.state) == ("completed", "completed")
    assert any(method("desktop/thread_elsewhere", elsewhere=False)(event) for event in log)
    assert "desktop/turn_cut_off" not in methods(log)
    assert sorted(completed(log)) == sorted(kept)
    assert_sound(log)


async def test_stopping_a_watched_worker_ends_nothing_of_the_other_program_and_says_so(
    installation: Installation,
) -> None:
    async with installation.companion(join_shared_codex=False) as companion:
        await until(lambda: companion.following._since is not None)
        async with daemon_of(installation.launch) as other, client_of(other.socket) as terminal:
            thread_id = await terminal.start_thread(installation.project)
            worker = f"desktopw:{thread_id}"
            waits = f"until [ -e {installation.project}/go ]; do sleep 0.05; done; echo went on"
            await terminal.turn(thread_id, {"shell": waits}, {"say": "finished"})
            await installation.log_until_there(worker, method("desktop/thread_elsewhere", elsewhere=True))
            await installation.owner.stop_worker(worker, reason="enough")
            log = await installation.log_until(worker, of_type("worker.stopped"))
            (installation.project / "go").touch()
            ended = await terminal.heard("turn/completed")

    stopped = log[-1].payload
    assert (stopped["verified"], stopped["interrupted_turn"]) == (False, None)
    assert "another program holds this thread" in stopped["unverified"][0]
    assert b'"status":"completed"' in bytes(ended.params)
