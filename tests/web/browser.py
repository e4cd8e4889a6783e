"""A browser as far as HTTP goes: a jar of cookies, forms with their proof, pages taken apart by a real parser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import httpx2
from tests.api.contract.world import Person, World, person

VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "source", "wbr"})


@dataclass
class Element:
    """One element of a page."""

    tag: str
    attributes: dict[str, str | None]
    children: list[Element | str]

    @property
    def text(self) -> str:
        """All that is written in it."""
        return " ".join(" ".join(child if isinstance(child, str) else child.text for child in self.children).split())

    def all(self, tag: str | None = None, **attributes: str) -> list[Element]:
        """Those below it of this tag, with these attributes (`data_at` for `data-at`, `class_` one of the classes)."""
        found: list[Element] = []
        for child in self.children:
            if isinstance(child, Element):
                if child.fits(tag, attributes):
                    found.append(child)
                found += child.all(tag, **attributes)
        return found

    def one(self, tag: str | None = None, **attributes: str) -> Element:
        """The only one such."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes} in {self.text[:500]}"
        return found[0]

    def fits(self, tag: str | None, attributes: dict[str, str]) -> bool:
        if tag is not None and self.tag != tag:
            return False
        for name, value in attributes.items():
            held = self.attributes.get(name.rstrip("_").replace("_", "-"))
            if held is None or value not in ((held or "").split() if name == "class_" else [held]):
                return False
        return True


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("#page", {}, [])
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs), [])
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parsed(text: str) -> Element:
    """A page; every element that it opens is closed, in order."""
    tree = _Tree()
    tree.feed(text)
    tree.close()
    assert len(tree.open) == 1, [element.tag for element in tree.open]
    return tree.root


@dataclass
class Browser:
    """One browser with its own cookies."""

    world: World
    http: httpx2.AsyncClient
    person: Person | None = None

    async def get(self, path: str, *, status: int = 200, **headers: str) -> Element:
        """A page."""
        answer = await self.http.get(path, headers=headers)
        assert answer.status_code == status, f"{answer.status_code}: {answer.text[:2000]}"
        return parsed(answer.text)

    async def dialog(self, path: str) -> Element:
        """What opens over a screen, as htmx asks for it."""
        return await self.get(path, **{"hx-request": "true"})

    async def proof(self) -> str:
        """What forms of this browser carry."""
        page = await self.get("/")
        return json.loads(page.one("body").attributes["hx-headers"] or "")["x-csrf"]

    async def post(self, path: str, fields: dict[str, str] | None = None, **rest: Any) -> httpx2.Response:
        """A form of ours, as htmx posts it."""
        headers = {"x-csrf": await self.proof(), "hx-request": "true", **rest.pop("headers", {})}
        return await self.http.post(path, data=fields or {}, headers=headers, **rest)

    @asynccontextmanager
    async def live(self, worker_id: str = "", after: int = 0) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
        """The tab's stream: event and data of each frame."""
        async with self.http.stream("GET", "/live", params={"worker": worker_id, "after": after}) as answer:
            assert answer.status_code == 200
            yield _frames(answer)


async def _frames(answer: httpx2.Response) -> AsyncIterator[tuple[str, Any]]:
    event = ""
    async with asyncio.timeout(30):
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield event, json.loads(line.removeprefix("data: "))


async def sign_in(world: World, email: str) -> Browser:
    """A browser that somebody signed in with; `person` is the same user with a token of another device."""
    http = httpx2.AsyncClient(base_url=world.api.url, timeout=20, trust_env=False)
    await http.post("/sign-in/email", data={"email": email})
    await world.api.app.state.api.postman.delivered()
    answer = await http.post("/sign-in/code", data={"email": email, "code": world.api.post.mails[-1].code})
    assert answer.status_code == 303, answer.text
    return Browser(world, http)


async def visitor(world: World, name: str) -> Browser:
    """Somebody new, with a worker of their own, at a browser."""
    somebody = await person(world, name)
    browser = await sign_in(world, somebody.email)
    browser.person = somebody
    return browser
