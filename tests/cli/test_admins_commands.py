"""`autopilot admins`: who manages the installation, said where its database is at hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.served import EchoRuntime, ServedApi, serving

from autopilot.api.settings import ApiSettings
from autopilot.cli import admins, token
from autopilot.cli.exits import CommandFailed
from autopilot.cli.options import Options
from autopilot.contract.errors import NotFound
from autopilot.ops.settings import Secret

OWNER, ADA, KEY = "boss@example.org", "ada@example.org", "k" * 64
AS_JSON = Options(json=True)


@pytest.fixture
async def api(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServedApi]:
    for name, value in {
        "AUTOPILOT_HOME": str(tmp_path),
        "DATABASE_URL": database,
        "AUTOPILOT_OWNER_EMAIL": OWNER,
        "AUTOPILOT_CODE_KEY": KEY,
    }.items():
        monkeypatch.setenv(name, value)
    settings = ApiSettings(sign_ins_per_minute=6000.0, owner_email=OWNER, code_key=Secret(KEY))
    async with serving(database, EchoRuntime(), settings=settings) as served:
        yield served


def printed(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith(("{", "[{"))]


async def test_a_code_of_the_machine_lets_the_owner_into_a_server_that_had_none(
    api: ServedApi, capsys: pytest.CaptureFixture[str]
):
    await admins.code(options=AS_JSON)
    (made,) = printed(capsys)

    answer = await api.client.post("/api/auth/verify", json=made)

    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["email"] == made["email"] == OWNER
    await admins.admins(options=AS_JSON)
    assert printed(capsys) == [[{"user_id": answer.json()["userId"], "email": OWNER, "is_owner": True}]]


async def test_who_is_named_gets_a_token_with_the_scope_and_who_is_not_gets_none(
    api: ServedApi, capsys: pytest.CaptureFixture[str]
):
    await admins.code()
    await api.mint(ADA, "observe")
    with pytest.raises(CommandFailed, match="admins grant"):
        await token.token(scope="admin", email=ADA)

    await admins.grant(ADA, options=AS_JSON)
    await admins.grant(ADA, options=AS_JSON)
    await token.token(scope="admin", email=ADA, options=AS_JSON)
    await admins.revoke(ADA, options=AS_JSON)

    said = printed(capsys)
    assert [one.get("changed") for one in said] == [True, False, None, True]
    with pytest.raises(CommandFailed):
        await token.token(scope="admin", email=ADA)
    with pytest.raises(NotFound):
        await admins.grant("nobody@example.org")
    with pytest.raises(CommandFailed):
        await admins.grant("nobody")


async def test_the_installation_is_handed_over_and_its_owner_renamed(
    api: ServedApi, capsys: pytest.CaptureFixture[str]
):
    await admins.code()
    await api.mint(ADA, "observe")

    await admins.owner(ADA)
    await admins.owner("countess@example.org", rename=True)

    await admins.admins()
    shown = capsys.readouterr().out
    assert "countess@example.org" in shown
    assert "owner" in shown
    assert OWNER not in shown.splitlines()[-1]
