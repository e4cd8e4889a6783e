"""A backup holds everything, comes back exactly, and is never half restored."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import stat
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.db.conftest import Make, other_bin_dir

from autopilot.db.archive import Manifest, reading
from autopilot.db.backup import backup, restore
from autopilot.db.errors import BackupRefused, DatabaseUnfit
from autopilot.db.pool import open_pool
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.machines import Companion
from autopilot.testing.postgres import SCHEMAS, TestCluster
from autopilot.testing.runtime import call, frames, insert_worker

pytestmark = pytest.mark.slow
HARD = {"text": 'tab\t newline\n backslash\\ \\. \\N quote" ünï 😀', "big": 2**70, "null": None}


@asynccontextmanager
async def runtime_on(dsn: str) -> AsyncIterator[Runtime]:
    settings = RuntimeSettings(
        digest_key=b"digest" * 6, delivery_key=b"d" * 32, seal_key=b"s" * 32, notify_interval_ms=1
    )
    async with await build(settings, dsn=dsn) as runtime:
        yield runtime


async def live(dsn: str, events: int = 5) -> None:
    """A worker with a lease, a log, a request under way, and a sealed delivery."""
    async with runtime_on(dsn) as runtime:
        await insert_worker(runtime, "w1")
        companion = Companion(runtime)
        await companion.register(name="desk")
        await companion.claim("w1")
        for number in range(events):
            await companion.append("w1", "worker.event", f"e{number}", number=number, **HARD)
        body = {"request": {"request_id": "r1", "method": "turn/start", "params": {"input": "hello"}}}
        await call(runtime, "POST", "/workers/w1/requests", body, query="wait_ms=0")


async def everything(dsn: str) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    connection = await asyncpg.connect(dsn)
    try:
        names = await connection.fetch(
            "select schemaname as s, tablename as t from pg_tables where schemaname = any($1)", list(SCHEMAS)
        )
        return {
            f"{s}.{t}": sorted(row["r"] for row in await connection.fetch(f'select r::text as r from "{s}"."{t}" r'))
            for s, t in names
            if t != "schema_migration"
        }
    finally:
        await connection.close()


async def shape(dsn: str) -> list[tuple[object, ...]]:
    """Constraints, indexes and columns: what a restore must not lose."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            """select conrelid::regclass::text, conname, pg_get_constraintdef(c.oid) from pg_constraint c
               join pg_namespace n on n.oid = connamespace where nspname = any($1)
               union all select tablename, indexname, indexdef from pg_indexes where schemaname = any($1)
               order by 1, 2, 3""",
            list(SCHEMAS),
        )
        return [tuple(row) for row in rows]
    finally:
        await connection.close()


async def test_everything_comes_back_exactly(database: str, empty_database: str, tmp_path: Path) -> None:
    await live(database)
    said: list[tuple[str, int]] = []

    made = await backup(database, tmp_path / "b", say=lambda table, rows: said.append((table, rows)))
    read = await restore(tmp_path / "b", empty_database)

    assert read == made
    assert await everything(empty_database) == await everything(database)
    assert await shape(empty_database) == await shape(database)
    assert ("runtime.worker", 1) in said
    assert made.rows == sum(rows for _, rows in said) > 10
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    assert names_in(tmp_path) == ["b"]


async def test_another_version_of_postgres_is_no_matter_either_way(
    database: str, empty_database: str, embedded: Make, tmp_path: Path
) -> None:
    await live(database)
    other = await embedded(bin_dir=other_bin_dir()).start()

    there = await backup(database, tmp_path / "there")
    await restore(tmp_path / "there", other)
    back = await backup(other, tmp_path / "back")
    await restore(tmp_path / "back", empty_database)

    assert back.server.startswith("16.")
    assert not there.server.startswith("16.")
    assert await everything(empty_database) == await everything(database)


async def test_a_restored_log_goes_on_where_it_was_and_knows_its_repeats(
    database: str, empty_database: str, tmp_path: Path
) -> None:
    await live(database)
    await backup(database, tmp_path / "b")
    await restore(tmp_path / "b", empty_database)

    async with runtime_on(empty_database) as runtime:
        before = await frames(runtime, "w1")
        companion = Companion(runtime)
        await companion.claim("w1")
        repeated = await companion.append("w1", "worker.event", "e0", number=0, **HARD)
        await companion.append("w1", "worker.event", "new", number=99)
        after = await frames(runtime, "w1")
        await insert_worker(runtime, "w2")  # its number comes from the restored sequence
        beyond = await call(runtime, "GET", "/workers/w1/stream", query=f"cursor={len(after) + 1}&tail_ms=1")

    assert repeated.data[0]["duplicate"]
    assert [frame["seq"] for frame in after] == list(range(1, len(after) + 1))
    assert after[: len(before)] == before
    assert (beyond.status, beyond.reason) == (410, "ahead_of_log")


async def test_a_backup_is_one_moment_while_others_write(database: str, empty_database: str, tmp_path: Path) -> None:
    async with runtime_on(database) as runtime:
        await insert_worker(runtime, "w1")
        companion = Companion(runtime)
        await companion.register()
        await companion.claim("w1")
        done = asyncio.Event()

        async def write() -> None:
            number = 0
            while not done.is_set():
                await companion.append("w1", "worker.event", f"e{number}")
                number += 1

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            for copy in range(3):
                await backup(database, tmp_path / str(copy))
            done.set()

    await restore(tmp_path / "2", empty_database)
    connection = await asyncpg.connect(empty_database)
    latest = await connection.fetchval("select latest_seq from runtime.worker_head")
    seqs = [row["seq"] for row in await connection.fetch("select seq from runtime.event order by seq")]
    await connection.close()
    assert seqs == list(range(1, latest + 1))


async def test_a_migrated_database_without_rows_counts_as_empty(
    database: str, cluster: TestCluster, tmp_path: Path
) -> None:
    await live(database)
    await backup(database, tmp_path / "b")

    async with cluster.database() as migrated:
        await restore(tmp_path / "b", migrated)

        assert await everything(migrated) == await everything(database)


async def test_a_database_with_data_is_never_restored_over(database: str, cluster: TestCluster, tmp_path: Path) -> None:
    await live(database)
    await backup(database, tmp_path / "b")
    before = await everything(database)

    with pytest.raises(BackupRefused, match=r"not empty \(runtime\.\w+ has rows\): restore into a new one"):
        await restore(tmp_path / "b", database)

    assert await everything(database) == before


async def test_a_database_in_use_is_not_restored_into(database: str, cluster: TestCluster, tmp_path: Path) -> None:
    await live(database)
    await backup(database, tmp_path / "b")

    async with cluster.database() as used, await open_pool(used, schema="runtime"):
        with pytest.raises(BackupRefused, match="An Autopilot is using this database: stop it first"):
            await restore(tmp_path / "b", used)


@pytest.mark.parametrize(
    "harm", ["a flipped bit", "cut short", "a part exchanged", "a part missing", "no zip", "not there"]
)
async def test_a_damaged_backup_changes_nothing(database: str, empty_database: str, tmp_path: Path, harm: str) -> None:
    await live(database, events=50)
    path = tmp_path / "b"
    await backup(database, path)
    damage(path, harm)

    says = r"^There is no file " if harm == "not there" else r"is damaged|is not a whole backup"
    with pytest.raises(BackupRefused, match=says):
        await restore(path, empty_database)

    assert await everything(empty_database) == {}


async def test_whichever_bit_is_wrong_a_backup_is_refused_or_reads_as_it_was_written(
    database: str, tmp_path: Path
) -> None:
    await live(database, events=5)
    path = tmp_path / "b"
    await backup(database, path)
    whole = path.read_bytes()
    draw = random.Random(7)

    for place in [*range(40), *range(len(whole) - 200, len(whole)), *draw.sample(range(len(whole)), 500)]:
        raw = bytearray(whole)
        raw[place] ^= 1 << draw.randrange(8)
        path.write_bytes(raw)
        with contextlib.suppress(BackupRefused), reading(path) as archive:
            archive.check()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def damage(path: Path, harm: str) -> None:
    match harm:
        case "a flipped bit":
            with zipfile.ZipFile(path) as archive:
                largest = max(archive.infolist(), key=lambda info: info.compress_size)
            raw = bytearray(path.read_bytes())
            raw[largest.header_offset + 100 + largest.compress_size // 2] ^= 1
            path.write_bytes(raw)
        case "cut short":
            path.write_bytes(path.read_bytes()[:-200])
        case "a part exchanged" | "a part missing":
            rewrite(path, None if harm == "a part missing" else lambda text: text.replace(b"e1", b"e9"))
        case "no zip":
            path.write_bytes(b"SQLite format 3\x00" * 100)
        case _:
            path.unlink()


def rewrite(path: Path, change: Callable[[bytes], bytes] | None, name: str = "data/runtime/event.copy") -> None:
    """Change one part (or leave it out) and close the zip properly."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    original = parts.pop(name)
    with zipfile.ZipFile(path, "w") as archive:
        for other, text in parts.items():
            archive.writestr(other, text)
        if change is not None:
            archive.writestr(name, change(original))


def remanifest(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Let the backup say something else of itself."""

    def rewritten(text: bytes) -> bytes:
        manifest = json.loads(text)
        change(manifest)
        return json.dumps(manifest).encode()

    rewrite(path, rewritten, "manifest.json")


async def test_a_backup_of_a_newer_autopilot_is_refused(database: str, empty_database: str, tmp_path: Path) -> None:
    for number, change in enumerate(
        (
            lambda manifest: manifest["rooms"]["runtime"]["migrations"].append(
                {"number": 99, "name": "future", "digest": "0"}
            ),
            lambda manifest: manifest["rooms"].update(spaceship=manifest["rooms"]["runtime"]),
            lambda manifest: manifest.update(version=2),
        )
    ):
        path = tmp_path / str(number)
        await backup(database, path)
        remanifest(path, change)
        with pytest.raises(BackupRefused, match="newer Autopilot"):
            await restore(path, empty_database)


async def test_a_backup_with_another_history_is_refused(database: str, empty_database: str, tmp_path: Path) -> None:
    await backup(database, tmp_path / "b")
    remanifest(tmp_path / "b", lambda manifest: manifest["rooms"]["runtime"]["migrations"][0].update(digest="0" * 64))

    with pytest.raises(BackupRefused, match="migration 0001 of 'runtime' is another"):
        await restore(tmp_path / "b", empty_database)


async def test_a_failure_in_the_middle_leaves_the_database_as_it_was(
    database: str, empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live(database)
    await backup(database, tmp_path / "b")

    def break_down(table: str, _rows: int) -> None:
        if table == "runtime.event":
            raise RuntimeError("the power went out")

    with pytest.raises(RuntimeError):
        await restore(tmp_path / "b", empty_database, say=break_down)
    assert await everything(empty_database) == {}

    await restore(tmp_path / "b", empty_database)
    assert await everything(empty_database) == await everything(database)


async def test_a_backup_that_fails_leaves_no_file(database: str, tmp_path: Path) -> None:
    def break_down(_table: str, _rows: int) -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        await backup(database, tmp_path / "b", say=break_down)

    assert names_in(tmp_path) == []


async def test_a_backup_overwrites_nothing_and_needs_a_folder(database: str, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("precious")

    with pytest.raises(BackupRefused, match="exists already"):
        await backup(database, tmp_path / "b")
    with pytest.raises(BackupRefused, match="There is no folder"):
        await backup(database, tmp_path / "no" / "b")

    assert (tmp_path / "b").read_text() == "precious"


async def test_a_database_without_our_rooms_has_no_backup(empty_database: str, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="nothing of Autopilot"):
        await backup(empty_database, tmp_path / "b")


async def test_an_unfit_database_is_not_restored_into(database: str, cluster: TestCluster, tmp_path: Path) -> None:
    await backup(database, tmp_path / "b")

    async with cluster.database(template="template0 encoding 'LATIN1'") as latin:
        with pytest.raises(DatabaseUnfit):
            await restore(tmp_path / "b", latin)


async def test_keys_travel_with_the_rows_that_need_them(database: str, empty_database: str, tmp_path: Path) -> None:
    source, target = tmp_path / "from", tmp_path / "to"
    source.mkdir()
    target.mkdir()
    for name, text in (("digest.key", "d1"), ("delivery.key", "k1"), ("autopilot", "password"), (".half", "x")):
        (source / name).write_text(text)
    (target / "digest.key").write_text("d2")
    (target / "delivery.key").write_text("k1")

    made: Manifest = await backup(database, tmp_path / "b", secrets_dir=source)
    await restore(tmp_path / "b", empty_database, secrets_dir=target)

    assert set(made.secrets) == {"digest.key", "delivery.key"}
    assert {file.name: file.read_text() for file in target.iterdir()} == {
        "digest.key": "d1",
        "digest.key.replaced": "d2",
        "delivery.key": "k1",
    }
    assert stat.S_IMODE((target / "digest.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["../outside", "autopilot_admin"])
async def test_a_backup_can_not_write_where_it_wants(
    database: str, empty_database: str, tmp_path: Path, name: str
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "a.key").write_text("k")
    await backup(database, tmp_path / "b", secrets_dir=secrets)
    with zipfile.ZipFile(tmp_path / "b", "a") as archive:
        archive.writestr(f"secrets/{name}", "k")
    remanifest(tmp_path / "b", lambda manifest: manifest.update(secrets={name: manifest["secrets"]["a.key"]}))

    with pytest.raises(BackupRefused, match="wants to write a secret called"):
        await restore(tmp_path / "b", empty_database, secrets_dir=secrets)

    assert await everything(empty_database) == {}
