"""What a model says may be an attack: Chromium shows all of it, runs none of it, and asks nobody for anything."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from tests.api.contract.world import World, ask, lease
from tests.browser.served import Desk, desk
from tests.web.hostile import strings

pytestmark = pytest.mark.slow
AT_ONCE = 40
"""Strings of one worker: what each makes fits into one window."""
MOST_BYTES = 3_000_000
"""Of an event; what is larger is an artifact, and its beginning is what is shown."""
TRAP = """() => {
    window.caught = [];
    for (const name of ['alert', 'confirm', 'prompt', 'open', 'print', 'fetchLater']) {
        window[name] = (...given) => { window.caught.push(`${name}(${given})`); };
    }
    window.addEventListener('securitypolicyviolation', (event) => {
        window.caught.push(`${event.violatedDirective} ${event.blockedURI}`);
    });
}"""


def writable(text: str) -> bool:
    """Whether it can come in an event at all."""
    try:
        return len(json.dumps(text, ensure_ascii=False).encode()) < MOST_BYTES
    except UnicodeEncodeError:
        return False  # a lone surrogate is replaced upstream


def portions() -> list[list[str]]:
    """The corpus, as much as one screen takes at a time."""
    texts = [text for text in strings() if writable(text)]
    return [texts[first : first + AT_ONCE] for first in range(0, len(texts), AT_ONCE)]


def items(text: str, number: int) -> Iterator[dict[str, Any]]:
    """What a text makes, where Codex can put one."""
    short = text[:20_000]
    change = {"path": short[:500], "kind": {"type": "update", "move_path": None}, "diff": text}
    yield {"type": "agentMessage", "id": f"a{number}", "text": text}
    yield {"type": "userMessage", "id": f"u{number}", "content": [{"type": "text", "text": short}]}
    yield {
        "type": "commandExecution",
        "id": f"c{number}",
        "command": short,
        "cwd": short[:500],
        "aggregatedOutput": text,
        "exitCode": 0,
        "status": "completed",
    }
    yield {"type": "fileChange", "id": f"f{number}", "changes": [change], "status": "completed"}
    yield {
        "type": "mcpToolCall",
        "id": f"m{number}",
        "server": short[:200],
        "tool": short[:200],
        "arguments": {short[:200]: short},
        "result": {"content": [{"type": "text", "text": short}]},
        "status": "completed",
    }


@pytest.fixture
async def ada(world: World, launched: Browser) -> AsyncIterator[Desk]:
    async with desk(world, launched) as made:
        await made.visit.context.add_init_script(f"({TRAP})()")
        made.visit.page.on("dialog", lambda dialog: made.visit.complaints.append(f"dialog: {dialog.message}"))
        yield made


async def tell(ada: Desk, texts: list[str]) -> str:
    """A new worker that says them all."""
    worker_id = await ada.person.open_worker()
    for number, text in enumerate(texts):
        for item in items(text, number):
            params = {"threadId": "t", "turnId": "turn", "item": item}
            await ada.person.append(worker_id, method="item/completed", params=params)
    return worker_id


async def harmless(ada: Desk) -> None:
    """Nothing of it ran, was asked for, or pushes the page aside."""
    page = ada.visit.page
    assert await page.evaluate("window.caught") == []
    assert await page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert await page.locator("#timeline script, #timeline iframe, #timeline object, #timeline embed").count() == 0
    assert (
        await page.locator("#timeline [style], #timeline [onerror], #timeline [onclick], #timeline base").count() == 0
    )
    ada.visit.assert_quiet()
    await expect(page.locator("#state")).to_have_attribute("data-state", "live")


@pytest.mark.parametrize("texts", portions(), ids=lambda texts: f"{len(texts)}-texts")
async def test_no_text_in_a_timeline_does_anything(ada: Desk, texts: list[str]):
    worker_id = await tell(ada, texts)
    page = await ada.visit.open(f"/w/{worker_id}")
    for opened in await page.locator("#timeline details").all():
        await opened.evaluate("one => { one.open = true; }")
    assert await page.locator("#timeline article").count() > len(texts)  # of what is huge, the last ones
    await harmless(ada)


async def test_no_title_question_or_name_does_anything(ada: Desk):
    texts = [text for text in strings() if writable(text) and len(text) < 2000]
    machine = await ada.person.machine()
    for number, text in enumerate(texts[:30]):
        worker_id = await ada.person.open_worker()
        await lease(machine, worker_id)
        named = {"threadId": "t", "threadName": text}
        await machine.append(worker_id, source="autopilot-desktop", method="thread/name/updated", params=named)
        await ask(machine, worker_id, number, title=text, evidence={"reason": text, "command": [text], "cwd": text})
    for path in ("/", "/inbox"):
        await ada.visit.open(path)
        await harmless(ada)
