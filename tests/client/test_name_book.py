"""The names that an app knows: asked for soon when somebody has none, and not without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from tests.client.conftest import ADA, Installation
from tests.waiting import until

from autopilot.client import MemoryTokenStore, Session
from autopilot.client.app_core import AppCore
from autopilot.client.name_book import ASK_SECONDS, MOST_EARLY, PAUSE_SECONDS, NameKeeper
from autopilot.client.presenters.people import who
from autopilot.contract import Actor
from autopilot.contract.errors import Unavailable
from autopilot.testing.clock import FakeClock


class Server:
    """Knows some devices of user 1; counts who asks for all the names."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.named = {"dev_old": "Old phone"}
        self.asked = 0
        self.is_away = False

    async def me(self) -> Any:
        self.asked += 1
        if self.is_away:
            raise Unavailable("away")
        return SimpleNamespace(user=SimpleNamespace(id=1, email="ada@example.org"), device=None, guest_scope=None)

    async def devices(self) -> Any:
        return [SimpleNamespace(device_id=key, name=name, platform="") for key, name in self.named.items()]

    async def teams(self) -> Any:
        return []

    async def machines(self) -> Any:
        return []


class Kept:
    """A keeper on its way, and whom its screens show."""

    def __init__(self) -> None:
        self.server = Server()
        self.shown: list[Actor | None] = [None, by("dev_old"), Actor(surface="runtime")]
        self.keeper = NameKeeper(self.server, lambda: self.shown)  # type: ignore[arg-type] - all of a client it uses
        self.keeper.of(1)

    async def show(self, *devices: str) -> None:
        """Who did something that is on a screen from now on; everybody gets to do what there is to do."""
        self.shown.extend(by(one) for one in devices)
        self.keeper.look()
        await self.server.clock.advance(0)

    async def pause(self) -> None:
        """Half a second passes."""
        await self.server.clock.advance(PAUSE_SECONDS)


@asynccontextmanager
async def running() -> AsyncIterator[Kept]:
    kept = Kept()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(kept.keeper.run())
        await kept.show()
        await kept.pause()
        yield kept
        task.cancel()


def by(device_id: str) -> Actor:
    return Actor(user_id=1, device_id=device_id, surface="ios")


async def test_a_device_that_is_new_has_its_name_soon():
    async with running() as kept:
        kept.server.named["dev_new"] = "New tablet"
        await kept.show("dev_new")
        await kept.pause()
        assert kept.keeper.view.devices["dev_new"] == "New tablet"
        assert kept.server.asked == 2


async def test_of_whom_every_name_is_known_nobody_asks_before_it_is_due():
    async with running() as kept:
        await kept.show("dev_old")
        await kept.server.clock.advance(ASK_SECONDS - PAUSE_SECONDS - 0.1)
        assert kept.server.asked == 1
        await kept.pause()
        assert kept.server.asked == 2


async def test_who_was_asked_for_in_vain_is_asked_for_again_only_when_names_are_due():
    async with running() as kept:
        for _ in range(5):
            await kept.show("dev_gone")
            await kept.pause()
        assert kept.server.asked == 2
        await kept.server.clock.advance(ASK_SECONDS - 6 * PAUSE_SECONDS)
        assert kept.server.asked == 3
        await kept.show("dev_gone")
        await kept.pause()
        assert kept.server.asked == 3, "and then once with all the others"


async def test_all_strangers_of_a_moment_are_asked_for_together_and_those_after_them_a_moment_later():
    async with running() as kept:
        await kept.show("dev_a", "dev_b", "dev_c")
        await kept.show("dev_d")
        await kept.show("dev_e")
        assert kept.server.asked == 2
        await kept.pause()
        assert kept.server.asked == 3


async def test_many_strangers_one_after_the_other_are_not_asked_for_without_end():
    async with running() as kept:
        for number in range(3 * MOST_EARLY):
            await kept.show(f"dev_{number}")
            await kept.pause()
        assert kept.server.asked == 1 + MOST_EARLY
        await kept.server.clock.advance(ASK_SECONDS)
        await kept.show("dev_another")
        assert kept.server.asked == 3 + MOST_EARLY, "due once, and early once more"


async def test_a_server_that_could_not_be_asked_is_asked_again_for_the_same_stranger():
    async with running() as kept:
        kept.server.is_away = True
        await kept.show("dev_new")
        kept.server.is_away, kept.server.named["dev_new"] = False, "New tablet"
        await kept.pause()
        await kept.show()
        assert kept.keeper.view.devices["dev_new"] == "New tablet"


async def of_a_new_tablet(installation: Installation) -> Session:
    """Ada, signed in with another device."""
    made = Session(installation.url, MemoryTokenStore(), surface="ios")
    session = await installation.stack.enter_async_context(made)
    await session.request_code(ADA)
    await installation.app.state.api.postman.delivered()
    await session.verify(installation.post.mails[-1].code, email=ADA, device_name="A new tablet")
    return session


@pytest.mark.slow
async def test_what_a_new_device_does_bears_its_name_in_an_open_timeline_within_half_a_second(
    installation: Installation,
):
    clock = FakeClock(datetime.now(UTC))
    session = await installation.session(clock=clock)
    client = await installation.client(session, clock=clock)
    await client.create_worker("w")
    async with asyncio.TaskGroup() as tasks:
        core = AppCore(session, client)
        task = tasks.create_task(core.run())
        await until(lambda: core.view.phase == "here" and core.names.users)
        detail = await core.open("w")
        await until(lambda: detail.store.connection.kind == "live")
        other = await installation.client(await of_a_new_tablet(installation))
        greeting = {"source": "autopilot-ios", "method": "ios/handshake", "handshake_id": "h1", "device_id": "d"}
        greeting["occurred_at"] = "2026-11-22T07:16:00Z"
        greeted = await other.append_event("w", "worker.event", greeting)

        def said() -> list[str]:
            actors = [getattr(item, "actor", None) for item in detail.store.view.items]
            return [one.words for actor in actors if (one := who(actor, core.names))]

        await until(lambda: detail.store.view.seq >= greeted.seq)
        await clock.advance(PAUSE_SECONDS)
        await until(lambda: any("A new tablet" in words for words in said()))
        task.cancel()
