"""A server with the web app in this very process, and somebody's browser: for what needs no Codex."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Browser
from tests.api.contract.conftest import opened
from tests.api.contract.world import Person, World, person
from tests.browser.screens import LOOKS, Visit, sign_in, visiting

from autopilot.testing.postgres import TestCluster


@dataclass
class Desk:
    """Somebody at a browser, whose worker says what a test has it say."""

    world: World
    person: Person
    visit: Visit

    async def say(self, text: str, number: int) -> int:
        """Codex has finished saying something."""
        item = {"type": "agentMessage", "id": f"m{number}", "text": text}
        params = {"threadId": "t", "turnId": "turn", "item": item}
        return await self.person.append(self.person.worker_id, method="item/completed", params=params)

    async def numbers(self) -> list[int]:
        """Which of the messages `#1`, `#2`, … are in the page, in order: also those that are scrolled out of sight."""
        said = await self.visit.page.locator("#timeline article").all_text_contents()
        return [int(text.split("#")[1].split()[0]) for text in said if "#" in text]


@asynccontextmanager
async def server(cluster: TestCluster) -> AsyncIterator[World]:
    """One server, for as many desks as one likes."""
    async with opened("one process", cluster, with_web=True) as world:
        yield world


@asynccontextmanager
async def desk(
    world: World, launched: Browser, url: str | None = None, name: str = "ada", look: tuple[str, str] = LOOKS[0]
) -> AsyncIterator[Desk]:
    """Somebody new at a browser; `url`: by which way they reach the server."""
    somebody = await person(world, name)
    async with visiting(launched, url or world.api.url, *look) as visit:
        code = await world.api.code_for(somebody.email)
        visit.url, way = world.api.url, visit.url
        await sign_in(visit, somebody.email, code)  # a cookie is of a host, whatever the port
        visit.url = way
        yield Desk(world, somebody, visit)
