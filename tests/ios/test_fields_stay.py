"""Every field of the app stays where it is, whatever else its screen comes to say: to Flutter one elsewhere is another.

Each screen with a field is shown over a real server, and brought into all that it can say; none may be forgotten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flet as ft
import pytest
from tests.api.contract.world import Person, World, ask
from tests.ios.phone import PAD, PHONE, phone
from tests.ios.places import places
from tests.ios.test_first_run import started
from tests.ios.worker_desk import Desk, desk
from tests.waiting import until

from autopilot.client.guest_store import GuestStore
from autopilot.client.presenters.labels import Label
from autopilot.testing.approvals import ANSWERING
from autopilot_ios.screen import Screen
from autopilot_ios.screens.approval import ApprovalScreen
from autopilot_ios.screens.audit import AuditScreen
from autopilot_ios.screens.devices import DevicesScreen
from autopilot_ios.screens.emergency import EmergencyScreen
from autopilot_ios.screens.guests import InviteScreen
from autopilot_ios.screens.letting_in import LettingInScreen
from autopilot_ios.screens.new_session import NewSessionScreen
from autopilot_ios.screens.policy import PolicyScreen
from autopilot_ios.screens.request import RequestScreen
from autopilot_ios.screens.stop import StopScreen
from autopilot_ios.screens.team import TeamScreen
from autopilot_ios.screens.teams import TeamsScreen
from autopilot_ios.screens.trace import TraceScreen
from autopilot_ios.screens.workers import WorkersScreen
from autopilot_ios.shell import Warned

pytestmark = pytest.mark.slow
APP = Path(__file__).resolve().parents[2] / "ios/src/autopilot_ios"
ELSEWHERE = {"app", "look/blocks", "look/forms", "screens/welcome", "screens/composer"}
"""A question that is never drawn again; what fields are made of; two that have tests of their own, below."""
PARAMS = json.dumps({"input": [{"type": "text", "text": "Go on"}]})
QUESTION = {"question_id": "where", "header": "Place", "text": "Where shall it be deployed?", "other": True}
QUESTION |= {"options": [{"option_id": "eu", "label": "Europe"}, {"option_id": "us", "label": "America"}]}
Change = Callable[[Desk], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """A screen with fields."""

    screen: Callable[[Desk, str, str], Screen]
    """Of the desk, a team and a question."""
    fields: tuple[str, ...]
    """Their keys, all of them."""
    changes: tuple[Change, ...]
    """What brings it into all that it can say while one types."""
    before: tuple[str, ...] = ()
    """What is touched before the fields are there, each by how its key begins."""
    asked: dict[str, Any] = field(default_factory=dict)
    """Of the question that waits."""


def tap(key: str, *, refused: str = "", until_has: str = "", until_says: str = "") -> Change:
    """Touch it, or the first of those whose keys begin so; `refused`: the call whose path ends so is refused."""

    def found(at: Desk) -> str | None:
        keys = (str(one.key) for one in at.phone.controls() if one.key and not getattr(one, "disabled", False))
        return next((one for one in keys if one == key or (key.endswith("-") and one.startswith(key))), None)

    async def change(at: Desk) -> None:
        if refused:
            at.way.refuse(refused, 403, "forbidden", reason_code="role")
        await until(lambda: found(at) is not None)
        await at.phone.tap(found(at) or key)
        if until_has:
            await until(lambda: at.phone.has(until_has))
        if until_says:
            await at.phone.waits_for(until_says)
        at.way.instead = lambda _request: None

    return change


def types(key: str, text: str, *, until_says: str = "") -> Change:
    """Type something that makes the screen say something else."""

    async def change(at: Desk) -> None:
        await at.phone.type(key, text)
        if until_says:
            await at.phone.waits_for(until_says)

    return change


async def another_team(at: Desk) -> None:
    """Made elsewhere."""
    assert (await at.person.post("/api/teams", {"name": "another"})).status_code == 201
    await at.shell.refresh()
    await at.phone.waits_for("another")


async def another_invitation(at: Desk) -> None:
    """By mail, from elsewhere."""
    (team,) = (await at.person.get("/api/teams")).json()["data"]
    body = {"email": "eve@example.org", "role": "viewer"}
    assert (await at.person.post(f"/api/teams/{team['team_id']}/invitations", body)).status_code == 201
    await at.shell.refresh()
    await at.phone.waits_for("eve@example.org")


async def another_machine(at: Desk) -> None:
    """One is chosen that is not there."""
    at.core.new_session.choose("machine_none")
    await until(lambda: at.phone.has("not-shared"))


async def refused(at: Desk) -> None:
    """Looking again is, once: what was known stays, with why there is nothing newer."""
    at.way.refuse("", 403, "forbidden", reason_code="role")
    await at.shell.refresh()
    at.way.instead = lambda _request: None
    await at.shell.refresh()


async def listed(at: Desk) -> None:
    """The first line of the audit."""
    await until(lambda: any(str(one.key).startswith("line-") for one in at.phone.controls()))


async def a_turn(at: Desk) -> None:
    """Begins, and ends."""
    await at.turn("t1")
    await until(lambda: at.phone.has("interrupt"))
    await at.turn(None)
    await until(lambda: not at.phone.has("interrupt"))


async def whatever_stands_above(at: Desk) -> None:
    """What the shell says of the connection, of who came in, and of how many wait."""
    at.shell.state(Label("Reconnecting…", "warn"))
    at.shell.warn(Warned("held", lambda: ft.Text("Somebody came in"), "/nowhere"))
    at.shell.badge(3)
    at.shell.state(None)
    at.shell.warn(None)


def workers(at: Desk, *_: str) -> Screen:
    """The first tab's, upon another that stands for it here."""
    screen = WorkersScreen(at.core, print, print)
    screen.route = "/found"
    return screen


class Nowhere:
    """Where screens would lead on to."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_: None


CASES = {
    "approval": Case(
        lambda at, _team, asked: ApprovalScreen(at.core, asked, at.hand, print),
        ("words",),
        (tap("answer-decline", refused="/decision", until_has="not-taken"),),
        before=("with-words",),
    ),
    "approval, a question": Case(
        lambda at, _team, asked: ApprovalScreen(at.core, asked, at.hand, print),
        ("field-where#other",),
        (types("field-where#other", "Asia"), tap("answer-answer", refused="/decision", until_has="not-taken")),
        asked={"kind": "user_input", "options": ANSWERING, "evidence": {"questions": [QUESTION]}},
    ),
    "audit": Case(
        lambda at, *_: AuditScreen(at.core, print),
        ("search",),
        (listed, types("search", "nothing of this", until_says="Nothing"), types("search", ""), listed, refused),
    ),
    "devices": Case(
        lambda at, *_: DevicesScreen(at.core, at.hand, Nowhere()), ("device-name",), (refused,), before=("device-",)
    ),
    "emergency": Case(
        lambda at, *_: EmergencyScreen(at.core, at.hand),
        ("reason",),
        (tap("stop-everything", refused="/stop-all", until_has="not-stopped"), refused),
    ),
    "guests": Case(
        lambda at, *_: InviteScreen(at.core, GuestStore(at.core.client), at.hand),
        ("guest-name",),
        (
            types("guest-name", "Grace"),
            tap("show-"),
            tap("for-3600"),
            tap("make-link", refused="/guests", until_has="trouble"),
            refused,
        ),
    ),
    "letting_in": Case(
        lambda at, *_: LettingInScreen(at.core, at.hand),
        ("pair-code",),
        (types("pair-code", "0000-0000"), tap("find", until_has="trouble")),
    ),
    "new_session": Case(
        lambda at, *_: NewSessionScreen(at.core, at.hand, print),
        ("prompt", "folder"),
        (types("prompt", "Hello"), another_machine),
    ),
    "policy": Case(
        lambda at, *_: PolicyScreen(at.core),
        ("try-method", "try-folder", "try-model"),
        (
            tap("try", until_has="verdict"),
            tap("try", refused="/policies/test", until_says="You may look here"),
            refused,
        ),
    ),
    "request": Case(
        lambda at, *_: RequestScreen(at.core, at.person.worker_id, at.hand),
        ("params",),
        (types("params", "{"), tap("help"), types("params", PARAMS), tap("send-request", until_has="recent-0")),
    ),
    "stop": Case(
        lambda at, *_: StopScreen(at.core, at.person.worker_id, at.hand),
        ("reason",),
        (tap("stop", refused="/stop", until_says="You may look here"),),
    ),
    "team": Case(
        lambda at, team, _asked: TeamScreen(at.core, team, at.hand, Nowhere()),
        ("invite-email",),
        (
            tap("invite-as-operator"),
            tap("invite", refused="/invitations", until_has="trouble"),
            another_invitation,
            refused,
        ),
    ),
    "teams": Case(
        lambda at, *_: TeamsScreen(at.core, at.hand, print),
        ("team-name", "invitation"),
        (tap("make", until_has="trouble"), another_team, refused),
    ),
    "trace": Case(
        lambda at, *_: TraceScreen(at.core, "", print),
        ("trace-id",),
        (types("trace-id", "rq_none"), tap("trace-go", until_says="Nothing that you may see"), refused),
    ),
    "worker": Case(
        lambda at, *_: at.screen(),
        ("say",),
        (a_turn, types("say", "Go on"), tap("send", refused="/requests", until_says="You may look here")),
    ),
    "workers": Case(workers, ("search",), (types("search", "nothing of this"), refused)),
}


def test_no_screen_with_a_field_is_forgotten():
    made = {
        path.relative_to(APP).with_suffix("").as_posix()
        for path in APP.rglob("*.py")
        if re.search(r"\b(?:blocks\.field|TextField|Form)\(", path.read_text("utf-8"))
    }
    assert made - ELSEWHERE == {f"screens/{name}" for name in CASES if "," not in name and name != "worker"}


@pytest.mark.parametrize("name", CASES)
async def test_a_field_stays_whatever_its_screen_comes_to_say(ada: Person, tmp_path: Path, name: str):
    await stay(ada, tmp_path, CASES[name], PHONE)


@pytest.mark.parametrize("name", ["team", "new_session"])
async def test_a_field_stays_also_where_two_screens_stand_beside_each_other(ada: Person, tmp_path: Path, name: str):
    await stay(ada, tmp_path, CASES[name], PAD)


async def stay(ada: Person, storage: Path, case: Case, size: tuple[float, float]) -> None:
    team = (await ada.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    async with desk(ada, storage, size=size) as at:
        asked = await ask(at.machine, ada.worker_id, risk="low", **case.asked)
        await until(lambda: at.core.overview.view.overview.approval(asked) and at.phone.has("send"))
        at.shell.push(case.screen(at, team, asked))
        for start in case.before:
            await tap(start)(at)
        await until(lambda: set(case.fields) <= set(places(at.phone)))
        if size == PAD:
            before = {key: place for key, place in places(at.phone).items() if key in case.fields}
        else:
            before = places(at.phone)
            assert set(before) == set(case.fields)
        for change in (*case.changes, whatever_stands_above):
            await change(at)
            now = places(at.phone)
            moved = [before[key].differs(now[key]) if key in now else f"{key} is gone" for key in before]
            assert not any(moved), (change, moved)


async def test_the_fields_of_the_way_in_stay_when_a_problem_is_said(world: World, tmp_path: Path):
    async with started(tmp_path, phone()) as held:
        await until(lambda: held.has("server"))
        before = places(held)["server"]
        await held.type("server", "http://example.org")
        await held.tap("continue")
        await until(lambda: held.has("problem"))
        assert not before.differs(places(held)["server"])
        await held.type("server", world.api.url)
        await held.tap("continue")
        await until(lambda: held.has("pairing"))
        shown = places(held)
        await held.type("email", "nobody")
        await held.tap("send-code")
        await until(lambda: held.has("problem"))
        now = places(held)
        assert not any(shown[key].differs(now[key]) for key in ("email", "pairing"))
