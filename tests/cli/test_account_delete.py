"""`autopilot account delete`: asked first, signed by the device's key, and forgotten here too."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.api.served import EchoRuntime, ServedApi, serving

from autopilot.cli import account, login, logins
from autopilot.cli.exits import CommandFailed
from autopilot.cli.options import Options

ADA = "ada@example.org"


@pytest.fixture
async def api(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServedApi]:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    async with serving(database, EchoRuntime()) as served:
        yield served


async def test_the_account_goes_and_the_sign_in_with_it(
    api: ServedApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    await login.login(api.url, email=ADA, code=await api.code_for(ADA), options=Options(json=True))
    assert await api.pool.fetchval("select public_key is not null from api.device")

    with pytest.raises(CommandFailed, match="--yes"):
        await account.delete(options=Options(url=api.url))
    assert await api.pool.fetchval("select count(*) from api.user_account") == 1
    await account.delete(yes=True, options=Options(url=api.url, json=True))

    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"ok": True, "user_id": 1}
    assert await api.pool.fetchval("select count(*) from api.user_account") == 0
    assert logins.last_login(os.environ) is None
