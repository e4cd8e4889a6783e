"""The looks of a timeline's items in a real browser: none of the corpus of attacks runs, loads or breaks the layout."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Dialog, Request
from tests.browser import screens
from tests.browser.screens import LOOKS, Visit, visiting
from tests.web import hostile, timelines

from autopilot.client.timeline_items import Item

DRAWN = "#timeline { overflow: visible !important }"
"""Everything is drawn, also what is not on the screen."""
TAMPERED = "window.ran = []; window.alert = (what) => window.ran.push(what); 0"
HOSTILE_PER_PAGE = 12

pytestmark = pytest.mark.e2e


async def shown(visit: Visit, items: list[Item], theme: str) -> list[str]:
    """A page of these items, every fold open; what it asked of the network."""
    asked: list[str] = []
    visit.page.on("request", lambda request: _keep(asked, request))
    visit.page.on("dialog", lambda dialog: _refuse(asked, dialog))
    await visit.page.evaluate(TAMPERED)
    await visit.page.set_content(timelines.page(tuple(items), theme=theme))
    await visit.page.add_style_tag(content=DRAWN)
    await visit.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    await visit.page.evaluate(
        "document.querySelectorAll('a').forEach((one) => one.dispatchEvent(new Event('mouseover')))"
    )
    return asked


def _keep(asked: list[str], request: Request) -> None:
    if not request.url.startswith(("data:image/", "about:")):
        asked.append(request.url)


async def _refuse(asked: list[str], dialog: Dialog) -> None:
    asked.append(f"dialog: {dialog.message}")
    await dialog.dismiss()


@pytest.mark.parametrize(("look", "theme"), LOOKS)
async def test_every_kind_of_item_fits_and_can_be_used_by_everybody(launched: Browser, look: str, theme: str):
    async with visiting(launched, "http://localhost", look, theme) as visit:
        assert await shown(visit, list(timelines.story()), theme) == []
        wider: list[Any] = await visit.page.evaluate(screens.WIDER)
        assert wider == []
        found = await visit.violations()
        assert found == [], "\n".join(found)
        await visit.picture("timeline-items")
        visit.assert_quiet()


async def test_nothing_of_the_corpus_runs_loads_or_breaks_the_layout(launched: Browser):
    texts = [text for text in hostile.strings() if len(text) < 1000]
    async with visiting(launched, "http://localhost", "phone", "light") as visit:
        await visit.page.evaluate(TAMPERED)
        await visit.page.set_content("<script>alert(1)</script>")
        assert await visit.page.evaluate("window.ran") == [1]  # so that what runs is seen
        for start in range(0, len(texts), HOSTILE_PER_PAGE):
            items = [item for text in texts[start : start + HOSTILE_PER_PAGE] for item in hostile.items(text)]
            asked = await shown(visit, items, "light")
            assert asked == [], texts[start : start + HOSTILE_PER_PAGE]
            assert await visit.page.evaluate("window.ran") == []
            assert await visit.page.evaluate("document.querySelectorAll('article').length") == len(items)
            assert await visit.page.evaluate(screens.WIDER) == [], texts[start : start + HOSTILE_PER_PAGE]


@pytest.mark.parametrize("number", range(-hostile.HUGE, 0))
async def test_no_size_of_a_text_breaks_the_layout(launched: Browser, number: int):
    async with visiting(launched, "http://localhost", "phone", "dark") as visit:
        items = list(hostile.items(hostile.strings()[number]))
        assert await shown(visit, items, "dark") == []
        assert await visit.page.evaluate(screens.WIDER) == []
