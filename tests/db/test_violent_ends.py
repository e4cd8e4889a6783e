"""kill -9 of any of them, or all at once: what was committed is there, and the next start clears up by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import asyncpg
import pytest
from tests.db.conftest import Make, bin_dir, kill_all, owner, ready, run, until, until_gone

from autopilot.db import cluster, leftovers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.mark.parametrize("ordinary", [False, True], ids=["as ourselves", "as an ordinary user"])
async def test_the_server_ends_with_its_owner(tmp_path: Path, *, ordinary: bool) -> None:
    async with owner(tmp_path / "home", ordinary=ordinary) as other:
        await ready(other)
        assert other.server_pid in leftovers.processes_in(tmp_path / "home" / "postgres")

        await other.kill()
        await until_gone(tmp_path / "home" / "postgres")

    assert "received fast shutdown request" in (tmp_path / "home/logs/postgres.log").read_text()


@pytest.mark.parametrize("ordinary", [False, True], ids=["as ourselves", "as an ordinary user"])
async def test_the_next_owner_finds_what_was_committed(embedded: Make, tmp_path: Path, *, ordinary: bool) -> None:
    home = tmp_path / "home"
    async with owner(home, ordinary=ordinary) as other:
        await ready(other)
        await run(other.dsn, "create table t (n int)", "select 1")
        writing = await asyncpg.connect(other.dsn)
        committed = 0
        for number in range(50):
            await writing.execute("insert into t values ($1)", number)
            committed += 1
        kill_all(home / "postgres")
        await other.kill()
        writing.terminate()

    assert await run(await embedded(home).start(), "select count(*) from t") == committed


async def test_a_server_that_was_killed_is_started_again_by_its_owner(embedded: Make) -> None:
    server = embedded()
    await run(await server.start(), "create table t as select 1 as n", "select 1")
    assert server.process is not None
    server.process.kill()
    await server.process.wait()

    assert await run(await server.start(), "select n from t") == 1


async def test_a_backend_that_outlived_its_server_does_not_hold_up_the_next(
    embedded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "GENTLY", ((signal.SIGINT, 0.1), (signal.SIGQUIT, 0.1), (signal.SIGKILL, 5.0)))
    server = embedded()
    connection = await asyncpg.connect(await server.start())
    backend = await connection.fetchval("select pg_backend_pid()")
    assert server.process is not None
    os.kill(_outer(backend, server.data), signal.SIGSTOP)  # it can't notice that the server is gone
    server.process.kill()
    await server.process.wait()

    assert await run(await server.start(), "select 1") == 1
    connection.terminate()


def _outer(pid: int, data: Path) -> int:
    """Backends report their pid in our pid namespace: there is only one."""
    assert pid in leftovers.processes_in(data)
    return pid


async def test_an_orphan_that_still_serves_is_ended_before_the_next_start(embedded: Make, tmp_path: Path) -> None:
    server = embedded()
    await server.start()
    await server.stop()
    command = cluster.command(
        (bin_dir() or _wheel()) / "postgres", "-D", str(server.data), "-c", f"unix_socket_directories={tmp_path}",
        "-c", "listen_addresses=",
    )  # fmt: skip
    keeper = await asyncio.create_subprocess_exec(*command[:4], "--keep", *command[4:], start_new_session=True)
    await until(lambda: len(leftovers.processes_in(server.data)) > 2)
    orphans = set(leftovers.processes_in(server.data))
    keeper.kill()
    await keeper.wait()

    assert await run(await server.start(), "select 1") == 1
    assert not orphans & set(leftovers.processes_in(server.data))


def _wheel() -> Path:
    from autopilot.db.binaries import find_bin_dir

    return find_bin_dir()


async def test_where_the_kernel_can_not_end_it_a_keeper_does(tmp_path: Path) -> None:
    """launch.py --keep: what other systems than Linux have."""
    mark = tmp_path / "ended"
    child = (
        "import signal, sys\n"
        f"signal.signal(signal.SIGINT, lambda *_: (open({str(mark)!r}, 'w').close(), sys.exit()))\n"
        "print('up', flush=True); signal.pause()"
    )
    parent = (
        "import os, subprocess, sys; from autopilot.db import launch\n"
        "subprocess.Popen([sys.executable, '-I', '-S', launch.__file__, '--keep', '--parent', str(os.getpid()), '--', "
        "sys.executable, '-c', sys.argv[1]]).wait()"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", parent, child, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"up\n"
        process.kill()
        await process.wait()
        assert await process.stdout.read() == b""  # everybody who had the pipe is gone

    assert mark.exists()


async def test_without_proc_a_server_is_known_by_its_pid_file(
    embedded: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """leftovers.py: what other systems than Linux have."""
    server = embedded()
    await server.start()
    assert server.process is not None
    monkeypatch.setattr("sys.platform", "darwin")

    assert leftovers.processes_in(server.data) == [server.process.pid]
    (tmp_path / "postmaster.pid").write_text(f"{server.process.pid}\n")  # of another folder
    assert leftovers.processes_in(tmp_path) == []
    (tmp_path / "postmaster.pid").write_text("4000000\n")
    assert leftovers.processes_in(tmp_path) == []
    (tmp_path / "postmaster.pid").unlink()
    assert leftovers.processes_in(tmp_path) == []


@pytest.mark.parametrize("stranger", ["alive", "dead"])
async def test_a_stale_pid_file_is_not_believed(embedded: Make, stranger: str) -> None:
    server = embedded()
    await server.start()
    await server.stop()
    pid = os.getpid() if stranger == "alive" else 4_000_000
    (server.data / "postmaster.pid").write_text(f"{pid}\n{server.data}\n1\n5432\n/tmp\n\n  1 1\nready\n")
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (server.home / "run" / name).write_text(f"{pid}\n")

    assert await run(await server.start(), "select 1") == 1


async def test_a_cluster_that_was_half_made_is_made_anew(embedded: Make, tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with owner(home) as other:
        await until(lambda: bool(list(home.glob("postgres.new-*/base"))))
        await other.kill()
    assert not (home / "postgres").exists()

    server = embedded(home)

    assert await run(await server.start(), "select 1") == 1
    assert list(home.glob("postgres.new-*")) == []


@pytest.mark.parametrize("delay_ms", [0, 20, 60, 120, 250, 500, 900])
async def test_kill_at_any_moment_of_a_first_start(embedded: Make, tmp_path: Path, delay_ms: int) -> None:
    home = tmp_path / "home"
    async with owner(home) as other:
        await asyncio.sleep(delay_ms / 1000)  # the moment is what is varied
        kill_all(home / "postgres")
        await other.kill()

    assert await run(await embedded(home).start(), "create table t (n int)", "select 1") == 1


async def test_rounds_of_sudden_death_under_load_lose_no_commit(embedded: Make, tmp_path: Path) -> None:
    home = tmp_path / "home"
    server = embedded(home)
    await run(await server.start(), "create table t (n int primary key)", "select 1")
    await server.stop()
    acknowledged: set[int] = set()
    for turn in range(5):
        async with owner(home) as other:
            await ready(other)
            async with asyncio.TaskGroup() as writers:
                for at in range(4):
                    writers.create_task(write(other.dsn, turn * 10_000 + at * 1000, acknowledged))
                await asyncio.sleep(0.05 * (turn + 1))  # the moment is what is varied
                kill_all(home / "postgres")
                await other.kill()

    connection = await asyncpg.connect(await server.start())
    stored = {row["n"] for row in await connection.fetch("select n from t")}
    await connection.close()
    assert acknowledged <= stored
    assert len(stored - acknowledged) <= 5 * 4  # at most the one each writer had not heard of


async def write(dsn: str, first: int, acknowledged: set[int]) -> None:
    connection = None
    try:
        connection = await asyncpg.connect(dsn)
        for number in range(first, first + 1000):
            await connection.execute("insert into t values ($1)", number)
            acknowledged.add(number)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
        if connection is not None:
            connection.terminate()
