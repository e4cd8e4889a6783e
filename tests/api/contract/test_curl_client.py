"""The client in docs/protocol.md runs as it stands there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from tests.api.contract.world import Person, World

DOCUMENT = Path(__file__).parents[3] / "docs" / "protocol.md"


def script() -> str:
    section = DOCUMENT.read_text(encoding="utf-8").split("## A client in curl", 1)[1]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


async def test_the_documented_curl_client_works(world: World, ada: Person, tmp_path: Path):
    if shutil.which("curl") is None:
        pytest.fail("curl is needed: the document's client is written in it")
    named = {"BASE": world.api.url, "TOKEN": ada.token, "WORKER": ada.worker_id}
    running = await asyncio.create_subprocess_exec(
        *("sh", "-eu", "-c", script()),
        env={"PATH": os.environ["PATH"], **named},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        said, complained = await running.communicate()

    lines = said.decode().splitlines()
    assert (running.returncode, complained) == (0, b"")
    assert ada.worker_id in json.loads(lines[0])["data"][0]["worker_id"]
    assert json.loads(lines[1])["data"]["status"] == "running"
    assert json.loads(lines[2])["data"]["seq"] == 2
    assert "id: 2" in lines
    assert "next cursor: 2" in lines
    assert json.loads(lines[-1])["data"]["status"] == "stopped"
