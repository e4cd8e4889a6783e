"""What has happened that a person would want to be told of, found by comparing overviews. Pure, but for the time.

The rules of Web Push (docs/protocol.md, "Notifications"): each thing once; nothing of what was so at the first look,
nor of what is older than a quarter of an hour; nothing of the worker on the screen, but a question that is still open
afterwards is told then; of one's own requests the end of a stop, and of what took long. Words: presenters/alerts.py.
Known to less than the server: a turn that others interrupted looks like one that is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from autopilot.client.overview import Overview, ReceiptKey, receipt_key
from autopilot.client.presenters import alerts as words
from autopilot.client.presenters.times import parsed, seconds_between
from autopilot.client.workers import has_ended
from autopilot.contract import Approval, Receipt, StateRecovery, WorkerSummary

AlertKind = Literal["approval", "failure", "turn", "request", "recovery"]
AGE = timedelta(minutes=15)
JUST = timedelta(seconds=60)
ANSWERED_SECONDS = 15.0
"""Who asks for something sees its end where they asked, where it comes so soon."""
REMEMBERED = 2000
BUSY = frozenset({"running", "waiting_for_approval", "waiting_for_input"})
ENDING = frozenset({"turn/interrupt", words.STOP})


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell."""

    kind: AlertKind
    title: str
    body: str
    tag: str
    """What replaces what: one for each approval and one for each worker."""
    worker_id: str | None = None
    approval_id: str | None = None
    request_id: str | None = None


class Alerts:
    """Compares each overview with what was known before."""

    def __init__(self, now: Callable[[], datetime], *, user_id: int | None = None) -> None:
        """`now`: the server's time, whose moments these are; `user_id`: whose requests and workers these are."""
        self._now = now
        self._user_id = user_id
        self._activities: dict[str, tuple[str, int]] = {}
        self._open: set[ReceiptKey] = set()
        self._told: dict[str, None] = {}
        self._is_begun = False

    def take(self, overview: Overview, *, on_screen: str | None = None) -> tuple[Alert, ...]:
        """What there is to tell; `on_screen`: the worker that is before the person's eyes."""
        if not overview.is_caught_up:
            return ()
        found = [*self._approvals(overview, on_screen), *self._turns(overview), *self._requests(overview)]
        found += self._recoveries(overview)
        is_first, self._is_begun = not self._is_begun, True
        return () if is_first else tuple(one for one in found if one.worker_id != on_screen or one.worker_id is None)

    def _approvals(self, overview: Overview, on_screen: str | None) -> Iterator[Alert]:
        for one in overview.pending:
            if one.worker_id == on_screen and self._is_begun:
                continue  # told when it is still open afterwards
            if self._once(f"approval {one.approval_id}") and self._is_mine(overview.worker(one.worker_id)):
                yield from self._fresh(one.requested_at, self._asked(overview, one))

    def _asked(self, overview: Overview, one: Approval) -> Alert:
        title = words.asks(_name(overview.worker(one.worker_id), one.worker_id))
        body, tag = words.clipped(one.title, 180), f"approval-{one.approval_id}"
        return Alert("approval", title, body, tag, one.worker_id, one.approval_id)

    def _turns(self, overview: Overview) -> Iterator[Alert]:
        before = self._activities
        self._activities = {
            one.worker_id: (one.activity.value, one.activity.seq) for one in overview.workers if one.activity
        }
        for worker in overview.workers:
            known = before.get(worker.worker_id)
            if worker.activity is None or known is None or known[1] >= worker.activity.seq:
                continue
            failed = worker.activity.value == "error" and known[0] != "error"
            done = worker.activity.value == "idle" and known[0] in BUSY
            if worker.status != "running" or not (failed or done) or not self._is_mine(worker):
                continue
            if done and self._was_ended(overview, worker.worker_id):
                continue
            name = _name(worker, worker.worker_id)
            body = (
                words.clipped(worker.preview.value if worker.preview else "", 180) if name != worker.worker_id else ""
            )
            kind: AlertKind = "failure" if failed else "turn"
            title = words.turn_ended(name, failed=failed)
            alert = Alert(kind, title, body, f"worker-{worker.worker_id}", worker.worker_id)
            yield from self._fresh(worker.updated_at, alert)

    def _was_ended(self, overview: Overview, worker_id: str) -> bool:
        """Whether somebody has just ended its turn on purpose."""
        ending = (one for one in overview.receipts if one.worker_id == worker_id and one.method in ENDING)
        return any(one.ended_at is None or self._is_within(JUST, one.ended_at) for one in ending)

    def _requests(self, overview: Overview) -> Iterator[Alert]:
        mine = [one for one in overview.receipts_of(self._user_id) if one.target == "worker"]
        before, self._open = self._open, {receipt_key(one) for one in mine if not has_ended(one)}
        for one in mine:
            if not has_ended(one) or not self._once(" ".join(receipt_key(one))):
                continue
            took = seconds_between(one.created_at, one.ended_at) or 0.0
            is_told = one.method == words.STOP or took >= ANSWERED_SECONDS
            if is_told and (receipt_key(one) in before or self._is_begun):
                yield from self._fresh(one.ended_at, self._ended(overview, one))

    def _ended(self, overview: Overview, one: Receipt) -> Alert:
        name = _name(overview.worker(one.worker_id or ""), one.worker_id or "")
        message = (one.error or {}).get("message")
        body = words.clipped(message if isinstance(message, str) else "", 180)
        title = f"{words.request_words(one.method, one.state)}: {name}"
        return Alert("request", title, body, f"worker-{one.worker_id}", one.worker_id, request_id=one.request_id)

    def _recoveries(self, overview: Overview) -> Iterator[Alert]:
        for one in overview.recoveries:
            if self._once(f"recovery {one.device_id} {one.began_at}"):
                yield self._began(one)

    def _began(self, one: StateRecovery) -> Alert:
        return Alert("recovery", words.came_in(one.device_name), "", f"recovery-{one.device_id}")

    def _fresh(self, moment: str | None, alert: Alert) -> Iterator[Alert]:
        """It, unless it is of too long ago."""
        if moment is None or self._is_within(AGE, moment):
            yield alert

    def _is_within(self, span: timedelta, moment: str) -> bool:
        when = parsed(moment)
        return when is None or self._now() - when <= span

    def _is_mine(self, worker: WorkerSummary | None) -> bool:
        """Of a team's machines only who asked for it is told, by Web Push."""
        owner = worker.owner if worker is not None else None
        return owner is None or owner.user_id is None or owner.user_id == self._user_id

    def _once(self, what: str) -> bool:
        if what in self._told:
            return False
        self._told[what] = None
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        return True


def _name(worker: WorkerSummary | None, worker_id: str) -> str:
    if worker is None:
        return worker_id
    title, preview, cwd = (fact.value if fact else None for fact in (worker.title, worker.preview, worker.cwd))
    return words.name(title, preview, cwd, worker_id)
