"""What a phone shows without network: as it was, with its age, unreadable to others, and never in the way."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from tests.client.test_timeline import recorded, said

from autopilot.client import Timeline, TimelineLimits, offline_cache
from autopilot.client.offline_cache import LIST_ENTRIES, Kind, OfflineCache
from autopilot.client.presenters import times
from autopilot.client.sealed_file import Bounds, discard
from autopilot.contract import (
    Health,
    HealthFact,
    LeaseInfo,
    Machine,
    Receipt,
    SeqFact,
    WorkerSummary,
)
from autopilot.testing.clock import FakeClock

KEY = bytes(range(32))
SERVER = "https://a.example"
SECRET = "Deploy-key-of-the-Bank-7f3a"
PLAIN = (SECRET, SECRET[:8], "desktopw", "secret-worker", "agentMessage", "worker_id", SERVER, "a.example")
UNKNOWN = HealthFact(state="unknown")


def summary(number=0, title="Fix the build"):
    return WorkerSummary(
        worker_id=f"desktopw:{number:04}",
        status="running",
        latest_seq=number,
        metadata={"n": 12345678901234567890, "nothing": None},
        updated_at="2026-11-23T12:00:00.000000Z",
        heartbeat_stale_after_ms=120_000,
        heartbeat_state="fresh",
        title=SeqFact(value=title, seq=3),
        execution_mode="desktop",
        lease=LeaseInfo(state="held"),
        health=Health(api=UNKNOWN, machine=UNKNOWN, codex=UNKNOWN, data=UNKNOWN),
        pending_approvals=1,
    )


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "caches" / "offline.sqlite"


@pytest.fixture
async def cache(path, clock):
    cache = opened(path, clock=clock)
    yield cache
    await cache.aclose()


def opened(path, *, key=KEY, server=SERVER, user_id=7, **options):
    return OfflineCache(path, key, server=server, user_id=user_id, **options)


async def recalled(path, ask, **options):
    """What an app that starts finds."""
    cache = opened(path, **options)
    try:
        return await ask(cache)
    finally:
        await cache.aclose()


def bytes_of(path):
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))


async def test_lists_are_as_they_were_with_their_age(cache, path, clock):
    machine = Machine(machine_id="m-1", name="Desk", registered_at="2026-11-23T12:00:00Z")
    await cache.keep(Kind.WORKERS, [summary(2), summary(1)])
    await cache.keep(Kind.MACHINES, [machine])
    await cache.aclose()
    await clock.advance(180)

    workers = await recalled(path, lambda cache: cache.recall(Kind.WORKERS))
    assert workers.value == (summary(2), summary(1))
    assert times.age(workers.saved_at, clock.now()).words == "3 min ago"
    assert (await recalled(path, lambda cache: cache.recall(Kind.MACHINES))).value == (machine,)
    assert await recalled(path, lambda cache: cache.recall(Kind.RECEIPTS)) is None


async def test_a_list_replaces_the_one_before_and_may_be_empty(cache):
    await cache.keep(Kind.WORKERS, [summary(2)])
    await cache.keep(Kind.WORKERS, [])

    assert (await cache.recall(Kind.WORKERS)).value == ()


@pytest.mark.parametrize("name", ["s01", "s02", "s06", "s34"])
async def test_a_timeline_is_gone_on_from_as_if_nothing_had_been(cache, path, name):
    events = recorded(name)
    half = len(events) // 2
    await cache.keep_timeline("w", Timeline().fold(events[:half]))
    await cache.aclose()
    found = await recalled(path, lambda cache: cache.recall_timeline("w"))

    assert found.value.seq == half
    assert found.value.fold(events[half:]).save() == Timeline().fold(events).save()


async def test_what_is_kept_is_what_was_there_at_that_moment(cache):
    events = recorded("s02")
    timeline = Timeline().fold(events[:5])
    then = timeline.save()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(cache.keep_timeline("w", timeline))
        await asyncio.sleep(0)
        timeline.fold(events[5:])

    assert (await cache.recall_timeline("w")).value.save() == then


async def test_odd_texts_come_back_whole(cache):
    text = "two\nlines\u2028 \x00 \ud83d lone, \U0001f600"
    timeline = Timeline().fold([said(1, "item/completed", item={"type": "agentMessage", "id": "a", "text": text})])
    await cache.keep_timeline("w/ö\udc80", timeline)

    assert (await cache.recall_timeline("w/ö\udc80")).value.save() == timeline.save()


async def test_nothing_of_it_is_in_plain_on_the_disk(cache, path):
    item = {"type": "agentMessage", "id": "a", "text": f"{SECRET} " * 2000}
    await cache.keep(Kind.WORKERS, [summary(number, title=SECRET) for number in range(20)])
    await cache.keep_timeline("desktopw:secret-worker", Timeline().fold([said(1, "item/completed", item=item)]))
    await cache.recall(Kind.WORKERS)
    while_open = bytes_of(path)
    await cache.aclose()

    for content in (while_open, bytes_of(path)):
        assert len(content) > 50_000
        for plain in PLAIN:
            for form in (plain.encode(), plain.encode("utf-16-le"), plain.encode().hex().encode()):
                assert form.lower() not in content.lower()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_every_byte_of_a_record_looks_like_chance(cache, path):
    item = {"type": "agentMessage", "id": "a", "text": "a" * 150_000}
    await cache.keep_timeline("w", Timeline().fold([said(1, "item/completed", item=item)]))
    await cache.aclose()
    with sqlite3.connect(path) as db:
        body = max((row[0] for row in db.execute("select body from records")), key=len)
    db.close()

    counts = [body.count(value) for value in range(256)]
    expected = len(body) / 256
    assert sum((count - expected) ** 2 / expected for count in counts) < 400  # chi-squared, 255 degrees: p < 1e-7


@pytest.mark.parametrize(
    "other", [{"key": bytes(32)}, {"user_id": 8}, {"server": "https://b.example"}], ids=["key", "user", "server"]
)
async def test_another_key_user_or_server_finds_nothing_and_begins_anew(cache, path, other, caplog):
    await cache.keep(Kind.WORKERS, [summary()])
    await cache.aclose()
    with caplog.at_level(logging.WARNING, logger="autopilot.client"):
        assert await recalled(path, lambda cache: cache.recall(Kind.WORKERS), **other) is None

    assert "offline_cache.discarded" in caplog.text
    assert await recalled(path, lambda cache: cache.recall(Kind.WORKERS)) is None  # it was deleted, not only hidden


def other_form(path):
    with sqlite3.connect(path) as db:
        db.execute("pragma user_version = 99")
    db.close()


DAMAGES = {
    "not a database": lambda path: path.write_bytes(b"This is no database. " * 500),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "its beginning overwritten": lambda path: path.write_bytes(os.urandom(2048) + path.read_bytes()[2048:]),
    "its end overwritten": lambda path: path.write_bytes(path.read_bytes()[:-4096] + os.urandom(4096)),
    "all of it chance": lambda path: path.write_bytes(os.urandom(path.stat().st_size)),
    "another form": other_form,
    "empty": lambda path: os.truncate(path, 0),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_file_is_never_an_exception_and_never_something_wrong(cache, path, damage, clock):
    events = recorded("s02")
    whole = Timeline().fold(events)
    await cache.keep(Kind.WORKERS, [summary(number) for number in range(50)])
    await cache.keep_timeline("w", whole)
    await cache.aclose()
    DAMAGES[damage](path)

    again = opened(path, clock=clock)
    workers, timeline = await again.recall(Kind.WORKERS), await again.recall_timeline("w")
    assert workers is None or workers.value == tuple(summary(number) for number in range(50))
    assert timeline is None or timeline.value.save() == whole.save()
    for _ in range(2):  # the first may be what finds the damage
        await again.keep(Kind.WORKERS, [summary(1)])
    assert (await again.recall(Kind.WORKERS)).value == (summary(1),)
    await again.aclose()


async def test_records_that_were_exchanged_or_changed_are_gone(cache, path, caplog):
    timelines = {name: Timeline().fold(recorded(name)) for name in ("s01", "s02", "s06")}
    for name, timeline in timelines.items():
        await cache.keep_timeline(name, timeline)
    await cache.aclose()
    with sqlite3.connect(path) as db:
        rows = db.execute("select name, body from records where kind = 2 order by used").fetchall()
        (one, body_of_one), (other, body_of_other), (third, body_of_third) = rows
        changed = bytes([*body_of_third[:-1], body_of_third[-1] ^ 1])
        for name, body in ((one, body_of_other), (other, body_of_one), (third, changed)):
            db.execute("update records set body = ? where name = ?", (body, name))
    db.close()
    with caplog.at_level(logging.WARNING, logger="autopilot.client"):
        again = opened(path)
        assert [await again.recall_timeline(name) for name in timelines] == [None] * 3

    assert caplog.text.count("offline_cache.unreadable") == 3
    await again.keep_timeline("s01", timelines["s01"])
    assert (await again.recall_timeline("s01")).value.save() == timelines["s01"].save()
    await again.aclose()


async def test_what_another_version_of_the_app_kept_reads_as_nothing(cache, monkeypatch):
    await cache.keep_timeline("w", Timeline().fold(recorded("s01")))
    await cache.keep(Kind.WORKERS, [summary()])
    monkeypatch.setattr("autopilot.client.timeline.FORM", 99)
    monkeypatch.setattr(Kind.WORKERS, "message", Receipt)

    assert await cache.recall_timeline("w") is None
    assert await cache.recall(Kind.WORKERS) is None


async def test_a_place_that_can_t_be_written_is_no_exception(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING, logger="autopilot.client"):
        cache = opened(tmp_path / "file" / "offline.sqlite")
        await cache.keep(Kind.WORKERS, [summary()])
        assert await cache.recall(Kind.WORKERS) is None
        await cache.wipe()

    assert "offline_cache.failed" in caplog.text


async def test_a_file_that_is_in_use_is_not_thrown_away(cache, path, monkeypatch):
    monkeypatch.setattr("autopilot.client.sealed_file._BUSY_SECONDS", 0)
    await cache.keep(Kind.WORKERS, [summary()])
    await cache.aclose()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("begin exclusive")
    again = opened(path)
    assert await again.recall(Kind.WORKERS) is None
    holder.execute("rollback")
    holder.close()

    assert (await again.recall(Kind.WORKERS)).value == (summary(),)
    await again.aclose()


async def test_only_so_many_timelines_are_kept_the_latest_ones(path):
    cache = opened(path, bounds=Bounds(timelines=3))
    await cache.keep(Kind.WORKERS, [summary()])
    timeline = Timeline().fold(recorded("s01"))
    for name in ("a", "b", "c", "a", "d"):
        await cache.keep_timeline(name, timeline)

    found = [name for name in "abcd" if await cache.recall_timeline(name)]
    assert found == ["a", "c", "d"]
    assert await cache.recall(Kind.WORKERS)
    await cache.aclose()


async def test_the_file_stays_within_its_size_and_lists_outlive_timelines(path):
    bounds = Bounds(file_bytes=300_000)
    cache = opened(path, bounds=bounds)
    await cache.keep(Kind.WORKERS, [summary()])
    for number in range(30):
        item = {"type": "agentMessage", "id": "a", "text": "x" * 60_000}
        await cache.keep_timeline(f"w{number}", Timeline().fold([said(1, "item/completed", item=item)]))
        assert path.stat().st_size < 400_000

    kept = [number for number in range(30) if await cache.recall_timeline(f"w{number}")]
    assert kept == [26, 27, 28, 29]
    assert await cache.recall(Kind.WORKERS)
    await cache.aclose()


async def test_of_a_timeline_that_is_too_large_the_end_is_kept(path):
    cache = opened(path, bounds=Bounds(record_bytes=20_000))
    events = [
        said(seq, "item/completed", item={"type": "agentMessage", "id": f"m{seq}", "text": f"{seq} " * 500})
        for seq in range(1, 41)
    ]
    timeline = Timeline().fold(events)
    await cache.keep_timeline("w", timeline)
    found = (await cache.recall_timeline("w")).value

    assert 0 < len(found.items) < 40
    assert found.items == timeline.items[-len(found.items) :]
    assert (found.seq, found.dropped + len(found.items), found.is_whole) == (40, 40, False)
    await cache.aclose()


async def test_a_list_is_bounded_in_entries_and_in_bytes(path):
    cache = opened(path, bounds=Bounds(record_bytes=1 << 20))
    many = [replace(summary(0), worker_id=str(number)) for number in range(LIST_ENTRIES + 5)]
    await cache.keep(Kind.WORKERS, many)
    assert (await cache.recall(Kind.WORKERS)).value == tuple(many[:LIST_ENTRIES])

    await cache.keep(Kind.WORKERS, [summary(number, title="x" * 300_000) for number in range(5)])
    assert [worker.worker_id[-1] for worker in (await cache.recall(Kind.WORKERS)).value] == ["0", "1", "2"]
    await cache.aclose()


async def test_a_timeline_of_a_worker_that_is_no_longer_ours_is_forgotten(cache):
    timeline = Timeline().fold(recorded("s01"))
    await cache.keep_timeline("a", timeline)
    await cache.keep_timeline("b", timeline)
    await cache.forget_timeline("a")

    assert await cache.recall_timeline("a") is None
    assert (await cache.recall_timeline("b")).value.save() == timeline.save()


async def test_what_is_to_be_forgotten_is_though_nobody_waits_for_it_any_more(cache):
    await cache.keep_timeline("a", Timeline().fold(recorded("s01")))
    busy = threading.Event()
    cache._owner.submit(busy.wait, 30)
    async with asyncio.TaskGroup() as group:
        forgetting = group.create_task(cache.forget_timeline("a"))
        await asyncio.sleep(0)
        forgetting.cancel()
    busy.set()
    assert await cache.recall_timeline("a") is None


@pytest.mark.parametrize("is_closed_before", [False, True])
async def test_signing_out_deletes_the_file_and_nothing_is_written_after_it(cache, path, is_closed_before):
    await cache.keep(Kind.WORKERS, [summary()])
    if is_closed_before:
        await cache.aclose()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(cache.keep_timeline("w", Timeline().fold(recorded("s01"))))
        group.create_task(cache.wipe())
        group.create_task(cache.keep(Kind.WORKERS, [summary()]))
    await cache.keep(Kind.WORKERS, [summary()])

    assert await cache.recall(Kind.WORKERS) is None
    assert list(path.parent.iterdir()) == []


def test_what_sqlite_leaves_beside_it_is_deleted_too(path):
    path.parent.mkdir()
    for suffix in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + suffix).write_bytes(b"x")
    discard(path)

    assert list(path.parent.iterdir()) == []


async def test_the_loop_is_never_what_works(cache, monkeypatch):
    threads = set()
    for name in ("_line", "_value"):
        work = getattr(offline_cache, name)
        monkeypatch.setattr(
            offline_cache, name, lambda value, work=work: threads.add(threading.current_thread()) or work(value)
        )
    await cache.keep(Kind.WORKERS, [summary()])
    await cache.recall(Kind.WORKERS)
    await cache.keep_timeline("w", Timeline().fold(recorded("s01")))
    await cache.recall_timeline("w", TimelineLimits(items=5))

    assert len(threads) == 1
    assert threading.current_thread() not in threads


WRITER = """
import asyncio, sys
from pathlib import Path
from autopilot.client import Timeline
from autopilot.client.offline_cache import OfflineCache
from tests.client.test_offline_cache import KEY, SERVER, numbered

async def main():
    cache = OfflineCache(Path(sys.argv[1]), KEY, server=SERVER, user_id=7)
    for number in range(1, 100_000):
        await cache.keep_timeline("w", numbered(number))
        print(number, flush=True)

asyncio.run(main())
"""


def numbered(number):
    """A timeline of several pages, all of one number."""
    texts = ({"type": "agentMessage", "id": f"m{n}", "text": f"{number} " * 2000} for n in range(10))
    return Timeline().fold(said(seq, "item/completed", item=item) for seq, item in enumerate(texts, 1))


@pytest.mark.slow
@pytest.mark.seeds(2, 50)
def test_killed_in_the_middle_of_a_write_it_has_the_last_or_the_one_before(path, seed):
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        done = 0
        while done < 3 + seed:
            done = int(writer.stdout.readline())
        writer.kill()  # it writes the next one meanwhile
        done = int([str(done), *writer.stdout.read().split()][-1])
    assert writer.returncode == -signal.SIGKILL

    found = asyncio.run(recalled(path, lambda cache: cache.recall_timeline("w")))
    assert found.value.save() in (numbered(done).save(), numbered(done + 1).save())
