"""A server that wants to know who it is: the phone asks for the code, and what was to be done goes on after it.

Over a real server, which has mailed the code; what a person does meanwhile (looking into their mail means leaving the
app) is part of it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.contract.world import Person, World, lease
from tests.ios.apps import running, signed_in
from tests.ios.phone import Phone, phone
from tests.waiting import until
from tests.web.desk import asked_for

pytestmark = pytest.mark.slow
DIALOG = "Is it you?"
UNASKED = {"input": [{"type": "text", "text": "Clean it all up"}], "approvalPolicy": "never"}
UNASKED["sandboxPolicy"] = {"type": "workspaceWrite"}


@dataclass
class Held:
    """A phone whose owner has been signed in for longer than a sign-in counts as a proof."""

    phone: Phone
    person: Person
    machine: Person
    world: World
    tasks: asyncio.TaskGroup

    def taps(self, key: str) -> None:
        """Touch something that goes on for as long as the dialog stands."""
        self.tasks.create_task(self.phone.tap(key))

    async def code(self) -> str:
        """The one that was mailed last, once the phone asks for it."""
        await self.phone.waits_for(DIALOG)
        await self.world.api.app.state.api.postman.delivered()
        return self.world.api.post.mails[-1].code

    async def proves(self) -> None:
        """Type the code that was mailed."""
        await self.phone.type("step-up-code", await self.code())
        await self.phone.tap("step-up-confirm")
        await self.is_over()

    async def is_over(self) -> None:
        await until(lambda: not self.phone.shows(DIALOG))

    async def life(self, state: str) -> None:
        await self.phone.fire(self.phone.page, "app_lifecycle_state_change", {"state": state})

    async def menu(self, key: str) -> None:
        """A way from the menu of the worker, which is gone to."""
        await self.phone.opens(f"autopilot://worker/{self.person.worker_id}")
        await until(lambda: self.phone.has("say"))
        await self.phone.tap("more")
        await self.phone.tap(f"menu-{key}")


@asynccontextmanager
async def held(world: World, ada: Person, storage: Path) -> AsyncIterator[Held]:
    secrets = await signed_in(world, ada.email, storage)
    machine = await ada.machine()
    await lease(machine, ada.worker_id)
    await world.api.pool.execute(
        "update api.session set stepped_up_until = clock_timestamp() where user_id = $1 and machine_id is null",
        ada.user_id,
    )
    world.api.app.state.api.grants.forget_user(ada.user_id)
    on = phone(secrets=secrets)
    async with running(on, storage), asyncio.TaskGroup() as tasks:
        await until(lambda: on.has(f"worker-{ada.worker_id}"))
        yield Held(on, ada, machine, world, tasks)


async def machine_screen(at: Held) -> None:
    bar = at.phone.page.views[0].navigation_bar
    bar.selected_index = 3
    await at.phone.fire(bar, "change")
    await at.phone.tap("more-machines")
    await until(lambda: at.phone.has(f"machine-{at.machine.worker_id}"))
    await at.phone.tap(f"machine-{at.machine.worker_id}")


async def team_of(at: Held) -> str | None:
    found = (await at.person.get("/machines")).json()["data"]
    return next(one["owner"]["team_id"] for one in found if one["machine_id"] == at.machine.worker_id)


async def test_sharing_a_machine_goes_on_after_the_code_and_is_left_alone_without_it(
    world: World, ada: Person, tmp_path: Path
):
    team_id = (await ada.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    async with held(world, ada, tmp_path) as at:
        await machine_screen(at)
        share = f"share-{team_id}"
        await until(lambda: at.phone.has(share))
        at.taps(share)
        await at.phone.waits_for(DIALOG)
        await at.phone.tap("step-up-cancel")
        await at.is_over()
        await at.phone.waits_for("For this, prove again that it is you.")
        assert await team_of(at) is None
        at.taps(share)
        await at.phone.waits_for(DIALOG)
        await at.phone.tap("step-up-confirm")
        assert at.phone.shows(DIALOG), "nothing is no code"
        await at.proves()
        await at.phone.waits_for("It is shared now.")
        assert await team_of(at) == team_id


async def test_a_wrong_code_is_said_and_the_next_one_is_taken(world: World, ada: Person, tmp_path: Path):
    team_id = (await ada.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    async with held(world, ada, tmp_path) as at:
        await machine_screen(at)
        await until(lambda: at.phone.has(f"share-{team_id}"))
        at.taps(f"share-{team_id}")
        right = await at.code()
        await at.phone.type("step-up-code", "0000 0000" if right != "0000 0000" else "1111 1111")
        await at.phone.tap("step-up-confirm")
        await at.phone.waits_for("That code is not right, or too old.")
        assert await team_of(at) is None
        at.taps(f"share-{team_id}")
        await at.proves()
        await at.phone.waits_for("It is shared now.")


async def test_leaving_the_app_to_look_into_ones_mail_ends_nothing(world: World, ada: Person, tmp_path: Path):
    async with held(world, ada, tmp_path) as at:
        await at.menu("request")
        await until(lambda: at.phone.has("params"))
        await at.phone.type("params", json.dumps(UNASKED))
        await at.phone.tap("send-request")
        code = await at.code()
        mailed = len(world.api.post.mails)
        await at.life("pause")
        await at.life("resume")
        assert at.phone.shows(DIALOG)
        await at.phone.type("step-up-code", code)
        await at.phone.tap("step-up-confirm")
        await at.is_over()
        asked = await asked_for(at.machine, "turn/start")
        await at.phone.waits_for(asked)
        assert len(world.api.post.mails) == mailed, "one code was enough"
        assert json.loads(at.phone.find("params").value) == UNASKED


async def test_a_new_session_in_which_nothing_is_asked_is_begun_after_the_code_and_nothing_typed_is_lost(
    world: World, ada: Person, tmp_path: Path
):
    async with held(world, ada, tmp_path) as at:
        bar = at.phone.page.views[0].navigation_bar
        bar.selected_index = 2
        await at.phone.fire(bar, "change")
        await until(lambda: at.phone.has("prompt") and at.phone.has("approvals-never"))
        await at.phone.type("prompt", "Clean it all up")
        await at.phone.type("folder", "/home/ada/project")
        await at.phone.tap("approvals-never")
        await at.phone.waits_for("It takes a fresh proof that it is you.")
        at.taps("start")
        await at.phone.waits_for(DIALOG)
        await at.phone.tap("step-up-cancel")
        await at.phone.waits_for("For this, prove again that it is you.")
        assert at.phone.find("prompt").value == "Clean it all up"
        at.taps("start")
        await at.proves()
        asked = await asked_for(at.machine, "thread/start")
        await at.phone.waits_for(f"Request {asked}")


async def test_the_question_goes_with_the_session_that_it_was_asked_for(world: World, ada: Person, tmp_path: Path):
    async with held(world, ada, tmp_path) as at:
        await at.menu("request")
        await until(lambda: at.phone.has("params"))
        await at.phone.type("params", json.dumps(UNASKED))
        await at.phone.tap("send-request")
        await at.phone.waits_for(DIALOG)
        assert (await ada.post("/api/devices/revoke-others")).status_code == 200
        await at.phone.waits_for("Where is your Autopilot server?")
        assert not at.phone.shows(DIALOG)
