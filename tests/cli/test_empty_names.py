"""An empty name, which a script's unset variable makes, never means the only one there is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.api.served import serving

from autopilot.cli import approvals, artifacts, ask, devices, guests, machine_sharing, push
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import Options
from autopilot.contract.port import Claims
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.approvals import question
from autopilot.testing.machines import Companion
from autopilot.testing.runtime import insert_worker

SETTINGS = RuntimeSettings(digest_key=b"digest" * 6, delivery_key=b"d" * 32, seal_key=b"s" * 32, notify_interval_ms=1)
Command = Callable[..., Awaitable[Any]]


@dataclass
class Only:
    """A server with one worker, one machine, one open approval and one device."""

    runtime: Runtime
    options: Options

    async def now(self) -> tuple[object, ...]:
        pool = self.runtime.pool
        return (
            await pool.fetchval("select state from approval"),
            await pool.fetchval("select latest_seq from worker_head"),
        )


@pytest.fixture
async def only(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Only]:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    async with await build(SETTINGS, dsn=database) as runtime, serving(database, runtime) as api:
        minted = await api.mint("ada@example.org")
        monkeypatch.setenv("AUTOPILOT_TOKEN", minted.token)
        await insert_worker(runtime, "w", Claims(user_id=minted.userId, scopes=frozenset({"administer"})))
        companion = Companion(runtime, "m1", minted.userId)
        await companion.register(name="laptop")
        await companion.claim("w")
        await companion.ask_approval("w", question("w", 0))
        yield Only(runtime, Options(url=api.url))


@pytest.mark.parametrize("name", ["", " "])
@pytest.mark.parametrize(
    ("command", "more"),
    [
        (approvals.approve, {}),
        (approvals.deny, {}),
        (approvals.answer, {}),
        (ask.stop, {}),
        (ask.interrupt, {"turn": "t"}),
        (artifacts.artifacts, {}),
        (machine_sharing.unshare, {}),
        (devices.revoke, {}),
        (push.remove, {}),
    ],
)
async def test_an_empty_name_makes_no_sense_and_changes_nothing(
    only: Only, command: Command, more: dict[str, Any], name: str
) -> None:
    before = await only.now()

    with pytest.raises(CommandFailed, match="is empty") as refused:
        await command(name, **more, options=only.options)

    assert refused.value.exit_code == Exit.USAGE
    assert await only.now() == before


@pytest.mark.parametrize("named", [{"worker": ""}, {"machine": ""}])
async def test_a_request_to_nobody_goes_nowhere(only: Only, named: dict[str, str]) -> None:
    with pytest.raises(CommandFailed, match="is empty"):
        await ask.request("model/list", wait=0, **named, options=only.options)


async def test_a_list_of_what_an_empty_name_asks_is_not_that_of_all(only: Only) -> None:
    with pytest.raises(CommandFailed, match="is empty"):
        await approvals.approvals(worker="", options=only.options)


async def test_nobody_is_shown_what_an_empty_name_means(only: Only) -> None:
    with pytest.raises(CommandFailed, match="is empty"):
        await guests.invite("bea", "", options=only.options)
