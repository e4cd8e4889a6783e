"""The screens that act, drawn by Flutter in every look: inbox, a question, a new session, machines, emergency stop."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser
from tests.api.contract.conftest import opened
from tests.api.contract.world import ask, lease, person
from tests.ios.desk import Hand
from tests.phone.acting import app_of, back, following, tab
from tests.phone.glass import LOOKS, glass, served

from autopilot.testing.approvals import ANSWERING
from autopilot.testing.postgres import TestCluster

PATCH = (
    "@@ -1,3 +1,4 @@\n import os\n-print('old')\n+print('new')\n+print('and a rather long line that does not fit')\n"
)
CHANGES = [{"path": "src/app/main.py", "kind": "update", "diff": PATCH}]
QUESTION = {"question_id": "where", "header": "Place", "text": "Where shall it be deployed?", "other": True}
QUESTION |= {"options": [{"option_id": "eu", "label": "Europe"}, {"option_id": "us", "label": "America"}]}
COMMAND = {
    "command_line": "bash -lc 'npm install && npm run build -- --production'",
    "cwd": "/home/ada/project",
    "reason": "It needs packages from the network.",
}


@pytest.mark.e2e
@pytest.mark.parametrize(("look", "theme"), LOOKS)
async def test_every_screen_that_acts_is_drawn(
    launched: Browser, cluster: TestCluster, tmp_path: Path, look: str, theme: str
):
    async with opened("one process", cluster) as world:
        ada = await person(world, "ada")
        machine = await ada.machine()
        await lease(machine, ada.worker_id)
        params = {"thread": {"id": "t", "cwd": "/home/ada/project"}}
        await machine.append(ada.worker_id, source="autopilot-desktop", method="thread/started", params=params)
        await ask(machine, ada.worker_id, 0, risk="high", title="Run npm install?", evidence=COMMAND)
        patch = {"reason": "The greeting is out of date.", "changes": CHANGES}
        await ask(machine, ada.worker_id, 1, kind="file_change", risk="low", title="Change main.py?", evidence=patch)
        questions = {"questions": [QUESTION]}
        await ask(
            machine, ada.worker_id, 2, kind="user_input", title="A question", options=ANSWERING, evidence=questions
        )
        async with (
            following(world.api.url, ada.token) as core,
            served(app_of(core, Hand()), tmp_path) as url,
            glass(launched, look, theme) as held,
        ):
            await held.switch_on(url)
            await held.sees("Change main.py?")
            await held.picture("inbox")
            for title, seen, name in [
                ("Run npm install?", "High risk", "approval-command"),
                ("Change main.py?", "greeting", "approval-files"),
                ("A question", "Where shall it be deployed?", "approval-question"),
            ]:
                await held.button(title).first.click()
                await held.sees(seen)
                await held.picture(name)
                await back(held)
            await held.button("Run npm install?").first.click()
            await held.sees("Decline with words")
            await held.button("Yes").first.click()
            await held.button("Yes, I am sure").click(trial=True)  # when it stands still
            await held.picture("approval-sure")
            await held.button("Yes, I am sure").click()
            await held.sees("Approved by you")
            await held.picture("approval-answered")
            await back(held)
            await tab(held, "New")
            await held.sees("How far it may go")
            await held.picture("new-session")
            await tab(held, "Machines")
            await held.sees("laptop")
            await held.picture("machines")
            await held.button("laptop").first.click()
            await held.sees("Older threads")
            await held.picture("machine")
            await held.button("Emergency stop").last.click()
            await held.sees("Stop everything?")
            await held.picture("emergency")
            await held.button("Stop everything").click()
            await held.sees("asked to stop")
            await held.picture("emergency-done")
            assert held.complaints == []
