"""Machines: registration, listing, and the heartbeat that keeps their leases.

Owns the tables `machine` and `machine_beat`, and creates a machine's `feed_head`. Relies on permissions for who may act
as a machine. Tells those in `on_change` after a commit that changed one. Never decides who holds a worker (leases.py).
Source: docs/runtime-contract.md, "Machines".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from autopilot.contract import SealHead
from autopilot.contract.errors import Forbidden, NotFound
from autopilot.contract.port import Claims
from autopilot.db import queries
from autopilot.runtime import audit_log, machine_facts, permissions, seal_heads
from autopilot.runtime.hearing import Hearing
from autopilot.runtime.ledger_rows import instant
from autopilot.runtime.machine_facts import Fact

_SQL = queries.load("autopilot.runtime", "machines")
_LEASES = queries.load("autopilot.runtime", "leases")

_CLOSED = frozenset({"stopped", "failed"})


@dataclass(slots=True)
class Machine:
    """A machine as it stands, owner included."""

    machine_id: str
    owner_user_id: int | None
    owner_guest_scope: str | None
    team_id: str | None
    """The team that shares it."""
    name: str
    platform: str | None
    companion_version: str | None
    codex_version: str | None
    desktop_session_id: str | None
    registered_at: datetime
    last_heard_at: datetime | None
    worker_id: None = None
    """It is no worker: guests are shown none."""
    facts: list[dict[str, Any]] = field(default_factory=list)
    """What concerns no worker, as the contract shows it (machine_facts.py)."""

    def body(self, claims: Claims) -> dict[str, Any]:
        """As the contract shows it to whom these claims are of."""
        return {
            "machine_id": self.machine_id,
            "name": self.name,
            "platform": self.platform,
            "companion_version": self.companion_version,
            "codex_version": self.codex_version,
            "desktop_session_id": self.desktop_session_id,
            "registered_at": instant(self.registered_at),
            "last_heard_at": None if self.last_heard_at is None else instant(self.last_heard_at),
            "owner": {
                "user_id": self.owner_user_id,
                "guest_scope": self.owner_guest_scope,
                "team_id": self.team_id,
            },
            "role": permissions.role_of(claims, self),
            "facts": self.facts,
        }


@dataclass(frozen=True, slots=True)
class Registration:
    """What a companion says of its machine."""

    machine_id: str
    name: str
    platform: str | None
    companion_version: str | None
    codex_version: str | None
    desktop_session_id: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """A worker that a machine believes to hold, and under which generation."""

    worker_id: str
    generation: int


@dataclass(frozen=True, slots=True)
class Beat:
    """What became of one worker's lease at a heartbeat."""

    worker_id: str
    state: str
    """`renewed`, `fenced`, `expired`, `stopped` or `unknown`."""
    generation: int | None = None
    expires_at: datetime | None = None

    def body(self) -> dict[str, Any]:
        """As the contract shows it."""
        return {
            "worker_id": self.worker_id,
            "state": self.state,
            "generation": self.generation,
            "expires_at": None if self.expires_at is None else instant(self.expires_at),
        }


class Machines:
    """The machines of this installation."""

    def __init__(self, pool: asyncpg.Pool, hearing: Hearing) -> None:
        """`hearing` says which machines are away: when such a one is heard, that is news."""
        self.on_change: list[Callable[[Machine], None]] = []
        """Called after each commit that made a machine, changed it, or found it back."""
        self._pool = pool
        self._hearing = hearing

    async def register(self, claims: Claims, said: Registration, x_request_id: str | None = None) -> Machine:
        """Make a machine, or refresh what is said of it; the first principal to register an id owns it.

        Raises:
            Forbidden: not this machine's execute token, or somebody else's machine.
        """
        permissions.execute(claims, said.machine_id)
        async with self._pool.acquire() as connection, connection.transaction():
            now = await connection.fetchval("select clock_timestamp()")
            ours = await connection.fetchval(
                _SQL.register,
                said.machine_id,
                claims.user_id,
                claims.guest_scope,
                said.name,
                said.platform,
                said.companion_version,
                said.codex_version,
                said.desktop_session_id,
                now,
            )
            if ours is None:
                raise Forbidden("this machine belongs to somebody else", reason_code="role")
            await connection.execute(_SQL.add_feed, said.machine_id)
            await connection.execute(_SQL.touch, said.machine_id, now)
            made = await machine(connection, said.machine_id)
            made.facts = (await machine_facts.of(connection, [said.machine_id])).get(said.machine_id, [])
            if made.registered_at == now:
                subject, detail = f"machine:{said.machine_id}", {"name": said.name, "platform": said.platform}
                await audit_log.note(
                    connection, claims, "machine_registered", x_request_id=x_request_id, subject=subject, detail=detail
                )
        self._tell(made)
        return made

    async def of(self, claims: Claims) -> list[Machine]:
        """The principal's machines, the last one heard of first; to a token that only executes, its own.

        Raises:
            Forbidden: the scope is too small.
        """
        permissions.require_scope(claims, "observe", "execute")
        rows = await self._pool.fetch(
            _SQL.machines_of, claims.user_id, claims.guest_scope, permissions.teams_of(claims)
        )
        bound = permissions.only_machine(claims)
        records = [row for row in rows if bound in (None, row["machine_id"])]
        known = await machine_facts.of(self._pool, [record["machine_id"] for record in records])
        return [Machine(**dict(record), facts=known.get(record["machine_id"], [])) for record in records]

    async def shown(self, machine_id: str) -> Machine:
        """One of them with its facts, whoever asks.

        Raises:
            NotFound: it never registered.
        """
        found = await machine(self._pool, machine_id)
        found.facts = (await machine_facts.of(self._pool, [machine_id])).get(machine_id, [])
        return found

    async def enter(self, claims: Claims, machine_id: str) -> None:
        """Whoever asks is this very machine.

        Raises:
            NotFound: it never registered.
            Forbidden: not this machine's execute token, or somebody else's machine.
        """
        permissions.execute(claims, machine_id)
        permissions.require_role(claims, await machine(self._pool, machine_id))

    async def heartbeat(
        self,
        claims: Claims,
        machine_id: str,
        desktop_session_id: str | None,
        held: Sequence[Held],
        facts: Sequence[Fact] = (),
    ) -> list[Beat]:
        """Renew what this machine holds, and keep what it says; one answer for each worker it named, in that order.

        Raises:
            NotFound: the machine never registered.
            Forbidden: not this machine's execute token, or somebody else's machine.
        """
        permissions.execute(claims, machine_id)
        async with self._pool.acquire() as connection, connection.transaction():
            before = await machine(connection, machine_id)
            permissions.require_role(claims, before)
            if desktop_session_id is not None:
                await connection.execute(_SQL.touch_session, machine_id, desktop_session_id)
            now = await connection.fetchval("select clock_timestamp()")
            await connection.execute(_SQL.touch, machine_id, now)
            beats = await _renew(connection, claims, machine_id, held, now)
            has_news = await machine_facts.keep(connection, machine_id, facts)
        was_away = self._hearing.is_away(now, before.last_heard_at)
        if was_away or has_news or desktop_session_id not in {None, before.desktop_session_id}:
            self._tell(before)
        return beats

    def _tell(self, changed: Machine) -> None:
        for tell in self.on_change:
            tell(changed)

    async def seals(self, kept: SealHead | None) -> dict[str, Any]:
        """What a machine is told of the chain of seals: the latest, and what is at the number of the one it keeps."""
        return await seal_heads.shown(self._pool, kept)


async def machine(connection: Any, machine_id: str) -> Machine:
    """One machine, without its facts.

    Raises:
        NotFound: it never registered.
    """
    record = await connection.fetchrow(_SQL.machine, machine_id)
    if record is None:
        raise NotFound("no such machine", reason_code="no_such_machine")
    return Machine(**dict(record))


async def _renew(connection: Any, claims: Claims, machine_id: str, held: Sequence[Held], now: datetime) -> list[Beat]:
    # Only the principal's own workers: of anybody else's, not even the existence is told.
    names = [item.worker_id for item in held]
    records = await connection.fetch(_LEASES.named, names, claims.user_id, claims.guest_scope)
    found = {record["worker_id"]: record for record in records}
    beats = [_judge(machine_id, item, found.get(item.worker_id), now) for item in held]
    renewing = sorted({(found[b.worker_id]["worker_no"], b.generation) for b in beats if b.state == "renewed"})
    if not renewing:
        return beats
    workers, generations = (list(column) for column in zip(*renewing, strict=True))
    await connection.execute(_LEASES.beat, workers, now)
    renewed = await connection.fetch(_LEASES.renew_held, machine_id, workers, generations, now)
    until = {record["worker_no"]: record["expires_at"] for record in renewed}
    return [
        _settle(beat, until.get(found[beat.worker_id]["worker_no"])) if beat.state == "renewed" else beat
        for beat in beats
    ]


def _judge(machine_id: str, held: Held, record: asyncpg.Record | None, now: datetime) -> Beat:
    if record is None:
        return Beat(held.worker_id, "unknown")
    generation = record["generation"]
    if record["machine_id"] != machine_id or generation != held.generation:
        return Beat(held.worker_id, "fenced", generation)
    if record["status"] in _CLOSED:
        return Beat(held.worker_id, "stopped", generation)
    if record["released_at"] is not None or record["expires_at"] <= now:
        return Beat(held.worker_id, "expired", generation)
    return Beat(held.worker_id, "renewed", generation)


def _settle(beat: Beat, expires_at: datetime | None) -> Beat:
    """The lease was read without a lock; one that was lost since is `expired`, and the next heartbeat says more."""
    state = "expired" if expires_at is None else "renewed"
    return Beat(beat.worker_id, state, beat.generation, expires_at)
