"""Refusals for the audit: who was refused what, and why; equal ones are counted and told as one.

Owns the tallies of the last ten minutes, in this process, and writes them down: the first of a kind within seconds,
the others as one line with their number when its ten minutes are over, or when the process ends. A call never waits
for that: noting is a look into a dict. Bounded, whatever comes: kinds beyond their number are counted together, apart
for those who have a token and for those who have none, so that nobody's flood hides a user's refusals. What is an
event of a worker's log (`policy_denied.*`) or a line of its own (signatures, codes, pairings) is not told again.
Source: docs/decisions/0014-one-audit.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

import asyncpg
from starlette.types import Scope

from autopilot.api import audit
from autopilot.api.address import Addresses
from autopilot.api.audit import NOBODY, Actor, Caller
from autopilot.api.grants import Grant
from autopilot.contract.errors import AutopilotError, from_response
from autopilot.db.away import AWAY
from autopilot.db.queries import load
from autopilot.ops.clock import Clock

SQL = load("autopilot.api", "refusals")

WINDOW_SECONDS = 600.0
INTERVAL_SECONDS = 2.0
LAST_SECONDS = 1.0
"""How long the end of the process may take to write down what is left."""
KINDS_OF_PRINCIPALS = 500
KINDS_OF_ADDRESSES = 100
ENDED_TOKENS = 200
"""Tokens that speak for nobody, of which is asked within one interval whose they were."""
MANY = "many"
"""In the place of an address: kinds that found no room of their own."""
STATUSES = frozenset({401, 403, 429})
ALSO = frozenset({"unknown_host"})
ELSEWHERE = ("policy_denied", "signature_")
"""What begins so has its line already."""
_ID = re.compile(r"[A-Za-z0-9._:~-]{1,160}")


@dataclass(frozen=True, slots=True)
class Kind:
    """What makes two refusals equal."""

    actor: Actor
    address: str | None
    """Of who has no token; a principal is the same wherever they call from."""
    status: int
    reason_code: str
    method: str
    path: str
    """As the table of routes has it."""


@dataclass(slots=True)
class _Tally:
    caller: Caller
    subject: str | None
    began: float
    count: int = 0
    told: int = 0
    others: bool = False
    """Not all were about `subject`."""


@dataclass(slots=True)
class _Ended:
    """A refusal of a token that speaks for nobody, until it is known whose it was."""

    kind: Kind
    caller: Caller
    subject: str | None
    count: int = 0


@dataclass(slots=True)
class Refusals:
    """Keep `run` running."""

    pool: asyncpg.Pool
    addresses: Addresses
    clock: Clock
    _tallies: dict[Kind, _Tally] = field(default_factory=dict)
    _ended: dict[bytes, _Ended] = field(default_factory=dict)
    _of_principals: int = 0

    def refused(self, scope: Scope, problem: AutopilotError) -> None:
        """A call was answered with this."""
        status, reason = problem.status or 0, problem.reason_code or ""
        if (status not in STATUSES and reason not in ALSO) or reason.startswith(ELSEWHERE):
            return
        state: Mapping[str, Any] = scope["state"]
        grant: Grant | None = state.get("grant")
        actor = NOBODY if grant is None else Actor.of(grant.claims)
        address = self.addresses.of(scope.get("client"), scope["headers"])
        surface = "sdk" if grant is None else grant.claims.surface
        caller = Caller(address, surface, state.get("x_request_id"))
        path = getattr(scope.get("route"), "path", "")
        kind = Kind(actor, address if actor == NOBODY else None, status, reason, scope["method"], path)
        subject = _subject(path, scope["raw_path"])
        digest: bytes | None = state.get("refused_token")
        if digest is not None:
            ended = self._ended.get(digest)
            if ended is None and len(self._ended) < ENDED_TOKENS:
                ended = self._ended[digest] = _Ended(kind, caller, subject)
            if ended is not None:
                ended.count += 1
        if status != 401 or grant is not None:  # noqa: PLR2004 - the status itself
            self._count(kind, caller, subject)

    def answered(self, scope: Scope, status: int, body: bytes) -> None:
        """The runtime's answer to a call; what is no refusal costs one comparison."""
        if status in STATUSES:
            self.refused(scope, from_response(status, json.loads(body)))

    async def run(self) -> None:
        """Write down what there is, every two seconds, until cancelled; then what is left."""
        try:
            while True:
                await self.clock.sleep(INTERVAL_SECONDS)
                await self.tell()
        except asyncio.CancelledError:
            with contextlib.suppress(*AWAY, TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):
                    await self.tell(everything=True)
            raise

    async def tell(self, *, everything: bool = False) -> None:
        """Write down kinds that are new, and the rest of those whose time is over; `everything`: of all."""
        await self._find_ended()
        now = self.clock.monotonic()
        over = {kind for kind, tally in self._tallies.items() if everything or now - tally.began >= WINDOW_SECONDS}
        due = [
            (kind, tally, tally.count)
            for kind, tally in self._tallies.items()
            if tally.count > tally.told and (kind in over or not tally.told)
        ]
        if due:
            async with self.pool.acquire() as connection, connection.transaction():
                for kind, tally, count in due:
                    await _write(connection, kind, tally, count - tally.told)
        for _, tally, count in due:
            tally.told = count
        for kind in over:
            if self._tallies[kind].told == self._tallies[kind].count:
                self._forget(kind)

    async def _find_ended(self) -> None:
        """Count who goes on with a token of a session that was ended; one that only ran out is nobody's fault."""
        if not self._ended:
            return
        counts = {digest: found.count for digest, found in self._ended.items()}
        rows = await self.pool.fetch(
            SQL.ended, list(counts)
        )  # what comes meanwhile, or where this fails, is asked next
        ended = {digest: self._ended[digest] for digest in counts}
        for digest, count in counts.items():
            self._ended[digest].count -= count
            if not self._ended[digest].count:
                del self._ended[digest]
        for row in rows:
            found, count = ended[row["token_digest"]], counts[row["token_digest"]]
            names = ("user_id", "device_id", "session_id", "machine_id")
            actor = Actor(**{name: row[name] for name in names})
            caller = replace(found.caller, surface=row["surface"])
            self._count(replace(found.kind, actor=actor, address=None), caller, found.subject, count)

    def _count(self, kind: Kind, caller: Caller, subject: str | None, times: int = 1) -> None:
        tally = self._tallies.get(kind)
        if tally is None:
            of_principal = kind.actor != NOBODY
            taken = self._of_principals if of_principal else len(self._tallies) - self._of_principals
            if taken >= (KINDS_OF_PRINCIPALS if of_principal else KINDS_OF_ADDRESSES):
                kind, caller, subject = _many(kind), Caller(MANY, caller.surface), None
                tally = self._tallies.get(kind)
        if tally is None:
            tally = self._tallies[kind] = _Tally(caller, subject, self.clock.monotonic())
            self._of_principals += kind.actor != NOBODY
        tally.count += times
        tally.others = tally.others or subject != tally.subject

    def _forget(self, kind: Kind) -> None:
        del self._tallies[kind]
        self._of_principals -= kind.actor != NOBODY


def _many(kind: Kind) -> Kind:
    """Where kinds go that find no room: as many as there are reasons, twice."""
    of = "principals" if kind.actor != NOBODY else "addresses"
    return Kind(NOBODY, MANY, kind.status, kind.reason_code, "", of)


async def _write(connection: Any, kind: Kind, tally: _Tally, times: int) -> None:
    detail = {"reason_code": kind.reason_code, "status": kind.status, "method": kind.method, "path": kind.path}
    detail |= {"times": times} | ({"others": True} if tally.others else {})
    await audit.record(
        connection,
        "call_refused",
        tally.caller,
        actor=kind.actor,
        outcome="refused",
        subject=tally.subject,
        detail=detail,
    )


def _subject(path: str, raw_path: bytes) -> str | None:
    """The first thing that a call names, as `worker:<id>`; nothing where that is no id."""
    names = path.split("/")
    for name, part in zip(names, raw_path.decode("latin-1").split("/")[-len(names) :], strict=False):
        if name.startswith("{"):
            written = unquote(part)
            return f"{name[1:-1].removesuffix('_id')}:{written}" if _ID.fullmatch(written) else None
    return None
