"""Every block of docs/guide/approve-from-a-script.md, run as it stands against the real API and runtime."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path

from autopilot.cli.main import COMMANDS
from autopilot.contract import AppendEvent
from autopilot.testing import approvals
from autopilot.testing.approvals import ANSWERING, question

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "approve-from-a-script.md"
TEXT = GUIDE.read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


async def run(block: str, **names: object) -> None:
    running = eval(compile(block, str(GUIDE), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.isawaitable(running):
        async with asyncio.timeout(30):
            await running


async def test_every_block_of_the_guide_runs(installation, capsys):
    session = await installation.session()
    client = await installation.client(session)
    machine = await installation.machine()
    await client.create_worker("w")
    await machine.claim_lease("w", "machine-1")

    async def ask(number: int, **said: object) -> str:
        asked = question("w", number, **said)
        event = AppendEvent(event_type="worker.approval.requested", payload=approvals.asked(asked))
        await machine.append_events("w", [event])
        return asked["approval_id"]

    await ask(0, title="Delete everything?", evidence={"command": ["git", "clean", "-fdx"]})
    harmless = await ask(1, evidence={"command": ["git", "status"], "command_line": "git status"})
    questions = [{"question_id": "db", "text": "Which?", "options": [{"option_id": "1", "label": "Postgres"}]}]
    asking = await ask(2, kind="user_input", options=ANSWERING, evidence={"questions": questions})
    token = await session.access_token()

    follow, answer = blocks("python")
    await run(follow, base_url=installation.url, token=token)
    await run(answer, client=client, approval_id=asking)

    told = capsys.readouterr().out
    assert "for a person: Delete everything?\n" in told
    assert "yes to git status\n" in told
    assert "db Which? ['Postgres']\n" in told
    assert "decided {'db': ['Postgres']}\n" in told
    assert (await client.approval(harmless)).state == "decided"

    declined = await ask(3)
    script = blocks("sh")[1]
    environ = {"BASE": installation.url, "TOKEN": token, "APPROVAL": declined, "PATH": "/usr/bin:/bin"}
    process = await asyncio.create_subprocess_exec(
        "sh", "-eu", "-c", script, env=environ, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    assert process.returncode == 0
    assert b'"state":"decided"' in out
    assert (await client.approval(declined)).decision.message == "not on a Friday"


def test_the_commands_of_the_guide_are_commands():
    known = {name for commands in COMMANDS.values() for name in commands}
    named = re.findall(r"^autopilot ([a-z-]+)", blocks("sh")[0], re.MULTILINE)
    assert len(named) == 5
    assert set(named) <= known
