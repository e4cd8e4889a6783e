"""What is looked for before a screen runs is found once it runs: nothing that was typed is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.api.contract.world import Person
from tests.ios.worker_desk import Desk, desk
from tests.waiting import until

from autopilot_ios.screen import Screen
from autopilot_ios.screens.audit import AuditScreen
from autopilot_ios.screens.workers import WorkersScreen

pytestmark = pytest.mark.slow


def workers(at: Desk) -> Screen:
    """The first tab's, upon another that stands for it here."""
    screen = WorkersScreen(at.core, print, print)
    screen.route = "/found"
    return screen


SEARCHED: dict[str, tuple[Callable[[Desk], Screen], str, str]] = {
    "audit": (lambda at: AuditScreen(at.core, print), "outcome-refused", "Nothing that fits"),
    "workers": (workers, "state-stopped", "Nothing here fits"),
}


@pytest.mark.parametrize("name", SEARCHED)
async def test_what_is_typed_before_the_screen_runs_is_looked_for(ada: Person, tmp_path: Path, name: str):
    screen, _filter, nothing = SEARCHED[name]
    async with desk(ada, tmp_path) as at:
        await until(lambda: at.phone.has("send"))
        at.shell.push(screen(at))
        await at.phone.type("search", "nothing of this")  # the screen's task has not begun
        await at.phone.waits_for(nothing)
        assert at.phone.find("search").value == "nothing of this"


@pytest.mark.parametrize("name", SEARCHED)
async def test_a_filter_that_is_chosen_right_after_typing_keeps_the_words(ada: Person, tmp_path: Path, name: str):
    screen, chosen, nothing = SEARCHED[name]
    asked: list[str] = []
    async with desk(ada, tmp_path) as at:
        await until(lambda: at.phone.has("send"))
        at.shell.push(screen(at))
        await at.phone.tap("filters")
        at.way.instead = lambda request: asked.append(str(request.url))
        await at.phone.type("search", "nothing of this")
        await at.phone.tap(chosen)
        await at.phone.waits_for(nothing)
        assert any("nothing" in url and chosen.partition("-")[2] in url for url in asked), asked
