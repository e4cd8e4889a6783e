"""Every kind of question of a real Codex x every way in which it may end. All kinds are open at once, in eight threads.

The seed chooses who says yes and who says no, and in which order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from dataclasses import dataclass

import msgspec
import pytest
from tests.companion.asking import LOOK_SECONDS, decide, end, ended, of_approvals
from tests.companion.daemon import Client, client_of
from tests.companion.installation import PATIENCE_SECONDS, Installation, assert_sound, method
from tests.companion.kinds import KINDS, Kind

from autopilot.contract import Approval
from autopilot.contract.errors import Conflict

pytestmark = [pytest.mark.e2e, pytest.mark.seeds(1, 5)]


@dataclass
class Open:
    """One question that waits, and whose it is."""

    kind: Kind
    worker: str
    approval: Approval
    yes: bool

    @property
    def thread_id(self) -> str:
        return self.worker.removeprefix("desktopw:")

    @property
    def outcome(self) -> str:
        return "accepted" if self.yes else "declined"

    async def decide(self, installation: Installation) -> Approval:
        option, content = self.kind.yes if self.yes else (self.kind.no, None)
        return await decide(installation, self.approval, option, **({"content": content} if content else {}))


async def ask_all(installation: Installation, chance: random.Random) -> list[Open]:
    """Have every kind of question asked, each in a thread of its own."""
    workers: dict[str, Kind] = {}
    for kind in chance.sample(KINDS, len(KINDS)):
        params = {"cwd": str(installation.project), **kind.thread}
        worker = (await installation.machine_request("thread/start", params)).response["worker_id"]
        await installation.turn(worker, kind.step(installation.project), {"say": "end"})
        workers[worker] = kind
    found = await asked(installation, len(KINDS))
    opened = [Open(workers[one.worker_id], one.worker_id, one, chance.random() < 0.5) for one in found]
    assert {one.approval.kind for one in opened} == {one.name for one in KINDS}
    return chance.sample(opened, len(opened))


async def asked(installation: Installation, number: int) -> list[Approval]:
    """So many questions, whatever has become of them."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = [one async for one in installation.owner.every_approval(state="all")]
            if len(found) >= number:
                return found
            await asyncio.sleep(LOOK_SECONDS)


async def check(installation: Installation, opened: list[Open], *, turn: str | None = "completed") -> None:
    """Every log is whole, tells each question once and its end once, and the turn ended as it should."""
    assert not (await installation.owner.approvals(state="open")).approvals
    for one in opened:
        log = await installation.log_until(one.worker, method("turn/completed"))
        log = await installation.whole_log(one.worker)
        assert_sound(log)
        told = of_approvals(log)
        assert told.count("requested") == 1
        assert len([word for word in told if word in {"superseded", "expired", "closed"}]) <= 1
        assert told[-1] != "requested"
        (over,) = [event.payload["params"]["turn"] for event in log if method("turn/completed")(event)]
        assert turn in {None, over["status"]}, one.kind.name


async def test_answered_from_afar(installation: Installation, seed: int) -> None:
    async with installation.companion():
        opened = await ask_all(installation, random.Random(seed))
        await asyncio.gather(*(one.decide(installation) for one in opened))
        for one in opened:
            assert end(await ended(installation, one.approval)) == ("applied", one.outcome, None), one.kind.name
        await check(installation, opened)

    assert (installation.project / "ran.txt").exists() == yes(opened, "command")
    assert (installation.project / "patched.txt").exists() == yes(opened, "file_change")


async def test_asked_while_the_phone_was_offline(installation: Installation, seed: int) -> None:
    async with installation.companion():
        opened = await ask_all(installation, random.Random(seed))
        told: dict[str, Approval] = {}
        async with asyncio.timeout(PATIENCE_SECONDS), installation.owner.follow_everything() as entries:
            async for entry in entries:  # it is back: what it missed is told as state
                if isinstance(entry, Approval):
                    told[entry.approval_id] = entry
                if len(told) == len(opened):
                    break
        assert {one.state for one in told.values()} == {"pending"}
        for one in opened:
            one.approval = told[one.approval.approval_id]
            await one.decide(installation)
        for one in opened:
            assert end(await ended(installation, one.approval)) == ("applied", one.outcome, None), one.kind.name
        await check(installation, opened)


def yes(opened: list[Open], kind: str) -> bool:
    return next(one.yes for one in opened if one.kind.name == kind)


class Terminal:
    """Another client at the companion's app-server, asked the same questions."""

    def __init__(self, client: Client, opened: list[Open]) -> None:
        self.client = client
        self._opened = {one.thread_id: one for one in opened}
        self._asked: dict[str, msgspec.Raw] = {}

    async def hear(self) -> None:
        """Take every thread up: Codex repeats what it asks."""
        for thread_id in self._opened:
            await self.client.connection.call("thread/resume", {"threadId": thread_id, "excludeTurns": True})
        async with asyncio.timeout(PATIENCE_SECONDS):
            while set(self._asked) != set(self._opened):
                await asyncio.sleep(LOOK_SECONDS)
                for message in self.client.said:
                    if message.id:
                        self._asked[msgspec.json.decode(message.params)["threadId"]] = message.id

    async def allow(self, one: Open) -> None:
        await self.client.connection.answer(self._asked[one.thread_id], one.kind.allows)


async def test_answered_by_another_client(installation: Installation, seed: int) -> None:
    async with installation.companion():
        opened = await ask_all(installation, random.Random(seed))
        async with client_of(installation.launch.socket) as client:
            terminal = Terminal(client, opened)
            await terminal.hear()
            for one in opened:
                await terminal.allow(one)
            for one in opened:
                outcome = "accepted" if one.kind.shown else "unknown"
                assert end(await ended(installation, one.approval)) == ("superseded", outcome, None), one.kind.name
        await check(installation, opened)
        for one in opened:
            with pytest.raises(Conflict) as late:
                await one.decide(installation)
            assert late.value.reason_code == "approval_ended"


async def test_answered_by_both_at_once(installation: Installation, seed: int) -> None:
    async with installation.companion():
        opened = await ask_all(installation, random.Random(seed))
        async with client_of(installation.launch.socket) as client:
            terminal = Terminal(client, opened)
            await terminal.hear()
            for one in opened:
                one.yes = False  # the terminal says yes
                await asyncio.gather(terminal.allow(one), _decide_or_be_late(installation, one))
            for one in opened:
                over = await ended(installation, one.approval)
                assert over.state in {"applied", "superseded"}, one.kind.name
                if one.kind.name == "command":
                    ran = (installation.project / "ran.txt").exists()
                    assert over.outcome == ("accepted" if ran else "declined")
                    assert (over.state == "superseded") == ran
        await check(installation, opened)


async def _decide_or_be_late(installation: Installation, one: Open) -> None:
    with contextlib.suppress(Conflict):
        await one.decide(installation)


async def test_answered_by_nobody(installation: Installation, seed: int) -> None:
    async with installation.companion(approval_ttl_ms=1000):
        opened = await ask_all(installation, random.Random(seed))
        for one in opened:
            assert end(await ended(installation, one.approval)) == ("expired", None, None), one.kind.name
        await check(installation, opened)  # every turn went on to its end: what was asked for was refused

    assert not (installation.project / "ran.txt").exists()
    assert not (installation.project / "patched.txt").exists()


async def test_answered_while_the_companion_is_dead(installation: Installation, seed: int) -> None:
    chance = random.Random(seed)
    process = await installation.start_process()
    opened = await ask_all(installation, chance)
    await process.kill()
    before, after = opened[: len(opened) // 2], opened[len(opened) // 2 :]
    for one in before:
        await one.decide(installation)
    await installation.start_process()
    for one in after:
        await one.decide(installation)
    for one in opened:
        assert end(await ended(installation, one.approval)) == ("applied", one.outcome, None), one.kind.name
    await check(installation, opened)

    assert (installation.project / "ran.txt").exists() == yes(opened, "command")


async def test_answered_elsewhere_while_the_companion_is_dead(installation: Installation, seed: int) -> None:
    process = await installation.start_process()
    opened = await ask_all(installation, random.Random(seed))
    await process.kill()
    async with client_of(installation.launch.socket) as client:
        terminal = Terminal(client, opened)
        await terminal.hear()
        for one in opened:
            await terminal.allow(one)
        await client.heard("turn/completed", times=len(opened))
    await installation.start_process()
    for one in opened:
        over = await ended(installation, one.approval)
        outcome = "accepted" if one.kind.shown else "unknown"
        assert end(over) == ("superseded", outcome, None), one.kind.name
    await check(installation, opened)


async def test_codex_dies(installation: Installation, seed: int) -> None:
    async with installation.companion() as companion:
        opened = await ask_all(installation, random.Random(seed))
        assert companion.codex.server.record is not None
        os.killpg(companion.codex.server.record.pid, signal.SIGKILL)
        for one in opened:
            assert end(await ended(installation, one.approval)) == ("closed", None, "codex_ended"), one.kind.name
        await check(installation, opened, turn="interrupted")

    assert not (installation.project / "ran.txt").exists()


async def test_the_turn_is_interrupted_or_the_worker_stopped(installation: Installation, seed: int) -> None:
    chance = random.Random(seed)
    async with installation.companion():
        opened = await ask_all(installation, chance)
        stopped = chance.sample(opened, len(opened) // 2)
        for one in opened:
            if one in stopped:
                await installation.owner.stop_worker(one.worker)
            else:
                params = {"turnId": one.approval.turn_id}
                await installation.owner.request(one.worker, "turn/interrupt", params, wait_ms=30_000)
        for one in opened:
            over = await ended(installation, one.approval)
            assert end(over) == ("closed", None, "turn_interrupted"), one.kind.name
        await check(installation, opened, turn="interrupted")

    assert not (installation.project / "ran.txt").exists()


async def test_the_companion_is_stopped_and_takes_its_codex_with_it(installation: Installation, seed: int) -> None:
    async with installation.companion():
        opened = await ask_all(installation, random.Random(seed))
    for one in opened:
        assert end(await ended(installation, one.approval)) == ("closed", None, "codex_ended"), one.kind.name
