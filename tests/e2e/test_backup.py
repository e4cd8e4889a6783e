from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.e2e.installation import command, running_up

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


async def test_an_installation_goes_into_a_file_and_comes_back_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "backup.autopilot"
    async with running_up(tmp_path / "old", "--no-companion") as old:
        assert (await old.cli("token", "--email", "ada@example.com")).code == 0
        before = (await old.cli("token", "--json")).json
        written = await old.cli("backup", str(file), "--json")
        refused = await old.cli("restore", str(file))
    twice = await command(tmp_path / "old", "backup", str(file))

    restored = await command(tmp_path / "new", "restore", str(file), "--json")
    again = await command(tmp_path / "new", "restore", str(file))
    async with running_up(tmp_path / "new", "--no-companion") as new:
        after = (await new.cli("token", "--json")).json

    assert written.json["rows"] == restored.json["rows"] > 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert refused.code == 11, "everything must be stopped"
    assert twice.code != 0, "a backup is never overwritten"
    assert again.code != 0, "only an empty database is restored into"
    assert after["userId"] == before["userId"]
    for name in ("digest.key", "delivery.key"):
        assert (tmp_path / "old/secrets" / name).read_text() == (tmp_path / "new/secrets" / name).read_text()
