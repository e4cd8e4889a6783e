"""What a server may refuse, on each screen that acts: said in words with the call's id, nothing lost, nothing done.

The screen is the app's own, the server is real; only the refusal is put in its way. Afterwards the same screen does
what it was asked for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.contract.world import Person, ask
from tests.ios.worker_desk import Desk, desk
from tests.waiting import until
from tests.web.desk import report_any

from autopilot_ios.screen import Screen
from autopilot_ios.screens.approval import ApprovalScreen
from autopilot_ios.screens.connect import ConnectScreen
from autopilot_ios.screens.devices import DevicesScreen
from autopilot_ios.screens.emergency import EmergencyScreen
from autopilot_ios.screens.machine import MachineScreen, Ways
from autopilot_ios.screens.new_session import NewSessionScreen
from autopilot_ios.screens.request import RequestScreen
from autopilot_ios.screens.stop import StopScreen
from autopilot_ios.screens.threads import ThreadsScreen

pytestmark = pytest.mark.slow
ID = "told-by-a-test"
PARAMS = json.dumps({"input": [{"type": "text", "text": "Go on"}]})
REFUSALS = [
    (401, "unauthorized", "token_refused", "You were signed out: the session ended or was revoked."),
    (403, "forbidden", "role", "You may look here, but not change anything."),
    (409, "conflict", "worker_stopped", "This session is stopped."),
    (410, "stale_cursor", "ahead_of_log", "The server's log was taken back, by a restored backup."),
    (422, "unprocessable", "invalid_value", "Something does not fit."),
    (429, "rate_limited", "session_rate", "This device asks too much at once."),
    (503, "unavailable", "runtime_unreachable", "The ledger can't be reached."),
]
UNKNOWN = "Not known whether it arrived"
"""What is said of an act that may have been done: it is tried again under its id, and nothing is done twice."""


class Nowhere:
    """Where the other devices would lead on to."""

    def recovery(self) -> None:
        """To nothing."""

    def guests(self) -> None:
        """To nobody."""

    def let_in(self) -> None:
        """Nor this."""


@dataclass(frozen=True)
class Acting:
    """A screen that acts."""

    path: str
    """Where its call goes, in the end."""
    screen: Callable[[Desk, str], Screen] | None
    """Of the desk, and of the question that waits; None: the worker's own, which is open."""
    ready: str
    """What is there when one can act."""
    act: Callable[[Desk], Awaitable[None]]
    typed: tuple[str, str] | None = None
    """A field, and what is typed into it: it stays."""
    done: str = ""
    """What is said once it is taken."""
    is_act: bool = False
    """Whether it is an act of the core, with an id from the beginning, which is said in place of the call's."""


def taps(*keys: str) -> Callable[[Desk], Awaitable[None]]:
    async def act(at: Desk) -> None:
        for key in keys:
            await at.phone.tap(key)

    return act


async def shares(at: Desk) -> None:
    keys = (str(one.key) for one in at.phone.controls())
    await at.phone.tap(next(key for key in keys if key.startswith("share-")))


def ways() -> Ways:
    return Ways(worker=print, new_session=print, threads=print)


SCREENS = {
    "worker": Acting("/requests", None, "send", taps("send"), ("say", "Go on"), "Waiting for the machine", is_act=True),
    "request": Acting(
        "/requests",
        lambda at, _asked: RequestScreen(at.core, at.person.worker_id, at.hand),
        "send-request",
        taps("send-request"),
        ("params", PARAMS),
        "Waiting for the machine",
        is_act=True,
    ),
    "stop": Acting(
        "/stop",
        lambda at, _asked: StopScreen(at.core, at.person.worker_id, at.hand),
        "stop",
        taps("stop"),
        ("reason", "Enough for today"),
        "Being stopped",
        is_act=True,
    ),
    "connect": Acting(
        "/events",
        lambda at, _asked: ConnectScreen(at.core, at.person.worker_id, at.hand),
        "connect",
        taps("connect"),
        done="The question is in the ledger",
        is_act=True,
    ),
    "approval": Acting(
        "/decision",
        lambda at, asked: ApprovalScreen(at.core, asked, at.hand, print),
        "answer-decline",
        taps("answer-decline"),
        ("words", "Stay"),
        "“Stay”",
    ),
    "new session": Acting(
        "/requests",
        lambda at, _asked: NewSessionScreen(at.core, at.hand, print),
        "prompt",
        taps("start"),
        ("prompt", "Go on"),
        "Waiting for the machine",
    ),
    "machine": Acting(
        "/team",
        lambda at, _asked: MachineScreen(at.core, at.machine.worker_id, at.hand, ways()),
        "new-session",
        shares,
        done="It is shared now.",
    ),
    "emergency stop": Acting(
        "/stop-all",
        lambda at, _asked: EmergencyScreen(at.core, at.hand),
        "reason",
        taps("stop-everything"),
        ("reason", "fire"),
        "1 asked to stop",
    ),
    "devices": Acting(
        "/revoke-others",
        lambda at, _asked: DevicesScreen(at.core, at.hand, Nowhere()),
        "revoke-others",
        taps("revoke-others", "sure-yes"),
        done="signed out.",
    ),
}


async def status(at: Desk) -> str:
    return (await at.core.client.worker(at.person.worker_id)).status


@pytest.mark.parametrize("name", SCREENS)
async def test_what_is_refused_is_said_with_its_id_loses_nothing_and_is_done_afterwards(
    ada: Person, tmp_path: Path, name: str
):
    acting = SCREENS[name]
    assert (await ada.post("/api/teams", {"name": "crew"})).status_code == 201
    async with desk(ada, tmp_path) as at:
        asked = await ask(at.machine, ada.worker_id, risk="low")
        await until(lambda: at.core.overview.view.overview.approval(asked) and at.phone.has("send"))
        if acting.screen is not None:
            at.shell.push(acting.screen(at, asked))
        await until(lambda: at.phone.has(acting.ready))
        if name == "approval":
            await at.phone.tap("with-words")
        if name == "machine":
            await until(lambda: any(str(one.key).startswith("share-") for one in at.phone.controls()))
        if acting.typed is not None:
            await at.phone.type(*acting.typed)
        if name == "new session":
            await until(lambda: at.core.new_session.view.machine)
            await at.phone.type("folder", "/home/ada")
            await until(lambda: not at.phone.find("start").disabled)
        for number, (code, word, reason, sentence) in enumerate(REFUSALS, 1):
            at.way.refuse(acting.path, code, word, reason_code=reason)
            await acting.act(at)
            await at.phone.waits_for(UNKNOWN if acting.is_act and code == 503 and name != "connect" else sentence)
            await at.phone.waits_for(at.core.acts.view[-1].request_id if acting.is_act else f"Request {ID}")
            if acting.typed is not None:
                assert at.phone.find(acting.typed[0]).value == acting.typed[1], code
            assert await status(at) == "running"
            assert (await at.person.get(f"/approvals/{asked}")).json()["data"]["state"] == "pending"
            if not acting.is_act:
                assert at.hand.felt == ["badly"] * number
        at.way.instead = lambda _request: None
        await acting.act(at)
        await at.phone.waits_for(acting.done)


# Where there is nothing to show.


READING: dict[str, tuple[str, Callable[[Desk], Screen]]] = {
    "question": ("/approvals/ap_none", lambda at: ApprovalScreen(at.core, "ap_none", at.hand, print)),
    "threads": ("/requests", lambda at: ThreadsScreen(at.core, at.machine.worker_id, at.hand, print)),
    "emergency stop": ("/workers", lambda at: EmergencyScreen(at.core, at.hand)),
    "devices": ("/api/devices", lambda at: DevicesScreen(at.core, at.hand, Nowhere())),
}


@pytest.mark.parametrize("name", READING)
async def test_what_can_not_be_had_says_why_and_which_call_that_was(ada: Person, tmp_path: Path, name: str):
    path, screen = READING[name]
    async with desk(ada, tmp_path) as at:
        await until(lambda: at.phone.has("send"))
        at.way.refuse(path, 403, "forbidden", reason_code="role")
        at.shell.push(screen(at))
        await until(lambda: at.phone.has("failed"))
        assert at.phone.shows(f"Request {ID}")
        at.way.instead = lambda _request: None
        if name == "threads":
            await asyncio.gather(
                at.phone.tap("try-again"), report_any(at.machine, "thread/list", response={"data": []})
            )
        else:
            await at.phone.tap("try-again")
        await until(lambda: at.phone.has("failed") is (name == "question"))
