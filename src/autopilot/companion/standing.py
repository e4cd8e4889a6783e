"""How this companion stands: which Codex it works on, and what others own. Said to the runtime, and kept in a file.

Owns `companion/status.json`, which `autopilot doctor` reads without asking anybody, and the machine's facts
`desktop/codex`, `desktop/codex_drift` and `desktop/owners`. Derived whenever it is woken; says what has changed, and
nothing twice.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec

from autopilot.companion import whole_file
from autopilot.companion.codex import translate
from autopilot.companion.codex.process import start_time
from autopilot.companion.codex.supervisor import Codex
from autopilot.companion.facts import MachineFacts
from autopilot.companion.gate import DriftStanding, Gate
from autopilot.companion.leases import Leases
from autopilot.companion.threads import Threads
from autopilot.ops.clock import Clock

CODEX, DRIFT, OWNERS = "desktop/codex", "desktop/codex_drift", "desktop/owners"
NAMED = 20
"""So many workers are named; of more, only how many there are."""
FILE = "status.json"


class CodexStanding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which Codex the companion works on."""

    message: str
    """In words."""
    server: str
    """`own`, `shared` (the user's daemon) or `none`."""
    version: str | None = None
    since: str | None = None
    """When this connection began, by the machine's clock."""
    unresponsive_since: str | None = None
    """Since when it has answered nothing, by the machine's clock; None: it answers."""
    drift: str | None = None
    """The verdict on its protocol (`DriftStanding`)."""


class SpokenFor(msgspec.Struct, frozen=True):
    """A worker for which another machine's companion speaks."""

    worker_id: str
    machine_id: str
    since: str


class OwnersStanding(msgspec.Struct, frozen=True):
    """What others own of the threads that the companion knows."""

    message: str
    held_by_machines: list[SpokenFor] = []
    held_by_programs: list[str] = []
    """Workers whose thread another program on this computer writes."""


class Status(msgspec.Struct, frozen=True):
    """The file."""

    pid: int
    started: str
    """The operating system's start time of that pid: tells the companion from a later process."""
    codex: CodexStanding
    owners: OwnersStanding
    drift: DriftStanding | None = None
    """Of the Codex that it works on, or would start."""

    @property
    def is_alive(self) -> bool:
        """Whether the companion that wrote this still runs."""
        return start_time(self.pid) == self.started


class Standing:
    """Keep `run` running, and `wake` it when something of this may have changed."""

    def __init__(
        self,
        data: Path,
        *,
        codex: Codex,
        gate: Gate,
        threads: Threads,
        leases: Leases,
        facts: MachineFacts,
        clock: Clock,
    ) -> None:
        self._path = data / FILE
        self._codex = codex
        self._gate = gate
        self._threads = threads
        self._leases = leases
        self._facts = facts
        self._clock = clock
        self._woken = asyncio.Event()
        self._since: dict[str, str] = {}
        self._said: dict[str, Any] = {}

    def wake(self) -> None:
        """Something may have changed."""
        self._woken.set()

    async def run(self) -> None:
        """Say what has changed, forever."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            if (session := self._codex.session) is not None:
                await self._gate.of(session.connection.version)
            codex, drift, owners = self.codex(), self.drift(), self.owners()
            now = {CODEX: codex, DRIFT: drift, OWNERS: owners}
            new = {method: told for method, told in now.items() if self._said.get(method) != told}
            for method, told in new.items():
                self._facts.say(method, msgspec.to_builtins(told), self._clock.now())
            if new:
                pid = os.getpid()
                status = Status(pid, start_time(pid) or "", codex, owners, drift)
                try:
                    await asyncio.to_thread(whole_file.replace, self._path, msgspec.json.encode(status))
                except OSError:
                    self._woken.set()  # it is not said yet: whoever supervises this begins again
                    raise
                self._said |= new

    def codex(self) -> CodexStanding:
        """As it is now."""
        session = self._codex.session
        if session is None:
            return CodexStanding(self._codex.trouble or "not connected to a Codex", "none")
        version = session.connection.version
        began = self._since.get(session.incarnation) or translate.timestamp(self._clock.now())
        self._since = {session.incarnation: began}
        where = "the user's shared daemon" if session.shared else "an app-server of the companion's own"
        silent = self._codex.liveness.unresponsive_since
        silent_since = None if silent is None else translate.timestamp(silent)
        how = "" if silent_since is None else f": it has answered nothing since {silent_since}"
        return CodexStanding(
            f"Codex {version}, on {where}{how}",
            "shared" if session.shared else "own",
            version=version,
            since=began,
            unresponsive_since=silent_since,
            drift=self._gate.standing(version).verdict,
        )

    def drift(self) -> DriftStanding:
        """What became of the protocol of the Codex that we work on, or else of the one that we would start."""
        session = self._codex.session
        return self._gate.standing(self._gate.binary.version if session is None else session.connection.version)

    def owners(self) -> OwnersStanding:
        """As it is now."""
        machines = [SpokenFor(one, who.machine_id, who.since) for one, who in sorted(self._leases.elsewhere.items())]
        programs = sorted(one.worker_id for one in self._threads if one.elsewhere and one.is_open)
        words = [
            *([f"{len(programs)} held by other programs on this computer"] if programs else []),
            *(f"{one.worker_id} by {one.machine_id} since {one.since}" for one in machines[:NAMED]),
        ]
        message = f"threads of others: {'; '.join(words)}" if words else "no thread is held by others"
        return OwnersStanding(message, machines[:NAMED], programs[:NAMED])


def read(data: Path) -> Status | None:
    """What the companion of this folder said last; None: nothing, or nothing that can be read."""
    try:
        return msgspec.json.decode((data / FILE).read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError):
        return None
