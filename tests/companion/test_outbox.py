from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from autopilot.companion.codex.translate import Event
from autopilot.companion.database import Database, open_file, transact
from autopilot.companion.outbox import BATCH_EVENTS, Outbox
from autopilot.companion.threads import Introduction, Naming, Threads

WORKERS = ("desktopw:a", "desktopw:b")


def event(event_id: str, *, preview: bool = False, item: bool = False, size: int = 10) -> Event:
    payload = b'"' + b"x" * (size - 2) + b'"'
    return Event("t", "worker.event", "m", event_id, payload, item_id="i" if item else None, preview=preview)


def with_threads(path: Path) -> sqlite3.Connection:
    db = open_file(path)
    threads = Threads(Naming())
    for worker in WORKERS:
        thread = threads.introduce({"id": worker.removeprefix("desktopw:"), "cwd": "/p"}, now=0.0)
        transact(db, lambda db, thread=thread: threads.save(db, thread))
    return db


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    return with_threads(tmp_path / "outbox.sqlite")


def ids(outbox: Outbox, db: sqlite3.Connection, worker: str = WORKERS[0]) -> list[tuple[str, int]]:
    return [(one.event_id, one.producer_seq) for one in transact(db, lambda db: outbox.take(db, worker))]


def test_events_are_taken_in_order_with_numbers_that_stay(db: sqlite3.Connection) -> None:
    outbox = Outbox()
    transact(db, lambda db: outbox.put(db, WORKERS[0], [event("a"), event("b")]))

    assert ids(outbox, db) == [("a", 1), ("b", 2)]
    assert ids(outbox, db) == [("a", 1), ("b", 2)]


def test_an_id_is_put_once_even_after_its_event_is_gone(db: sqlite3.Connection) -> None:
    outbox = Outbox()
    transact(db, lambda db: outbox.put(db, WORKERS[0], [event("a")]))
    (waiting,) = transact(db, lambda db: outbox.take(db, WORKERS[0]))
    transact(db, lambda db: outbox.settle(db, [waiting.position]))

    again = transact(db, lambda db: outbox.put(db, WORKERS[0], [event("a"), event("b"), event("b")]))

    assert again == 1
    assert ids(outbox, db) == [("b", 2)]
    assert transact(db, lambda db: outbox.put(db, WORKERS[1], [event("a")])) == 1


def test_a_batch_is_bounded_in_events_and_bytes(db: sqlite3.Connection) -> None:
    outbox = Outbox()
    transact(db, lambda db: outbox.put(db, WORKERS[0], [event(f"e{n}") for n in range(BATCH_EVENTS + 50)]))
    transact(db, lambda db: outbox.put(db, WORKERS[1], [event(f"e{n}", size=1_500_000) for n in range(3)]))

    assert len(ids(outbox, db)) == BATCH_EVENTS
    assert len(ids(outbox, db, WORKERS[1])) == 1


def test_what_a_stopped_worker_still_has_waits_and_comes_late_with_fresh_numbers(db: sqlite3.Connection) -> None:
    outbox = Outbox()
    transact(db, lambda db: outbox.put(db, WORKERS[0], [event("a"), event("b")]))
    ids(outbox, db)

    assert transact(db, lambda db: outbox.park(db, WORKERS[0])) == 2
    transact(db, lambda db: outbox.put(db, WORKERS[0], [event("c")], parked=True))
    assert ids(outbox, db) == []
    assert transact(db, outbox.workers) == []
    assert transact(db, lambda db: outbox.unpark(db, WORKERS[0])) == 3

    taken = transact(db, lambda db: outbox.take(db, WORKERS[0]))
    assert [(one.event_id, one.producer_seq, one.late) for one in taken] == [
        ("a", 1, True),
        ("b", 2, True),
        ("c", 3, True),
    ]


def test_when_the_ledger_counts_otherwise_the_numbers_go_on_at_what_it_expects(db: sqlite3.Connection) -> None:
    outbox = Outbox()
    transact(db, lambda db: outbox.put(db, WORKERS[0], [event("a"), event("b")]))
    ids(outbox, db)

    transact(db, lambda db: outbox.renumber(db, WORKERS[0], 41))

    assert ids(outbox, db) == [("a", 41), ("b", 42)]


def test_a_full_outbox_lets_go_of_previews_first_and_counts_what_it_left_out(db: sqlite3.Connection) -> None:
    outbox = Outbox(max_bytes=1000)
    outbox.load(db)
    transact(db, lambda db: outbox.put(db, WORKERS[0], [event(f"p{n}", preview=True, size=400) for n in range(4)]))
    assert outbox.bytes == 1200

    stored = transact(db, lambda db: outbox.put(db, WORKERS[0], [event("truth", item=True, size=400)]))

    assert stored == 1
    assert ids(outbox, db) == [("truth", 1)]
    assert transact(db, outbox.left_out) == {WORKERS[0]: 4}


def test_what_was_left_out_is_due_until_the_event_that_says_so_is_put(db: sqlite3.Connection) -> None:
    outbox = Outbox(max_bytes=1000)
    transact(db, lambda db: outbox.put(db, WORKERS[0], [event(f"p{n}", preview=True, size=400) for n in range(5)]))
    transact(db, lambda db: outbox.put(db, WORKERS[0], [event("truth", item=True, size=400)]))
    due = transact(db, outbox.left_out)

    def fails(db: sqlite3.Connection) -> None:
        outbox.said_left_out(db, WORKERS[0], due[WORKERS[0]])
        raise ValueError("killed")

    with pytest.raises(ValueError, match="killed"):
        transact(db, fails)
    assert transact(db, outbox.left_out) == due
    db.execute("update left_out set events = events + 2")  # more, while that was being said
    transact(db, lambda db: outbox.said_left_out(db, WORKERS[0], due[WORKERS[0]]))

    assert transact(db, outbox.left_out) == {WORKERS[0]: 2}
    transact(db, lambda db: outbox.said_left_out(db, WORKERS[0], 2))
    assert transact(db, outbox.left_out) == {}


def test_an_item_that_finds_no_room_can_be_put_later(db: sqlite3.Connection) -> None:
    outbox = Outbox(max_bytes=1000)
    transact(db, lambda db: outbox.put(db, WORKERS[0], [event(f"e{n}", size=400) for n in range(3)]))
    refused = transact(db, lambda db: outbox.put(db, WORKERS[0], [event("item", item=True)]))
    full = transact(db, outbox.left_out)
    positions = [one.position for one in transact(db, lambda db: outbox.take(db, WORKERS[0]))]
    transact(db, lambda db: outbox.settle(db, positions))

    assert (refused, full) == (0, {})
    assert transact(db, lambda db: outbox.put(db, WORKERS[0], [event("item", item=True)])) == 1
    assert transact(db, outbox.left_out) == {WORKERS[0]: 1}


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    newer = open_file(path)
    newer.execute("pragma user_version = 99")
    newer.close()

    with pytest.raises(RuntimeError, match="newer Autopilot"):
        open_file(path)


async def test_the_database_does_everything_or_nothing_of_a_piece_of_work(tmp_path: Path) -> None:
    database = Database(tmp_path / "outbox.sqlite")
    await database.open()

    def fails(db: sqlite3.Connection) -> None:
        db.execute("insert into setting values ('a', 'b')")
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        await database.run(fails)
    left = await database.run(lambda db: db.execute("select count(*) from setting").fetchone()[0])
    await database.close()

    assert left == 0


class OutboxMachine(RuleBasedStateMachine):
    """The outbox against a ledger that dedupes, counts, fences and is sometimes away; the process dies at will.

    The ledger here has the runtime's rules (event_id dedupes, producer_seq has no gaps). The law: what was put and not
    settled is on its way, and the ledger gets everything exactly once and in order.
    """

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "outbox.sqlite"
        self.db = with_threads(self.path)
        self.outbox = Outbox()
        self.outbox.load(self.db)
        self.put: dict[str, list[str]] = {worker: [] for worker in WORKERS}
        self.ledger: dict[str, list[str]] = {worker: [] for worker in WORKERS}
        self.counted = dict.fromkeys(WORKERS, 0)
        self.stopped: set[str] = set()

    @rule(worker=st.sampled_from(WORKERS), number=st.integers(0, 30))
    def codex_says(self, worker: str, number: int) -> None:
        said, parked = event(f"e{number}"), worker in self.stopped
        stored = transact(self.db, lambda db: self.outbox.put(db, worker, [said], parked=parked))
        assert stored == (said.event_id not in self.put[worker])
        if stored:
            self.put[worker].append(said.event_id)

    @rule(worker=st.sampled_from(WORKERS), answer_is_lost=st.booleans())
    def send(self, worker: str, *, answer_is_lost: bool) -> None:
        batch = transact(self.db, lambda db: self.outbox.take(db, worker))
        if worker in self.stopped:
            assert batch == []
        for one in batch:
            repeated = one.event_id in self.ledger[worker]
            assert one.producer_seq == self.counted[worker] + 1 or (
                repeated and one.producer_seq <= self.counted[worker]
            ), "a gap"
            self.counted[worker] = max(self.counted[worker], one.producer_seq)
            if not repeated:
                self.ledger[worker].append(one.event_id)
        if not answer_is_lost:
            transact(self.db, lambda db: self.outbox.settle(db, [one.position for one in batch]))

    @rule()
    def die_and_come_back(self) -> None:
        self.db.close()
        self.db = open_file(self.path)
        self.outbox = Outbox()
        self.outbox.load(self.db)

    @rule()
    def die_in_the_middle_of_a_put(self) -> None:
        self.db.execute("begin immediate")
        self.outbox.put(self.db, WORKERS[0], [event("never")])
        self.die_and_come_back()

    @rule(worker=st.sampled_from(WORKERS))
    def stop(self, worker: str) -> None:
        transact(self.db, lambda db: self.outbox.park(db, worker))
        self.stopped.add(worker)

    @precondition(lambda self: self.stopped)
    @rule(data=st.data())
    def reattach(self, data: Any) -> None:
        worker = data.draw(st.sampled_from(sorted(self.stopped)))
        transact(self.db, lambda db: self.outbox.unpark(db, worker))
        self.stopped.discard(worker)

    @invariant()
    def the_ledger_holds_a_beginning_of_what_was_put(self) -> None:
        for worker in WORKERS:
            assert self.ledger[worker] == self.put[worker][: len(self.ledger[worker])]

    @invariant()
    def the_size_is_true(self) -> None:
        real = self.db.execute("select coalesce(sum(length(payload)), 0) from outbox").fetchone()[0]
        assert self.outbox.bytes == real

    def teardown(self) -> None:
        for worker in sorted(self.stopped):
            transact(self.db, lambda db, worker=worker: self.outbox.unpark(db, worker))
        self.stopped.clear()
        for worker in WORKERS:
            self.send(worker, answer_is_lost=False)
            assert self.ledger[worker] == self.put[worker]
        self.db.close()
        self.folder.cleanup()


TestOutboxMachine = pytest.mark.endurance(OutboxMachine.TestCase)
# A quarter of the usual examples, each a history of its own: 25, and 250 with --endurance.
TestOutboxMachine.settings = settings(
    max_examples=settings.default.max_examples // 4, stateful_step_count=30, deadline=None
)


def test_an_introduction_says_where_the_thread_works() -> None:
    threads = Threads(Naming(codex_home_ref="file:///home/x/.codex"))

    thread = threads.introduce({"id": "t1", "cwd": "/p", "name": None, "model": "m"}, now=1.0)

    assert thread.introduction == Introduction(
        workspace_ref="desktop:///p",
        codex_home_ref="file:///home/x/.codex",
        metadata={"thread_id": "t1", "cwd": "/p", "model": "m"},
    )
    assert threads.introduce({"id": "t1"}, now=2.0) is thread
