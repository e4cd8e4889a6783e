"""`autopilot stop-all`: what it says, and how it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from autopilot.cli.exits import Exit
from autopilot.cli.stop_all import after, exit_of, rows_of
from autopilot.contract import ErrorInfo, StopAllWorker, StoppedAll
from autopilot.contract.errors import NetworkError


def worker(worker_id: str, status: str | None, *, away: bool = False, error: str | None = None) -> StopAllWorker:
    told = None if error is None else ErrorInfo(code="forbidden", message=error)
    return StopAllWorker(
        worker_id=worker_id, status=status, machine_unreachable=away, idempotent_replay=False, error=told
    )


def everything(*workers: StopAllWorker) -> StoppedAll:
    return StoppedAll(workers=workers, stopped=0, stopping=0)


@pytest.mark.parametrize(
    ("workers", "code", "words"),
    [
        ((), Exit.OK, []),
        ((worker("w", "stopped"),), Exit.OK, ["stopped", ""]),
        ((worker("w", "stopping"),), Exit.OK, ["stopping", "its machine was told"]),
        (
            (worker("w", "stopping", away=True),),
            Exit.UNDECIDED,
            ["stopping", "its machine is away: done first when it returns"],
        ),
        ((worker("w", None, error="a rule says no"),), Exit.FAILED, ["not asked", "a rule says no"]),
    ],
)
def test_each_worker_is_told_as_it_is_and_the_exit_code_says_the_worst(workers, code, words):
    told = everything(*workers)

    assert exit_of(told) == code
    assert [word for row in rows_of(told) for word in row[1:]] == words


@dataclass
class Server:
    """A client whose worker is stopped at the second look."""

    asked: list[str] = field(default_factory=list)

    async def worker(self, worker_id: str, **_: object) -> Any:
        self.asked.append(worker_id)
        return SimpleNamespace(status="stopping" if len(self.asked) < 2 else "stopped")


async def test_waiting_ends_when_all_are_stopped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("autopilot.cli.stop_all.LOOK_SECONDS", 0.0)
    told = await after(cast("Any", Server()), everything(worker("w", "stopping"), worker("v", "stopped")), 30.0)

    assert (told.stopped, told.stopping) == (2, 0)


async def test_waiting_ends_in_time_and_says_what_is_not_done():
    told = await after(cast("Any", Server()), everything(worker("w", "stopping", away=True)), 0.0)

    assert (told.stopped, told.stopping) == (0, 1)
    assert exit_of(told) == Exit.UNDECIDED


class Silent(Server):
    """One that answers nothing more after it was told to stop all."""

    async def worker(self, worker_id: str, **_: object) -> Any:
        self.asked.append(worker_id)
        raise NetworkError("nobody answers")


async def test_what_is_known_is_told_where_nobody_answers_while_one_waits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("autopilot.cli.stop_all.LOOK_SECONDS", 0.0)
    server = Silent()

    async with asyncio.timeout(30):
        told = await after(cast("Any", server), everything(worker("w", "stopping"), worker("v", "stopped")), 0.1)

    assert server.asked[:2] == ["w", "w"], "it goes on asking"
    assert (told.stopped, told.stopping) == (1, 1)
