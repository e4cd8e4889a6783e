"""What is known of everything: true after any cuts, and never of something that is over."""

from __future__ import annotations

import random

import pytest

from autopilot.client.overview import Overview, OverviewFold, OverviewLimits
from autopilot.contract import Approval, Receipt, StateGone, StreamCaughtUp, StreamOpen
from autopilot.testing.principal import Principal, every_state

OPEN, DONE = StreamOpen(latest_seq=0, oldest_seq=0), StreamCaughtUp(complete=True)


def fresh(principal: Principal) -> OverviewFold:
    """One who opens the stream now, for the first time."""
    fold = OverviewFold()
    for entry in principal.opening():
        fold.take(entry)
    return fold


def settle_all(fold: OverviewFold, principal: Principal) -> None:
    for key in fold.unsettled:
        found = principal.approvals.get(key) if isinstance(key, str) else principal.receipts.get(key)
        fold.settle(key, found, fold.now)


def open_part(overview: Overview) -> tuple:
    return overview.workers, overview.machines, overview.approvals, overview.open_receipts, overview.recoveries


class Reader:
    """One who follows a principal over connections that break, with answers to questions that come late."""

    def __init__(self, principal: Principal, rng: random.Random, *, begins: bool) -> None:
        self.fold = OverviewFold()
        self.principal = principal
        self.shown: list[Overview] = []
        self._rng = rng
        self._begins = begins
        self._place = 0
        self._ahead: list = []
        self._answers: list = []

    def reopen(self) -> None:
        if self._begins:
            self.fold.begin()
        self._ahead = self.principal.opening()
        self._place = len(self.principal.changes)

    def read(self, most: int) -> None:
        """Some of what the stream has."""
        for _ in range(most):
            if self._ahead:
                self._take(self._ahead.pop(0))
            elif self._place < len(self.principal.changes):
                self._place += 1
                self._take(self.principal.changes[self._place - 1])

    def look(self) -> None:
        """Ask for the lists: they are read now, and the answers come some time."""
        principal, asked = self.principal, self.fold.now
        workers = sorted(principal.workers.values(), key=lambda one: one.updated_at, reverse=True)
        going = [one for one in principal.approvals.values() if one.ended_at is None]
        going.sort(key=lambda one: one.requested_at)
        size = self._rng.choice((3, 100))
        machines = tuple(principal.machines.values())
        self._answers += [
            lambda: self.fold.merge_workers(workers[:size], asked, is_last=size >= len(workers)),
            lambda: self.fold.merge_machines(machines, asked),
            lambda: self.fold.merge_approvals(going[:size], asked, is_last=size >= len(going)),
        ]
        self._answers = self._answers[-12:]

    def hear(self) -> None:
        """One of the answers comes, in any order."""
        if self._answers:
            self._answers.pop(self._rng.randrange(len(self._answers)))()
            self.shown.append(self.fold.overview)

    def _take(self, entry) -> None:
        self.fold.take(entry)
        self.shown.append(self.fold.overview)


@pytest.mark.seeds(60, 3000)
@pytest.mark.parametrize("begins", [True, False])
def test_after_any_cuts_and_late_answers_it_equals_a_fresh_one_and_all_it_showed_was_true(seed, begins):
    rng = random.Random(seed)
    principal = Principal()
    reader = Reader(principal, rng, begins=begins)
    reader.reopen()
    for _ in range(400):
        step = rng.random()
        if step < 0.5:
            principal.happen(rng)
        elif step < 0.9:
            reader.read(rng.randrange(12))
        elif step < 0.93:
            reader.reopen()
        elif step < 0.96 and begins:
            reader.look()
        elif step < 0.99:
            reader.hear()
        else:
            settle_all(reader.fold, principal)
    reader.reopen()
    reader.read(10_000)
    settle_all(reader.fold, principal)

    expected, known = fresh(principal).overview, reader.fold.overview
    assert open_part(known) == open_part(expected)
    ended, expected_ended = ({one.approval_id for one in each.ended_approvals} for each in (known, expected))
    assert ended >= expected_ended
    assert {one.request_id for one in known.receipts} >= {one.request_id for one in expected.receipts}
    assert (known.is_caught_up, known.is_whole, known.unsettled) == (True, True, frozenset())
    seqs: dict[str, int] = {}
    for overview in reader.shown:
        for name, state in every_state(overview):
            assert state in principal.history[name], "a state that never was"
        for worker in overview.workers:
            assert worker.latest_seq >= seqs.get(worker.worker_id, 0), "an older state over a newer one"
            seqs[worker.worker_id] = worker.latest_seq
        seqs = {worker_id: seq for worker_id, seq in seqs.items() if overview.worker(worker_id)}


def test_while_an_opening_is_told_nothing_vanishes_and_afterwards_nothing_gone_stays():
    principal = Principal()
    for name in ("a", "b", "c"):
        principal.work(name)
    fold = fresh(principal)
    principal.lose("worker", "b")
    first, *rest = principal.opening()

    fold.take(first)
    assert [one.worker_id for one in fold.overview.workers] == ["c", "b", "a"]
    assert not fold.overview.is_caught_up
    for entry in rest:
        fold.take(entry)
    assert [one.worker_id for one in fold.overview.workers] == ["c", "a"]
    assert fold.overview.gone == (StateGone(kind="worker", id="b"),)


def test_what_belongs_to_a_worker_that_is_gone_goes_with_it():
    principal = Principal()
    principal.work("w")
    principal.ask("ap", "w")
    principal.request("w", "r")
    fold = fresh(principal)
    fold.take(StateGone(kind="worker", id="w"))

    overview = fold.overview
    assert (overview.workers, overview.approvals, overview.receipts) == ((), (), ())


def test_what_was_open_and_is_not_named_is_neither_pending_nor_forgotten_until_it_was_asked_for():
    principal = Principal()
    principal.work("w")
    asked = principal.ask("ap", "w")
    made = principal.request("w", "r")
    fold = fresh(principal)
    for entry in (OPEN, principal.workers["w"], DONE):
        fold.take(entry)

    assert fold.overview.approvals == (asked,)
    assert (fold.overview.pending, fold.pending_count, fold.overview.open_receipts) == ((), 0, ())
    assert fold.overview.unsettled == {"ap", "r"}
    fold.settle("ap", principal.answer("ap", "applied"), fold.now)
    fold.settle(("worker", "w", "r"), principal.move(("worker", "w", "r"), "completed"), fold.now)
    assert [one.state for one in fold.overview.ended_approvals] == ["applied"]
    assert [(one.request_id, one.state) for one in fold.overview.receipts] == [(made.request_id, "completed")]
    assert fold.overview.unsettled == frozenset()


def test_a_page_that_comes_late_overwrites_nothing_newer():
    principal = Principal()
    old = [principal.work("w")]
    fold = fresh(principal)
    asked = fold.now
    newer = principal.work("w")
    fold.take(newer)

    assert not fold.merge_workers(old, asked, is_last=True)
    assert fold.overview.workers == (newer,)


def test_a_page_asked_for_later_counts_also_where_the_log_was_taken_back():
    principal = Principal()
    early = principal.work("w")
    principal.work("w")
    fold = fresh(principal)

    assert fold.merge_workers([early], fold.now, is_last=True)
    assert fold.overview.workers == (early,)


def test_who_would_stand_on_a_page_and_does_not_is_gone():
    principal = Principal()
    for name in ("a", "b", "c"):
        principal.work(name)
    fold = fresh(principal)
    fold.merge_workers([principal.workers["c"]], fold.now, is_last=False)
    assert [one.worker_id for one in fold.overview.workers] == ["c", "b", "a"]
    fold.merge_workers([principal.workers["c"], principal.workers["a"]], fold.now, is_last=False)
    assert [one.worker_id for one in fold.overview.workers] == ["c", "a"]


def test_what_an_earlier_run_knew_is_shown_until_all_is_told():
    principal = Principal()
    principal.work("a")
    known = fresh(principal).overview
    fold = OverviewFold(known=known)
    assert (fold.overview.workers, fold.overview.is_known) == (known.workers, False)
    principal.lose("worker", "a")
    principal.work("b")
    for entry in principal.opening():
        fold.take(entry)
    assert [one.worker_id for one in fold.overview.workers] == ["b"]


def test_of_everything_there_is_a_bound_and_what_is_open_is_kept_first():
    principal = Principal()
    for number in range(30):
        principal.work(f"w{number}")
        principal.ask(f"ap{number}", "w0")
        principal.request("w0", f"r{number}")
        if number % 3:
            principal.answer(f"ap{number}", "applied")
            principal.move(("worker", "w0", f"r{number}"), "completed")
    fold = OverviewFold(OverviewLimits(workers=5, approvals=12, receipts=11, gone=3))
    for entry in principal.opening():
        fold.take(entry)
    for number in range(10):
        fold.take(StateGone(kind="machine", id=f"m{number}"))

    overview = fold.overview
    assert [one.worker_id for one in overview.workers] == ["w29", "w28", "w27", "w26", "w25"]
    assert (len(overview.approvals), len(overview.ended_approvals)) == (10, 2)
    assert (len(overview.open_receipts), len(overview.receipts)) == (10, 11)
    assert [one.id for one in overview.gone] == ["m7", "m8", "m9"]


def test_what_nobody_asks_for_does_not_pile_up():
    fold, principal = OverviewFold(OverviewLimits(approvals=5)), Principal()
    principal.work("w")
    for number in range(30):
        asked = principal.ask(f"ap{number}", "w")
        for entry in (OPEN, principal.workers["w"], asked, DONE):
            fold.take(entry)
    assert len(fold.unsettled) <= 5
    assert fold.pending_count == 1


def test_states_that_come_twice_or_in_another_order_change_nothing_for_the_worse():
    principal = Principal()
    early, late = principal.work("w"), principal.work("w")
    begun = principal.request("w", "r")
    ended = principal.move(("worker", "w", "r"), "completed")
    closed = principal.answer(principal.ask("ap", "w").approval_id, "closed")
    fold = OverviewFold()
    asked = principal.history["ap"][0]
    for entry in (OPEN, DONE, late, early, early, ended, begun, closed, asked, late):
        fold.take(entry)

    overview = fold.overview
    assert (overview.workers, overview.receipts, overview.ended_approvals) == ((late,), (ended,), (closed,))
    assert isinstance(begun, Receipt)
    assert isinstance(asked, Approval)
