"""Real Codex on the scripted model, and what Codex said in recorded sessions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.companion.installation import Installation, installed
from tests.companion.launching import keep_schema, make_codex_home, make_launch, make_project, pinned, schema_of
from tests.companion.replay import RECORDINGS

from autopilot.companion.codex.binary import CodexBinary
from autopilot.companion.codex.messages import Message, decode
from autopilot.companion.codex.process import Launch
from autopilot.testing.model import ScriptedModel


def recorded(name: str) -> list[Message]:
    """What Codex said in a recorded session, notifications and requests alike."""
    rows = [json.loads(line) for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines()]
    said = [decode(msgspec.json.encode(row["msg"])) for row in rows if row["dir"] == "s2c"]
    return [message for message in said if message.method is not None]


@pytest.fixture(scope="session")
async def codex_binary(anyio_backend: str) -> CodexBinary:
    return await pinned()


@pytest.fixture(scope="session")
async def codex_schema(codex_binary: CodexBinary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return await schema_of(codex_binary, tmp_path_factory.mktemp("schema"))


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as scripted:
        yield scripted


@pytest.fixture
def codex_home(tmp_path: Path, model: ScriptedModel) -> Path:
    """A CODEX_HOME that knows only the scripted model."""
    return make_codex_home(tmp_path, model)


@pytest.fixture
def launch(tmp_path: Path, codex_home: Path, codex_binary: CodexBinary, codex_schema: Path) -> Launch:
    """How to start Codex in this test: an empty HOME, its own run folder.

    The companion finds that it asked this Codex for its schema before, as it does from its second start on: to ask
    takes as long as to start Codex.
    """
    keep_schema(tmp_path, codex_schema)
    return make_launch(tmp_path, codex_home, codex_binary)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder for Codex to work in."""
    return make_project(tmp_path)


@pytest.fixture
async def installation(
    database: str, tmp_path: Path, launch: Launch, model: ScriptedModel, project: Path
) -> AsyncIterator[Installation]:
    async with installed(database, tmp_path, launch, model, project) as made:
        yield made
