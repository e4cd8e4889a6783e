"""A search of one's workers, as one types: at once among those that are known, then among all, by the server.

Owns what is asked for and what of it was found; a screen draws `found`. What the server says comes a moment after the
last key, and is dropped where something else was asked for meanwhile. A failure leaves what was found here. Never
judges by itself what the server would find: among the known ones it looks for the same words in the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.presenters import standing
from autopilot.contract import WorkerSummary
from autopilot.contract.errors import AutopilotError
from autopilot.contract.worker_search import MOST_CHARACTERS, words_of

PAUSE_SECONDS = 0.3
"""After the last key."""
MOST_PAGES = 5
"""A page of a search may have few, or none, and go on."""
ENOUGH = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; empty: any."""

    words: str = ""
    state: str = ""
    """A status or an activity, in a word of the contract."""
    machine_id: str = ""
    backend: str = ""

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Wanted()


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of it."""

    wanted: Wanted = Wanted()
    workers: tuple[WorkerSummary, ...] = ()
    """Newest activity first; beyond those that are known anyway."""
    state: Literal["known", "asking", "all", "some", "failed"] = "known"
    """
    known   among those that are known only
    asking  the server is being asked
    all     these are all
    some    there are more
    failed  the server could not be asked (`error`)
    """
    error: AutopilotError | None = None


class WorkerSearch:
    """One search; the last thing asked for counts."""

    def __init__(self, client: RuntimeCodexClient, changed: Callable[[], None]) -> None:
        self._client = client
        self._changed = changed
        self.found = Found()

    async def ask(self, wanted: Wanted) -> None:
        """Look for this. Never raises for what a server says: `found.error` has it."""
        self.found = Found(wanted=wanted, state="known" if wanted.is_all else "asking")
        self._changed()
        if wanted.is_all:
            return
        await self._client.clock.sleep(PAUSE_SECONDS)
        asked = standing.wanted(wanted.state)
        workers: list[WorkerSummary] = []
        before: str | None = None
        for _page in range(MOST_PAGES):
            if self.found.wanted != wanted:
                return
            try:
                page = await self._client.list_workers(
                    status=asked.get("status"),
                    activity=asked.get("activity"),
                    search=wanted.words.strip()[:MOST_CHARACTERS] or None,
                    machine_id=wanted.machine_id or None,
                    backend=wanted.backend or None,
                    before=before,
                )
            except AutopilotError as error:
                self._became(wanted, replace(self.found, state="failed", error=error))
                return
            workers += page.workers
            before = page.next
            if before is None or len(workers) >= ENOUGH:
                break
        self._became(wanted, Found(wanted, tuple(workers), "all" if before is None else "some"))

    def among(self, known: Sequence[WorkerSummary]) -> tuple[WorkerSummary, ...]:
        """What is found among these and at the server, newest activity first; of one known to both, the newer."""
        wanted = self.found.wanted
        rows = {worker.worker_id: worker for worker in self.found.workers}
        for worker in known:
            if worker.worker_id in rows or fits(worker, wanted):
                rows[worker.worker_id] = worker
        return tuple(sorted(rows.values(), key=lambda worker: worker.updated_at, reverse=True))

    def _became(self, wanted: Wanted, found: Found) -> None:
        if self.found.wanted == wanted:
            self.found = found
            self._changed()


def fits(worker: WorkerSummary, wanted: Wanted) -> bool:
    """Whether a worker that is known is what is asked for, as the server would say."""
    text = standing.searched(worker)
    machine_id = worker.machine.machine_id if worker.machine else ""
    backend = worker.backend.kind if worker.backend else ""
    return (
        all(word in text for word in words_of(wanted.words[:MOST_CHARACTERS]))
        and wanted.state in ("", standing.activity(worker)[0])
        and wanted.machine_id in ("", machine_id)
        and wanted.backend in ("", backend)
    )
