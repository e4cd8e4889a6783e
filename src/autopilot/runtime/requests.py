"""Requests: something a person asks a worker or machine to do.

Owns the transaction that accepts one: receipt, sealed params, event and feed entry, all or nothing. Relies on
receipts.py for what becomes of it, on the machine's feed to get it there, on permissions for who may ask. Never
executes anything, and never asks twice: the same request again is the same receipt.
Source: docs/runtime-contract.md, "Requests".
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from autopilot.contract.errors import Conflict, NotFound, Unprocessable
from autopilot.contract.port import Claims
from autopilot.contract.redaction import redact
from autopilot.db import queries
from autopilot.runtime import feed_entries, permissions, policy, policy_requests, receipts, sharing_rows
from autopilot.runtime.append_identity import Digests
from autopilot.runtime.delivery import DeliveryKeys, Target
from autopilot.runtime.feed_entries import Entry
from autopilot.runtime.ledger import Ledger, LedgerTx
from autopilot.runtime.ledger_rows import RUNTIME_ACTOR, Worker, actor_of, instant
from autopilot.runtime.lost_roles import refuse_departed
from autopilot.runtime.machines import machine
from autopilot.runtime.policy import Verdict
from autopilot.runtime.receipts_states import ENDED, may_follow
from autopilot.runtime.requests_bodies import Call
from autopilot.runtime.requests_methods import STOP, TURN_INTERRUPT, URGENT, check_params, lifetime
from autopilot.runtime.requests_notes import note
from autopilot.runtime.requests_wakes import Waiters
from autopilot.runtime.revocation import refuse_revoked
from autopilot.runtime.workers_ids import find_worker

_SQL = queries.load("autopilot.runtime", "receipts")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and the call it came with."""

    claims: Claims
    x_request_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class _Asking:
    """A new request, judged."""

    asker: Asker
    call: Call
    verdict: Verdict
    machine_id: str | None
    """Whose feed it goes to."""
    membership_no: int | None
    """Through which it is asked; None: by who owns the worker or machine, or by the runtime."""


class Requests:
    """Accepts requests, shows their receipts, and takes them back."""

    def __init__(
        self, ledger: Ledger, pool: asyncpg.Pool, keys: DeliveryKeys, waiters: Waiters, *, digests: Digests
    ) -> None:
        self._ledger = ledger
        self._pool = pool
        self._keys = keys
        self._waiters = waiters
        self._digests = digests

    async def ask_worker(self, asker: Asker, worker_id: str, call: Call) -> asyncpg.Record:
        """The receipt of a request to a worker: a new one, or the one it has already.

        Raises:
            NotFound: no such worker.
            Forbidden: no role, also one that was lost while the call was on its way, or too small a scope.
            Unauthorized: the device was revoked while the call was on its way.
            Conflict: `different_content`, `worker_stopped`, `worker_not_running`.
            Unprocessable: the method needs params that are not there.
        """
        target = Target("worker", worker_id)
        async with self._ledger.transaction() as tx:
            worker = await tx.lock_worker(worker_id)
            permissions.administer(asker.claims, worker)
            await refuse_revoked(tx.conn, asker.claims)
            await refuse_departed(tx.conn, asker.claims, worker)
            known = await receipts.find(tx.conn, target, call.request_id)
            if known is not None:
                return self._same(known, call)
            worker.require_open()
            _refuse_stop(call)
            verdict = await policy_requests.judge_worker(tx.conn, asker.claims, worker, call)
            if verdict.allowed:
                _require_step_up(asker, call)
                check_params(call.method, call.params)
            return await self.accept(tx, worker, asker, call, verdict)

    async def ask_machine(self, asker: Asker, machine_id: str, call: Call) -> asyncpg.Record:
        """The same for a machine.

        Raises:
            NotFound, Forbidden, Unauthorized, Conflict, Unprocessable: as `ask_worker`.
        """
        target = Target("machine", machine_id)
        async with self._ledger.transaction() as tx:
            await sharing_rows.hold(tx, machine_id)
            addressed = await machine(tx.conn, machine_id)
            permissions.operate(asker.claims, addressed)
            permissions.require_scope(asker.claims, "administer")
            await refuse_revoked(tx.conn, asker.claims)
            await refuse_departed(tx.conn, asker.claims, addressed)
            through = permissions.membership_of(asker.claims, addressed)
            known = await receipts.find(tx.conn, target, call.request_id)
            if known is None:
                _refuse_stop(call)
                verdict = await policy_requests.judge_machine(tx.conn, asker.claims, addressed, call)
                if verdict.allowed:
                    _require_step_up(asker, call)
                    check_params(call.method, call.params)
                now = await tx.conn.fetchval("select clock_timestamp()")
                asking = _Asking(asker, call, verdict, machine_id, through)
                if await self._store(tx, target, asking, now):
                    await feed_entries.add(tx, [_entry(target, machine_id, call)], now)
                known = await receipts.find(tx.conn, target, call.request_id)
            assert known is not None
            return self._same(known, call)

    async def accept(
        self, tx: LedgerTx, worker: Worker, asker: Asker, call: Call, verdict: Verdict = policy.YES
    ) -> asyncpg.Record:
        """Store a new request to a locked worker, tell the log, and hand it to the worker's machine if it has one.

        One that policy denies is stored as rejected, and goes nowhere.
        """
        entry = await self._record(tx, worker, asker, call, verdict)
        if entry is not None:
            await feed_entries.add(tx, [entry], worker.now)
        stored = await receipts.find(tx.conn, Target("worker", worker.worker_id), call.request_id)
        assert stored is not None
        return stored

    async def _record(
        self, tx: LedgerTx, worker: Worker, asker: Asker, call: Call, verdict: Verdict = policy.YES
    ) -> Entry | None:
        """The same but for the hand-over: what the machine's feed is to get, if there is a machine."""
        target = Target("worker", worker.worker_id)
        machine_id = None if worker.lease is None else worker.lease.machine_id
        through = permissions.membership_of(asker.claims, worker)
        await self._store(tx, target, _Asking(asker, call, verdict, machine_id, through), worker.now)
        actor = actor_of(asker.claims)
        facts: dict[str, Any] = {
            "request_id": call.request_id,
            "method": call.method,
            "params": msgspec.Raw(_redacted(call).encode()),
            "expires_at": _expires(call, worker.now),
        }
        if verdict.judged_by is not None:
            facts[policy_requests.VERSIONS] = verdict.judged_by
        drafts = [note("worker.request.received", facts, x_request_id=asker.x_request_id, actor=actor)]
        if not verdict.allowed:
            refused = {"request_id": call.request_id, "method": call.method}
            drafts.append(policy_requests.denial_note(verdict, refused, actor, asker.x_request_id))
        rows = await tx.append(worker, drafts)
        identity = (target.kind, target.id, call.request_id)
        await tx.conn.execute(_SQL.accepted_at_seq, *identity, rows[0].seq)
        return _entry(target, machine_id, call) if verdict.allowed and machine_id is not None else None

    async def interrupt(self, tx: LedgerTx, worker: Worker, turn_id: str) -> Entry | None:
        """Ask a locked worker, on the runtime's own account, to end this turn; once for each turn.

        Returns what the machine's feed is to get: its lock is taken last, with those of the whole group.
        """
        request_id = f"budget:{hashlib.sha256(turn_id.encode()).hexdigest()[:40]}"
        known = await receipts.find(tx.conn, Target("worker", worker.worker_id), request_id)
        if known is not None:
            if known["actor"] == RUNTIME_ACTOR:
                return None
            request_id = f"budget:{uuid.uuid4().hex}"  # ids of requests are their senders' choice
        params = {"turnId": turn_id}
        call = Call(request_id, TURN_INTERRUPT, params, receipts.encoded(params))
        return await self._record(tx, worker, Asker(Claims(surface="runtime")), call)

    async def outcome(self, claims: Claims, target: Target, request_id: str, wait_seconds: float) -> asyncpg.Record:
        """The receipt when it has ended, or as it is after `wait_seconds`.

        Raises:
            Forbidden: the role by which it was asked is lost.
        """
        deadline = asyncio.get_running_loop().time() + wait_seconds
        with self._waiters.watch((target.kind, target.id, request_id)) as changed:
            while True:
                changed.clear()
                record = await receipts.find(self._pool, target, request_id)
                assert record is not None
                await self._require_role_still(claims, target)
                if record["state"] in ENDED or self._waiters.stopping:
                    return record
                try:
                    async with asyncio.timeout_at(deadline):
                        await changed.wait()
                except TimeoutError:
                    return record

    async def _require_role_still(self, claims: Claims, target: Target) -> None:
        """Of who waits: what they have asked says nothing to them once it is shared with them no more.

        Raises:
            Forbidden: no role that may ask.
        """
        if not claims.roles:
            return  # it is their own
        is_worker = target.kind == "worker"
        owned = await (find_worker(self._pool, target.id) if is_worker else machine(self._pool, target.id))
        permissions.operate(claims, owned)
        await refuse_departed(self._pool, claims, owned)

    async def receipt(self, claims: Claims, target: Target, request_id: str) -> asyncpg.Record:
        """One receipt.

        Raises:
            NotFound: no such worker, machine or request.
            Forbidden: no role, or too small a scope.
        """
        if target.kind == "worker":
            permissions.observe(claims, await find_worker(self._pool, target.id))
        else:
            permissions.observe_machine(claims, target.id, await machine(self._pool, target.id))
        return _known(await receipts.find(self._pool, target, request_id))

    async def shown(self, record: asyncpg.Record) -> dict[str, Any]:
        """A receipt as the contract shows it; of one that has not ended also whether its machine is away."""
        told = receipts.body(record)
        if record["state"] not in ENDED:
            told["machine_unreachable"] = await self._pool.fetchval(
                _SQL.unreachable, record["target_kind"], record["target_id"]
            )
        return told

    async def cancel(self, claims: Claims, target: Target, request_id: str) -> asyncpg.Record:
        """Take back what no machine was handed yet; again, the same.

        Raises:
            NotFound, Forbidden: as `receipt`; taking back needs `administer`.
            Conflict: `already_delivered`, `already_ended`, or a stop.
        """
        async with self._ledger.transaction() as tx:
            if target.kind == "worker":
                worker = await tx.lock_worker(target.id)
                permissions.administer(claims, worker)
                record = _known(await receipts.find(tx.conn, target, request_id))
                if _is_cancellable(record):
                    return await receipts.step_and_tell(tx, worker, record, "cancelled")
                return record
            permissions.operate(claims, await machine(tx.conn, target.id))
            permissions.require_scope(claims, "administer")
            record = _known(await receipts.find_locked(tx.conn, target, request_id))
            if not _is_cancellable(record):
                return record
            now = await tx.conn.fetchval("select clock_timestamp()")
            return await receipts.step(tx, record, "cancelled", now=now)

    async def _store(self, tx: LedgerTx, target: Target, asking: _Asking, now: datetime) -> bool:
        """Insert the receipt and its sealed params; False where it exists, or is denied and goes nowhere."""
        asker, call, verdict = asking.asker, asking.call, asking.verdict
        denied = not verdict.allowed
        error = policy_requests.receipt_error(verdict, call) if denied else None
        waits = lifetime(call.method)
        stored = await tx.conn.fetchval(
            _SQL.accept,
            target.kind,
            target.id,
            call.request_id,
            asking.machine_id,
            call.method,
            self._digests.make(call.method, call.params),
            "rejected" if denied else "accepted",
            _redacted(call),
            None if error is None else receipts.encoded(error),
            actor_of(asker.claims),
            asker.x_request_id,
            asker.traceparent,
            now,
            None if waits is None else now + waits,
            now if denied else None,
            None if verdict.judged_by is None else receipts.encoded(verdict.judged_by),
            asking.membership_no,
        )
        if stored is not None and denied:
            tx.denied.append(verdict.word)
        if stored is None or denied:
            return False
        key_id, ciphertext = self._keys.seal(target, call.request_id, call.params_text.encode())
        await tx.conn.execute(_SQL.put_delivery, target.kind, target.id, call.request_id, key_id, ciphertext)
        return True

    def _same(self, record: asyncpg.Record, call: Call) -> asyncpg.Record:
        if not self._digests.fits(record["digest"], call.method, call.params):
            raise Conflict(
                "this request_id is known with other content",
                reason_code="different_content",
                request_id=call.request_id,
            )
        return record


def _entry(target: Target, machine_id: str, call: Call) -> Entry:
    """What hands a request over."""
    worker_id = target.id if target.kind == "worker" else None
    return Entry(machine_id, "request", call.method in URGENT, worker_id, None, call.request_id)


def _require_step_up(asker: Asker, call: Call) -> None:
    """Before anything is stored: stepped up, the very same request is taken.

    Raises:
        Forbidden: `step_up_required`.
    """
    if policy_requests.takes_step_up(call):
        permissions.require_step_up(asker.claims)


def _refuse_stop(call: Call) -> None:
    if call.method == STOP:
        raise Unprocessable("a worker is stopped by its own call", reason_code="use_stop", field="request.method")


def _known(record: asyncpg.Record | None) -> asyncpg.Record:
    if record is None:
        raise NotFound("no such request", reason_code="no_such_request")
    return record


def _is_cancellable(record: asyncpg.Record) -> bool:
    """False where it is cancelled already.

    Raises:
        Conflict: it is too late, or a stop.
    """
    state = record["state"]
    if state == "cancelled":
        return False
    if record["method"] == STOP:
        raise Conflict("a stop can't be taken back", reason_code="not_cancellable", state=state)
    if not may_follow(state, "cancelled"):
        reason = "already_ended" if state in ENDED else "already_delivered"
        raise Conflict(f"the request is {state} already", reason_code=reason, state=state)
    return True


def _redacted(call: Call) -> str:
    """The params as others may see them; the very text that was sent where there is nothing to hide."""
    shown = redact(call.params)
    return call.params_text if shown is call.params else receipts.encoded(shown)


def _expires(call: Call, now: datetime) -> str | None:
    waits = lifetime(call.method)
    return None if waits is None else instant(now + waits)
