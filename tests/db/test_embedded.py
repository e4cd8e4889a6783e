"""The embedded server: private, durable, one owner, and clear about what it refuses."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from tests.db.conftest import Make, bin_dir, other_bin_dir, owner, ready, run, until

from autopilot.db import cluster, sockets
from autopilot.db import embedded as subject
from autopilot.db.embedded import EmbeddedPostgres
from autopilot.db.errors import ClusterFailed, ClusterRefused

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


async def test_from_nothing_to_a_private_durable_database(embedded: Make) -> None:
    server = embedded()

    dsn = await server.start()

    assert await run(dsn, "show server_encoding") == "UTF8"
    assert await run(dsn, "select datcollate from pg_database where datname = current_database()") == "C"
    assert await run(dsn, "show listen_addresses") == ""
    assert [await run(dsn, f"show {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")] == [
        "on"
    ] * 3
    assert await run(dsn, "show data_checksums") == "on"
    assert await run(dsn, "select rolsuper from pg_roles where rolname = current_user") is False
    assert (
        await run(server.admin_dsn, "select count(*) from pg_hba_file_rules where auth_method <> 'scram-sha-256'") == 0
    )
    for folder in (server.home, server.data, server.home / "run", server.home / "secrets", server.home / "logs"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for secret in (server.home / "secrets").iterdir():
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


async def test_the_password_is_asked_for(embedded: Make) -> None:
    dsn = await embedded().start()
    user, rest = dsn.removeprefix("postgresql://").split(":", 1)

    with pytest.raises(asyncpg.InvalidPasswordError):
        await run(f"postgresql://{user}:wrong@{rest.split('@', 1)[1]}", "select 1")


async def test_data_is_there_after_a_stop_and_a_start_of_another_object(embedded: Make) -> None:
    first = embedded()
    await run(await first.start(), "create table t as select 41 + 1 as answer", "select 1")
    await first.stop()

    second = embedded()

    assert await run(await second.start(), "select answer from t") == 42
    assert not list((second.home).glob("postgres.new-*"))


async def test_stop_cuts_connections_and_is_quick(embedded: Make) -> None:
    server = embedded()
    connection = await asyncpg.connect(await server.start())
    process = server.process
    assert process is not None

    async with asyncio.timeout(2):
        await server.stop()

    assert process.returncode == 0
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("select 1")
    connection.terminate()


async def test_starting_twice_is_starting_once(embedded: Make) -> None:
    server = embedded()
    dsn = await server.start()
    process = server.process

    assert (await server.start(), server.process) == (dsn, process)
    await server.stop()
    await server.stop()


async def test_a_second_owner_is_told_who_the_first_is(embedded: Make, tmp_path: Path) -> None:
    async with owner(tmp_path / "home") as other:
        await ready(other)

        with pytest.raises(ClusterRefused, match=rf"in use by another Autopilot \(process {other.process.pid}\)"):
            await embedded().start()

        assert await run(other.dsn, "select 1") == 1
        await other.kill()

    assert await run(await embedded().start(), "select 1") == 1


async def test_a_folder_of_another_version_is_left_alone(embedded: Make) -> None:
    other = embedded(bin_dir=other_bin_dir())
    await run(await other.start(), "create table t as select 1 as n", "select 1")
    await other.stop()

    with pytest.raises(ClusterRefused, match=r"was made by Postgres 16, these programs are Postgres 1[58]: .*PG_BIN"):
        await embedded().start()

    assert await run(await other.start(), "select n from t") == 1


async def test_a_folder_that_is_no_database_is_left_alone(embedded: Make) -> None:
    server = embedded()
    server.data.mkdir(parents=True)

    with pytest.raises(ClusterRefused, match="is not a database folder"):
        await server.start()


def test_a_new_password_is_there_for_good_before_anything_is_locked_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))

    cluster.password(tmp_path, cluster.ADMIN)

    assert synced == [(tmp_path / cluster.ADMIN).stat().st_ino, tmp_path.stat().st_ino]


async def test_a_lost_password_is_not_replaced_by_one_that_opens_nothing(embedded: Make) -> None:
    server = embedded()
    await server.start()
    await server.stop()
    (server.home / "secrets" / "autopilot_admin").unlink()

    with pytest.raises(ClusterRefused, match="is gone: bring it back"):
        await server.start()

    (server.home / "secrets" / "autopilot_admin").write_text("a guess")
    with pytest.raises(ClusterRefused, match=r"does not open .*: bring the right password back"):
        await server.start()


async def test_the_owners_password_may_be_replaced(embedded: Make) -> None:
    server = embedded()
    await server.start()
    await server.stop()
    (server.home / "secrets" / "autopilot").unlink()

    assert await run(await server.start(), "select 1") == 1


async def test_what_the_server_says_is_in_the_error_when_it_does_not_start(embedded: Make) -> None:
    with pytest.raises(ClusterFailed, match=r'invalid value for parameter "shared_buffers": "plenty"'):
        await embedded(settings={"shared_buffers": "plenty"}).start()


async def test_missing_programs_are_named(embedded: Make, tmp_path: Path) -> None:
    with pytest.raises(ClusterRefused, match=r"No Postgres programs in .*: set PG_BIN"):
        await embedded(bin_dir=tmp_path).start()


async def test_a_program_that_does_not_run_is_named(embedded: Make, tmp_path: Path) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("no program")

    with pytest.raises(ClusterRefused, match="does not run on this machine"):
        await embedded(bin_dir=tmp_path).start()


async def test_a_home_of_another_user_is_refused(
    embedded: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    with pytest.raises(ClusterRefused, match="belongs to another user"):
        await embedded().start()


async def test_a_deep_home_has_its_socket_in_a_short_private_folder(embedded: Make, tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 20) / "home"
    server = embedded(home)
    link = home / "run" / sockets.LINK

    assert await run(await server.start(), "select 1") == 1
    folder = link.readlink()
    assert (stat.S_IMODE(folder.stat().st_mode), folder.stat().st_uid) == (0o700, os.geteuid())

    await server.stop()
    assert await run(await server.start(), "select 1") == 1
    assert link.readlink() == folder

    await server.stop()
    folder.chmod(0o755)  # no longer ours alone: whoever came in may have left something
    assert await run(await server.start(), "select 1") == 1
    assert link.readlink() != folder
    await server.stop()
    for path in (folder, link.readlink()):
        path.rmdir()


@pytest.mark.parametrize("name", ["with space", 'quote"d', "ünï & 100%", "comma,and'tick"])
async def test_any_path_will_do(embedded: Make, tmp_path: Path, name: str) -> None:
    assert await run(await embedded(tmp_path / name).start(), "select 1") == 1


async def test_the_temporary_folder_may_be_unusable(
    embedded: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 20)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    server = embedded(deep / "home")

    assert await run(await server.start(), "select 1") == 1
    await server.stop()
    (deep / "home" / "run" / sockets.LINK).readlink().rmdir()
    assert list(deep.iterdir()) == [deep / "home"]


async def test_a_server_that_takes_long_is_waited_for_and_said_so(
    embedded: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = embedded()
    await server.start()
    await server.stop()
    monkeypatch.setattr(subject, "SAY_SECONDS", 0.05)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        with caplog.at_level(logging.WARNING, "autopilot.db"):
            starting = group.create_task(server.start())
            await until(lambda: server.process is not None)
            assert server.process is not None
            server.process.send_signal(signal.SIGSTOP)
            await until(lambda: "not ready after" in caplog.text)
            server.process.send_signal(signal.SIGCONT)
            assert await run(await starting, "select 1") == 1


async def test_patience_has_an_end(embedded: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    server = embedded()
    await server.start()
    await server.stop()
    monkeypatch.setattr(subject, "START_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(subject, "STOP_STEPS", ((signal.SIGKILL, 3.0),))
    monkeypatch.setattr(sockets, "PORT", 1)  # where it listens, but nobody looks
    monkeypatch.setattr(EmbeddedPostgres, "admin_dsn", "postgresql://x@/x?host=/nowhere")

    with pytest.raises(ClusterFailed, match="took too long to start"):
        await server.start()
    assert server.process is None


async def test_a_start_that_is_cancelled_leaves_nothing_behind(embedded: Make) -> None:
    server = embedded()

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        starting = group.create_task(server.start())
        await until(lambda: server.process is not None)
        process = server.process
        assert process is not None
        starting.cancel()

    assert process.returncode is not None
    assert await run(await server.start(), "select 1") == 1


async def test_a_server_that_does_not_listen_is_ended_all_the_same(
    embedded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = embedded()
    await server.start()
    process = server.process
    assert process is not None
    monkeypatch.setattr(subject, "STOP_STEPS", ((signal.SIGINT, 0.1), (signal.SIGQUIT, 0.1), (signal.SIGKILL, 3.0)))
    process.send_signal(signal.SIGSTOP)

    await server.stop()

    assert process.returncode == -signal.SIGKILL


async def test_what_the_server_says_does_not_fill_the_disk(embedded: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_LOG_BYTES", 10)
    server = embedded()
    await server.start()
    await server.stop()

    await server.start()

    assert server.log_file.with_suffix(".log.1").stat().st_size > 10


@pytest.mark.skipif(sys.platform != "linux", reason="user namespaces are Linux'")
def test_root_without_user_namespaces_is_told_what_to_do(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from autopilot.db.embedded import EmbeddedPostgres\n"
        "Path('/proc/sys/user/max_user_namespaces').write_text('0')\n"  # of this namespace only
        "asyncio.run(EmbeddedPostgres(Path(sys.argv[1])).start())"
    )
    said = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", program, str(tmp_path / "home")],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    ).stderr

    assert "user namespaces are switched off here: run Autopilot as an ordinary user, or set DATABASE_URL" in said


def test_a_socket_path_is_measured_in_bytes() -> None:
    assert sockets.fits(Path("/" + "a" * 80))
    assert not sockets.fits(Path("/" + "ü" * 80))
    assert bin_dir() is None or bin_dir() != Path()
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(OSError, match="too long"):
        probe.bind("/" + "a" * 120)
