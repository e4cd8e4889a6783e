"""Every block of docs/guide/sdk.md, run as it stands against the real API and runtime."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail

from autopilot.client import has_ended

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "sdk.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def no_keyring():
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


async def test_every_block_of_the_guide_runs(installation, no_keyring, tmp_path, capsys):
    session = await installation.session()
    client = await installation.client(session)
    await client.create_worker("w")
    await client.append_event("w", "worker.event", {"method": "turn/started", "params": {"turn": {"id": "t"}}})

    async def code_from_the_mail() -> str:
        await installation.app.state.api.postman.delivered()
        return installation.post.mails[-1].code

    blocks = BLOCK.findall(GUIDE.read_text("utf-8"))
    for block in blocks:
        names = {
            "base_url": installation.url,
            "token": await session.access_token(),
            "client": client,
            "worker_id": "w",
            "last_seq": 2,
            "has_ended": has_ended,
            "folder": tmp_path,
            "code_from_the_mail": code_from_the_mail,
        }
        names["RuntimeCodexClient"] = type(client)
        running = eval(compile(block, str(GUIDE), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if inspect.isawaitable(running):
            await running

    told = capsys.readouterr().out
    assert len(blocks) == 11
    assert "1 worker.started\n2 worker.event\nhandled up to 1\n" in told
    assert "go on from p1." in told
    assert "still accepted" in told
    assert "404 not_found" in told
    assert re.search("running (live|catching_up) [1-9]", told)
    assert "no acknowledgement" in told
    assert "no usable keyring" in told
    assert "the organisation signs in with: None" in told
    assert "step-up: code_refused" in told
    assert "pairing: open" in told
