"""Who is to look again: principals whose workers, machines or receipts have changed.

Owns the listeners of this process; hears of commits here and, through tail_wakeups, elsewhere. A notice says whose and
which worker (or: look at everything), never what: the listener reads the state, and what it reads decides.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from autopilot.contract.port import Claims
from autopilot.runtime import permissions
from autopilot.runtime.ledger import LedgerTx
from autopilot.runtime.ledger_rows import Worker
from autopilot.runtime.machines import Machine
from autopilot.runtime.permissions import Owned
from autopilot.runtime.requests_wakes import wakes_of
from autopilot.runtime.tail_wakeups import Wakeups

TOPIC = "principal"
TEAM = "team:"
"""What the keys of teams begin with."""
NO_WORKER = 0
EVERYTHING = -1


class Listener:
    """One stream's ear: `event` is set when there is something to look at."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.keys: set[str] = set()
        """What it listens for."""
        self.workers: set[int] = set()
        """worker_nos that have changed since they were last taken."""
        self.changed = False
        """Whether anything has, workers or not."""
        self.everything = False
        """Whether it is better to look at everything."""

    def hear(self, number: int) -> None:
        """Take a notice of a worker, of `NO_WORKER`, or of `EVERYTHING`."""
        if number > NO_WORKER:
            self.workers.add(number)
        self.everything = self.everything or number == EVERYTHING
        self.changed = True
        self.event.set()

    def take(self) -> list[int]:
        """The changed workers; they count as seen."""
        taken = sorted(self.workers)
        self.workers.clear()
        self.changed = self.everything = False
        return taken


class Notices:
    """Tells listeners by key: a principal, or a machine of theirs."""

    def __init__(self, wakeups: Wakeups) -> None:
        self.stopping = False
        self._wakeups = wakeups
        self._listeners: dict[str, set[Listener]] = {}
        wakeups.subscribe(TOPIC, self._hear)

    @contextlib.contextmanager
    def listen(self, keys: Iterable[str]) -> Iterator[Listener]:
        """A listener for these keys, and for those it attends to later."""
        listener = Listener()
        try:
            self.attend(listener, keys)
            yield listener
        finally:
            for key in listener.keys:
                self._listeners[key].discard(listener)
                if not self._listeners[key]:
                    del self._listeners[key]

    def attend(self, listener: Listener, keys: Iterable[str]) -> bool:
        """Let it hear of these too; whether any is new to it: what happened before was not heard."""
        new = set(keys) - listener.keys
        for key in new:
            self._listeners.setdefault(key, set()).add(listener)
        listener.keys |= new
        return bool(new)

    def committed(self, tx: LedgerTx) -> None:
        """Call after each commit."""
        wakes = wakes_of(tx)
        for worker in ({span.worker.worker_no: span.worker for span in tx.spans} | wakes.workers).values():
            for key in keys_of(worker):
                self._tell(key, worker)
        for kind, target_id, _ in wakes.receipts:
            if kind == "machine":
                self._tell(machine_key(target_id), None)
        for key in {*map(team_key, tx.teams_moved), *(key for one in tx.machines_moved for key in keys_of(one))}:
            self._tell_all(key)

    def machine_changed(self, machine: Machine) -> None:
        """Call after a machine registered, or is not what it was."""
        for key in keys_of(machine):
            self._tell_all(key)

    def sharing_changed(self) -> None:
        """Call when something is shared otherwise: streams that show a team's look at all, whatever they heard."""
        for listener in {one for key, ones in self._listeners.items() if key.startswith(TEAM) for one in ones}:
            listener.hear(EVERYTHING)

    def stop(self) -> None:
        """Let every stream end."""
        self.stopping = True
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.event.set()

    def _tell_all(self, key: str) -> None:
        self._note(key, EVERYTHING)
        self._wakeups.announce(TOPIC, f"{key} {EVERYTHING}", 0)

    def _tell(self, key: str, worker: Worker | None) -> None:
        number = NO_WORKER if worker is None else worker.worker_no
        self._note(key, number)
        self._wakeups.announce(TOPIC, f"{key} {number}", 0)

    def _hear(self, announced: str, _seq: int) -> None:
        key, _, number = announced.partition(" ")
        self._note(key, int(number))

    def _note(self, key: str, number: int) -> None:
        for listener in self._listeners.get(key, ()):
            listener.hear(number)


def principal_keys(claims: Claims) -> list[str]:
    """The keys of whoever asks: one's own, and those of one's teams; for a guest that of their host."""
    if claims.shown is not None:
        return [owner_key(claims.shown_by, claims.guest_scope)]
    return [owner_key(claims.user_id, claims.guest_scope), *map(team_key, permissions.teams_of(claims))]


def keys_of(owned: Owned) -> list[str]:
    """Who is to hear of this worker or machine: its owner, and the team that shares it."""
    own = owner_key(owned.owner_user_id, owned.owner_guest_scope)
    return [own] if owned.team_id is None else [own, team_key(owned.team_id)]


def team_key(team_id: str) -> str:
    """The key of a team."""
    return f"{TEAM}{quote(team_id, safe='')}"


def owner_key(user_id: int | None, guest_scope: str | None) -> str:
    """The key of an owner; without spaces or line ends, whatever a guest's scope holds."""
    return f"user:{user_id}" if user_id is not None else f"guest:{quote(guest_scope or '', safe='')}"


def machine_key(machine_id: str) -> str:
    """The key of a machine."""
    return f"machine:{quote(machine_id, safe='')}"
