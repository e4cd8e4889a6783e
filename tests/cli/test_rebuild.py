"""`autopilot rebuild spend`, on a database that is stopped, and beside a runtime that appends."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from autopilot.cli import rebuild
from autopilot.cli.exits import Exit
from autopilot.cli.main import make_app
from autopilot.cli.options import Options
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.machines import Companion, leased
from autopilot.testing.runtime import insert_worker
from autopilot.testing.spend import spent, thread, usage

SETTINGS = RuntimeSettings(digest_key=b"digest" * 6, delivery_key=b"d" * 32, seal_key=b"s" * 32, notify_interval_ms=1)
JSON = Options(json=True)


@pytest.fixture
async def runtime(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An installation with three workers of which each used 100 tokens."""
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database)
    async with await build(SETTINGS, dsn=database) as built:
        companion = await leased(built, "a")
        for worker_id in ("b", "c"):
            await insert_worker(built, worker_id)
            await companion.claim(worker_id)
        await built.pool.execute("update worker set team_id = 'team_a' where worker_id = 'a'")
        for worker_id in ("a", "b", "c"):
            for number, payload in enumerate((thread(), usage(100))):
                await companion.append(worker_id, "worker.event", f"e{number}", **payload)
        yield built


async def spoil(runtime: Runtime) -> None:
    """One worker counted wrong, one whose log is not whole any more."""
    await runtime.pool.execute(
        "update spend_day d set total_tokens = 40 from worker w where w.worker_no = d.worker_no and worker_id = 'a'"
    )
    await runtime.pool.execute(
        "update worker_head h set oldest_seq = 2 from worker w where w.worker_no = h.worker_no and worker_id = 'c'"
    )


async def test_what_was_counted_wrong_is_shown_first_and_then_put_right(runtime, capsys):
    await spoil(runtime)

    assert await rebuild.spend(dry_run=True) == Exit.FAILED
    heading, row, left, outcome = capsys.readouterr().out.splitlines()
    assert heading.split() == ["WORKER", "DAY", "THREAD", "MODEL", "MACHINE", "TEAM", "WAS", "IS", "DIFFERENCE"]
    assert row.split()[0:1] + row.split()[2:] == ["a", "t", "gpt-5", "m1", "team_a", "40", "100", "+60"]
    assert left == "c: left as it is: retention took events that reports may have been among"
    assert outcome == "Counted 2 logs: 1 would change; 1 left as they are."
    assert (await spent(runtime, "worker_id"))["a"] == 40

    assert await rebuild.spend() == Exit.OK
    assert capsys.readouterr().out.splitlines()[-1] == "Counted 2 logs: 1 changed; 1 left as they are."
    assert await spent(runtime, "worker_id") == {"a": 100, "b": 100, "c": 100}
    assert await rebuild.spend(dry_run=True) == Exit.OK


async def test_with_json_every_number_before_and_after_is_there(runtime, capsys):
    await spoil(runtime)
    await runtime.pool.execute(
        "update spend_thread t set turn_id = 'x' from worker w where w.worker_no = t.worker_no and worker_id = 'b'"
    )

    assert await rebuild.spend(options=JSON) == Exit.OK

    said = json.loads(capsys.readouterr().out)
    assert (said["written"], said["counted"], said["left"][0]["worker_id"]) == (True, 2, "c")
    one, other = said["changed"]
    (difference,) = one["differences"]
    assert (one["worker_id"], difference["thread_id"], difference["machine_id"]) == ("a", "t", "m1")
    assert difference["team_id"] == "team_a"
    assert (difference["before"]["total_tokens"], difference["after"]["total_tokens"]) == (40, 100)
    assert (other["worker_id"], other["differences"]) == ("b", [])
    assert await rebuild.spend(dry_run=True, options=JSON) == Exit.OK


async def test_beside_appends_nothing_is_lost_or_counted_twice(runtime):
    companion = Companion(runtime)
    await companion.claim("a")

    async def append() -> None:
        for number in range(2, 40):
            await companion.append("a", "worker.event", f"e{number}", **usage(100 * number, 100, after_seconds=number))

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(append())
        for _ in range(4):
            assert await rebuild.spend(options=JSON) == Exit.OK

    assert (await spent(runtime, "worker_id"))["a"] == 3900


def test_the_command_line_has_it():
    command, _, _ = make_app().parse_args(["rebuild", "spend", "--dry-run"])

    assert command is rebuild.spend
