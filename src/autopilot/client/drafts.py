"""What was typed on this device and not sent yet, and what was sent by hand lately: in memory, for one session.

Never on disk: it is as secret as what it becomes.
"""

from __future__ import annotations

RECENT = 8
LONGEST = 200_000
"""Characters of one that is kept."""


class Drafts:
    """For whoever is signed in."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._written: dict[str, tuple[str, str]] = {}
        self._requests: list[tuple[str, str]] = []

    @property
    def requests(self) -> tuple[tuple[str, str], ...]:
        """Method and params of requests that were written by hand, the last first."""
        return tuple(self._requests)

    def words(self, worker_id: str) -> str:
        """What was being written to a worker; empty for nothing."""
        return self._words.get(worker_id, "")

    def write(self, worker_id: str, text: str) -> None:
        """This is being written to a worker."""
        if text:
            self._words[worker_id] = text[:LONGEST]
        else:
            self._words.pop(worker_id, None)

    def written(self, worker_id: str) -> tuple[str, str] | None:
        """Method and params of the request that is being written to a worker by hand; None: no one is."""
        return self._written.get(worker_id)

    def write_request(self, worker_id: str, method: str, params: str) -> None:
        """This request is being written to a worker by hand; no params: no more."""
        if params:
            self._written[worker_id] = (method, params[:LONGEST])
        else:
            self._written.pop(worker_id, None)

    def sent(self, method: str, params: str) -> None:
        """A request was written by hand and sent."""
        one = (method, params)
        self._requests = [one, *(other for other in self._requests if other != one)][:RECENT]

    def forget(self) -> None:
        """Somebody else may sign in."""
        self._words.clear()
        self._written.clear()
        self._requests.clear()
