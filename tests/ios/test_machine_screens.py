"""Machines on a phone: what is known of them, whose they are, what one does about them, and their older threads."""

from __future__ import annotations

import asyncio

import pytest
from tests.api.contract.test_team_roles import member, put_into
from tests.api.contract.world import Person, lease
from tests.ios.desk import Core, Desk, Hand, cut, desk
from tests.waiting import until
from tests.web.desk import report_any

from autopilot_ios.screens.machine import MachineScreen, Ways
from autopilot_ios.screens.machines import MachinesScreen
from autopilot_ios.screens.threads import ThreadsScreen

FACTS = [
    {
        "method": "desktop/codex",
        "params": {"message": "works", "server": "shared", "version": "0.163.0", "drift": "breaking"},
        "occurred_at": "2026-11-23T07:00:00Z",
    },
    {"method": "configWarning", "params": {"message": "odd <b>"}, "occurred_at": "2026-11-23T07:00:00Z"},
]


def machines(core: Core, hand: Hand) -> MachinesScreen:
    def threads(machine_id: str) -> None:
        screen.stage.push(ThreadsScreen(core, machine_id, hand, hand.opened.append))

    ways = Ways(hand.opened.append, lambda machine_id: hand.opened.append(f"new on {machine_id}"), threads)
    screen = MachinesScreen(core, lambda machine_id: screen.stage.push(MachineScreen(core, machine_id, hand, ways)))
    return screen


async def opened(held: Desk) -> None:
    """Its machine's screen, with what it said."""
    body = {"desktop_session_id": "s", "workers": [], "facts": FACTS}
    answer = await held.machine.post(f"/machines/{held.machine.worker_id}/heartbeat", body)
    assert answer.status_code == 200, answer.text
    await held.phone.waits_for("Codex 0.163.0")
    await held.phone.tap(f"machine-{held.machine.worker_id}")


async def test_a_machine_is_shown_with_what_it_said_and_what_runs_there(ada: Person):
    async with desk(ada, machines) as held:
        await held.phone.waits_for("laptop")
        assert held.phone.shows("Connected")
        assert held.phone.shows("1 open session")
        await opened(held)
        for words in ["Differs: some requests fail", "odd <b>", held.machine.worker_id, "Yours", "linux"]:
            await held.phone.waits_for(words)
        await held.phone.tap(f"worker-{ada.worker_id}")
        await held.phone.tap("new-session")
        assert held.hand.opened == [ada.worker_id, f"new on {held.machine.worker_id}"]


async def test_it_is_shared_with_a_team_and_taken_out_again(ada: Person):
    made = await ada.post("/api/teams", {"name": "Crew"})
    team_id = made.json()["data"]["team_id"]
    async with desk(ada, machines) as held:
        await held.phone.waits_for("laptop")
        await opened(held)
        await until(lambda: held.phone.has(f"share-{team_id}"), within_seconds=30)
        await held.phone.tap(f"share-{team_id}")
        await held.phone.waits_for("its members see what runs here")
        await held.phone.tap("unshare")
        assert held.phone.shows("Members lose sight of its sessions")
        await held.phone.tap("sure")
        await until(lambda: held.phone.has(f"share-{team_id}"), within_seconds=30)
        assert held.hand.felt == ["well", "well"]


async def test_a_viewer_is_told_who_begins_sessions_there_and_is_not_offered_to(ada: Person):
    team_id = (await ada.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    viewer, machine = await member(ada, team_id, "viewer"), await ada.machine()
    await lease(machine, ada.worker_id)
    await put_into(ada, machine, team_id)
    async with desk(viewer, machines) as held:
        await until(lambda: held.phone.has(f"machine-{machine.worker_id}"), within_seconds=30)
        await held.phone.tap(f"machine-{machine.worker_id}")
        await held.phone.waits_for("Who operates this machine begins sessions on it.")
        assert held.phone.has(f"worker-{ada.worker_id}")
        assert not held.phone.has("new-session")
        assert not held.phone.has("older-threads")


async def test_what_may_not_be_done_says_why(ada: Person):
    async with desk(ada, machines) as held:
        await held.phone.waits_for("laptop")
        await opened(held)
        held.way.refuse("/devices", 503, "unavailable", reason_code="database_unreachable")
        await held.phone.tap("sign-out")
        await held.phone.tap("sure")
        await held.phone.waits_for("The database can't be reached.")
        assert held.phone.shows("Request told-by-a-test")
        assert (await held.machine.get("/machines")).status_code == 200


async def test_signing_it_out_ends_its_session(ada: Person):
    async with desk(ada, machines) as held:
        await held.phone.waits_for("laptop")
        await opened(held)
        await held.phone.tap("sign-out")
        await held.phone.tap("not-sure")
        assert (await held.machine.get("/machines")).status_code == 200
        await held.phone.tap("sign-out")
        await held.phone.tap("sure")
        await held.phone.waits_for("It is signed out")
        assert (await held.machine.get("/machines")).status_code == 401


@pytest.mark.parametrize("known", [True, False])
async def test_an_older_thread_is_taken_up_and_one_that_is_here_is_opened(ada: Person, known: bool):  # noqa: FBT001 - of pytest
    thread_id = ada.worker_id.rpartition(":")[2] if known else "t-old"
    listed = {"data": [{"id": thread_id, "name": "An old thought", "cwd": "/home/ada/old"}]}
    async with desk(ada, machines) as held:
        await held.phone.waits_for("laptop")
        await opened(held)
        await held.phone.tap("older-threads")
        await held.phone.waits_for("Asking its Codex")
        await report_any(held.machine, "thread/list", response=listed)
        await held.phone.waits_for("An old thought")
        if known:
            await held.phone.tap(f"open-{thread_id}")
        else:
            async with asyncio.TaskGroup() as meanwhile:
                meanwhile.create_task(held.phone.tap(f"adopt-{thread_id}"))
                await report_any(held.machine, "thread/resume", response={"worker_id": ada.worker_id})
        await until(lambda: held.hand.opened == [ada.worker_id], within_seconds=30)


async def test_a_codex_that_names_no_threads_says_why(ada: Person):
    async with desk(ada, machines) as held:
        await held.phone.waits_for("laptop")
        await opened(held)
        await held.phone.tap("older-threads")
        error = {"code": "codex", "message": "not now"}
        await report_any(held.machine, "thread/list", state="failed", error=error)
        await held.phone.waits_for("not now")
        assert held.phone.has("try-again")


async def test_somebody_elses_machine_is_not_shown(ada: Person, eve: Person):
    async with desk(ada, machines) as hers, desk(eve, machines) as held:
        await held.phone.waits_for("laptop")
        assert not held.phone.has(f"machine-{hers.machine.worker_id}")
        ways = Ways(print, print, print)
        held.shell.push(MachineScreen(held.core, hers.machine.worker_id, held.hand, ways))
        await held.phone.waits_for("not shared with you")


async def test_without_network_it_says_so(ada: Person):
    async with desk(ada, machines, way=cut()) as held:
        await held.phone.waits_for("The server can't be reached.")
