"""Looking for one request in the ledger, with a bound on what is read of it.

A request id leads to its receipt by itself, and the receipt says where in the log the request stands. An
`x-request-id` leads there through this machine's logs; without them the newest events of the most recent workers are
looked through, and what was looked through is said. Relies on the public API alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from autopilot.cli import hops
from autopilot.client import RuntimeCodexClient
from autopilot.contract import Envelope, Receipt
from autopilot.contract.errors import NotFound

WORKERS_LOOKED_AT = 50
PAGE = 500
NEWEST = 200
"""Events of each worker that are looked through where nothing says which worker it is."""
PAGES_LOOKED_AT = 20
"""Of one worker: after its receipt's place in the log, or back from its end where it was named."""
LAST_WORDS = frozenset({"worker.response", "worker.error"})


@dataclass(slots=True)
class Trail:
    """What is known of a request."""

    client: RuntimeCodexClient
    ids: set[str]
    """Its request id and the `x-request-id`s it went under, as they become known."""
    receipts: list[Receipt] = field(default_factory=list)
    events: list[Envelope] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    """Where it was looked for, in words."""

    async def search(self, worker: str | None) -> None:
        """Fill in what the ledger knows, of `worker` only where it is named."""
        workers = [worker] if worker else await self._recent_workers()
        for worker_id in workers:
            if await self._receipt_of(worker_id):
                return
        self.looked_at.append(f"the receipts of {_counted(workers, 'worker')}")
        if not worker and await self._receipt_of_machine():
            return
        for worker_id in workers:
            if await self._newest_events_of(worker_id, PAGES_LOOKED_AT if worker else 1, PAGE if worker else NEWEST):
                await self._receipt_of(worker_id)
                return
        newest = PAGES_LOOKED_AT * PAGE if worker else NEWEST
        self.looked_at.append(
            f"the newest {newest} events of each worker" if not worker else f"its newest {newest} events"
        )

    async def _recent_workers(self) -> Sequence[str]:
        return [found.worker_id for found in (await self.client.list_workers(limit=WORKERS_LOOKED_AT)).workers]

    async def _receipt_of(self, worker_id: str) -> bool:
        """Whether a request of that worker has one of the names; its part of the log is read then."""
        for request_id in sorted(self.ids):
            with contextlib.suppress(NotFound):
                receipt = await self.client.receipt(worker_id, request_id)
                self._note(receipt)
                await self._events_of(worker_id, receipt)
                return True
        return False

    async def _receipt_of_machine(self) -> bool:
        machines = await self.client.machines()
        for machine in machines:
            for request_id in sorted(self.ids):
                with contextlib.suppress(NotFound):
                    self._note(await self.client.machine_receipt(machine.machine_id, request_id))
                    return True
        self.looked_at.append(f"the receipts of {_counted(machines, 'machine')}")
        return False

    async def _events_of(self, worker_id: str, receipt: Receipt) -> None:
        """The events of a request from where it was accepted to its last word."""
        if receipt.accepted_seq is None:
            return
        after = receipt.accepted_seq - 1
        for _ in range(PAGES_LOOKED_AT):
            page = await self.client.events(worker_id, after=after, limit=PAGE)
            found = self._named(page)
            self.events = [*(known for known in self.events if known.seq <= after), *found]
            if not page or any(event.eventType in LAST_WORDS for event in found) or _is_past(page[-1], receipt):
                return
            after = page[-1].seq

    async def _newest_events_of(self, worker_id: str, pages: int, size: int) -> bool:
        """Whether any of a worker's newest events has one of the names; the ids that it leads to are known then."""
        before: int | None = None
        for _ in range(pages):
            page = await self.client.events(worker_id, before=before, limit=size)
            if found := self._named(page):
                self.events = found
                named = (event.payload.get("request_id") for event in found)
                self.ids.update(name for name in named if isinstance(name, str))
                return True
            if not page or page[0].seq <= 1:
                return False
            before = page[0].seq
        return False

    def _named(self, page: list[Envelope]) -> list[Envelope]:
        ids = frozenset(self.ids)
        return [event for event in page if any(hops.of_ledger([event], ids))]

    def _note(self, receipt: Receipt) -> None:
        self.receipts.append(receipt)
        self.ids.update(name for name in (receipt.request_id, receipt.x_request_id) if name)


def _is_past(event: Envelope, receipt: Receipt) -> bool:
    """Whether the log has gone on beyond the request's end: both times are the server's, of one form."""
    return receipt.ended_at is not None and event.occurredAt > receipt.ended_at


def _counted(found: Sequence[object], what: str) -> str:
    return f"{len(found)} {what}{'' if len(found) == 1 else 's'}"
