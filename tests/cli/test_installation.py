"""In which order an installation comes up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from autopilot.cli import installation, lan
from autopilot.cli.exits import CommandFailed
from autopilot.cli.home import Home
from autopilot.cli.installation import HERE, Installation, Plan
from autopilot.cli.keys import Keys, KeySettings
from autopilot.cli.terminal import Terminal
from autopilot.ops.clock import SystemClock


class Recovering(Installation):
    """One whose database is there once the loop has turned a few times; its server never is."""

    async def _start_database(self, keeping: asyncio.TaskGroup) -> None:  # noqa: ARG002  as the real one
        for _ in range(10):
            await asyncio.sleep(0)
        self._database.set_result("postgresql://")

    def _servers(self) -> list[Any]:
        return []


async def test_the_server_s_time_runs_from_when_the_database_is_there_however_long_it_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path).make()
    waited: list[bool] = []

    async def never_ready(*_: object, **__: object) -> bool:
        waited.append(one._database.done())
        return False

    monkeypatch.setattr(installation, "wait_until_ready", never_ready)
    with lan.listening_socket(HERE, 0) as sock:
        plan = Plan(
            home=home,
            sock=sock,
            urls=[lan.url_of(*sock.getsockname())],
            inner=None,
            listening=False,
            demo=None,
            companion=False,
            environ={},
            keys=Keys(KeySettings(home=tmp_path), home),
        )
        one = Recovering(plan, SystemClock(), Terminal())
        async with asyncio.timeout(30):
            with pytest.RaisesGroup(CommandFailed, flatten_subgroups=True):
                await one.run_until(asyncio.Event())

    assert waited == [True]
