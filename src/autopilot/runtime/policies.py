"""The routes of policies: show what is in force, set a new version, try a question.

Owns who may write which document: one's own takes `administer`, the installation's `admin`. A document is read whole
before it is stored; trying one changes nothing. Relies on policy_store.py for versions and on policy.py for verdicts.
Source: docs/protocol.md, "Policy".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import asyncpg
import msgspec

from autopilot.contract import PolicyFormat, PolicySubject, SetPolicy, TestPolicy
from autopilot.contract.errors import Unprocessable
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.ops.log import get_logger
from autopilot.runtime import permissions, policy, policy_requests, policy_store
from autopilot.runtime.ledger_rows import actor_of, instant
from autopilot.runtime.policy import Verdict
from autopilot.runtime.policy_builtin import DESKTOP, OPEN_LANES, OPEN_SANDBOX_MODES
from autopilot.runtime.policy_document import INSTALLATION, Document, Documents, Subject
from autopilot.runtime.policy_question import Place, of_request
from autopilot.runtime.policy_reading import read
from autopilot.runtime.requests_bodies import Bodies
from autopilot.runtime.revocation import refuse_revoked
from autopilot.runtime.router import Match, Route, data_response
from autopilot.runtime.workers_ids import find_worker

log = get_logger("autopilot.runtime.policies")

SECTIONS = ("methods", "folders", "models", "sandbox", "approval_policy", "lanes")


class PolicyRoutes:
    """What people call."""

    def __init__(self, pool: asyncpg.Pool, bodies: Bodies) -> None:
        self._pool = pool
        self._bodies = bodies

    def routes(self) -> Iterable[Route]:
        """Its routes."""
        return [
            Route("GET", "/policies", self.show),
            Route("POST", "/policies", self.set),
            Route("POST", "/policies/test", self.test),
        ]

    async def show(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and what binds the principal."""
        permissions.require_scope(request.claims, "observe")
        own = _own(request.claims)
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            rows = sorted(await policy_store.texts(conn, own), key=lambda row: row["subject_kind"])
            documents = await policy_store.of_subject(conn, own)
        effective = [*_builtin(), *_effective(documents)]
        return data_response(200, {"documents": [_body(row) for row in rows], "effective": effective})

    async def set(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and the new version."""
        claims, said = request.claims, self._bodies.policy(request)
        permissions.require_scope(claims, "admin" if said.subject == INSTALLATION else "administer")
        _check(said, "")
        contents = read(said.text, said.format)
        subject = policy_store.THE_INSTALLATION if said.subject == INSTALLATION else _own(claims)
        async with self._pool.acquire() as conn, conn.transaction():
            await refuse_revoked(conn, claims)
            added = await policy_store.add(
                conn,
                subject,
                said.format,
                said.text,
                contents,
                expected_version=said.expected_version,
                actor=actor_of(claims),
                x_request_id=request.headers.get("x-request-id"),
            )
        log.info("policy.set", subject=subject.kind, version=added["version"])
        return data_response(200, _body(added))

    async def test(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and what would be said."""
        claims, asked = request.claims, self._bodies.policy_question(request)
        permissions.require_scope(claims, "observe")
        place = Place(DESKTOP)
        own = _own(claims)
        if asked.worker_id is not None:
            worker = await find_worker(self._pool, asked.worker_id)
            permissions.observe(claims, worker)
            place = await policy_requests.place_of_worker(self._pool, claims, worker)
            own = policy_store.subject_of(worker.owner_user_id, worker.owner_guest_scope)
        documents = _replaced(await policy_store.of_subject(self._pool, own), asked.instead, own)
        verdict = policy.evaluate(documents, of_request(asked.method, asked.params or {}, place))
        return data_response(200, {"allowed": verdict.allowed, "denial": _denial(verdict, asked)})


def _own(claims: Claims) -> Subject:
    return policy_store.subject_of(claims.user_id, claims.guest_scope)


def _check(said: SetPolicy, prefix: str) -> None:
    """The values out of closed sets and ranges.

    Raises:
        Unprocessable: one detail for each.
    """
    faults = [
        {"reason_code": "invalid_value", "field": f"{prefix}{name}", "message": f"must be one of {', '.join(allowed)}"}
        for name, value, allowed in (
            ("subject", said.subject, [*PolicySubject]),
            ("format", said.format, [*PolicyFormat]),
        )
        if value not in allowed
    ]
    if said.expected_version < 0:
        faults.append(
            {"reason_code": "out_of_range", "field": f"{prefix}expected_version", "message": "must be at least 0"}
        )
    if "\x00" in said.text:
        faults.append({"reason_code": "invalid_value", "field": f"{prefix}text", "message": "must not hold NUL"})
    if faults:
        raise Unprocessable(f"{faults[0]['field']} {faults[0]['message']}", details=faults)


def _replaced(documents: Documents, instead: SetPolicy | None, own: Subject) -> Documents:
    """The documents with a text that is being tried in the place of one of them."""
    if instead is None:
        return documents
    _check(instead, "instead.")
    contents = read(instead.text, instead.format)
    if instead.subject == INSTALLATION:
        return Documents(Document(policy_store.THE_INSTALLATION, 0, contents), documents.user)
    return Documents(documents.installation, Document(own, 0, contents))


def _denial(verdict: Verdict, asked: TestPolicy) -> dict[str, Any] | None:
    if verdict.allowed:
        return None
    return {**verdict.facts(), "method": asked.method, "request_id": None, "message": verdict.message}


def _builtin() -> Iterator[dict[str, Any]]:
    """What is open without any document, where that is not everything."""
    for name, allow in (("sandbox", OPEN_SANDBOX_MODES), ("lanes", OPEN_LANES)):
        yield {"name": name, "document": policy.BUILTIN, "version": None, "limited": True, "allow": allow, "deny": ()}


def _effective(documents: Documents) -> Iterator[dict[str, Any]]:
    for document in documents.all():
        for name in SECTIONS:
            patterns = getattr(document.contents, name)
            if patterns.allow is not None or patterns.deny:
                yield {
                    "name": name,
                    "document": document.subject.kind,
                    "version": document.version,
                    "limited": patterns.allow is not None,
                    "allow": patterns.allow or (),
                    "deny": patterns.deny,
                }


def _body(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "subject": row["subject_kind"],
        "version": row["version"],
        "format": row["format"],
        "text": row["text"],
        "actor": msgspec.Raw(row["actor"].encode()),
        "created_at": instant(row["created_at"]),
    }
