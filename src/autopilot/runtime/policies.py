"""The routes of policies: show what is in force and what was, set a new version.

Owns who may write and read which document (`named`): one's own takes `administer`, the installation's `admin`, a team's
the role of an owner in it; all who are in the team may read it. A document is read whole before it is stored. Relies on
policy_store.py for versions; questions are tried by policy_trials.py.
Source: docs/protocol.md, "Policy".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import asyncpg
import msgspec

from autopilot.contract import PolicyFormat, PolicySubject, SetPolicy
from autopilot.contract.errors import NotFound, Unprocessable
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.ops.log import get_logger
from autopilot.runtime import audit_log, permissions, policy_effective, policy_store
from autopilot.runtime.ledger_rows import actor_of, instant
from autopilot.runtime.policy_document import INSTALLATION, TEAM, USER, Subject
from autopilot.runtime.policy_reading import read
from autopilot.runtime.requests_bodies import Bodies, identifier, is_identifier
from autopilot.runtime.revocation import refuse_revoked
from autopilot.runtime.router import Match, Route, data_response, integer_of, query_of

log = get_logger("autopilot.runtime.policies")

MAX_VERSION = 2**53 - 1
MAX_CHANGES = 200
DEFAULT_CHANGES = 50


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
            Route("GET", "/policies/history", self.history),
            Route("GET", "/policies/version", self.version),
        ]

    async def show(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and what binds the principal; with `team_id`, what binds on the machines of that team."""
        permissions.require_scope(request.claims, "observe")
        own, team_id = own_subject(request.claims), query_of(request).get("team_id")
        if team_id is not None:
            permissions.require_member(request.claims, identifier(team_id, "team_id"))
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            rows = await policy_store.texts(conn, own, team_id)
            documents = await policy_store.of_subject(conn, own, team_id)
        return data_response(200, {"documents": [_body(row) for row in rows], **policy_effective.of(documents)})

    async def set(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and the new version."""
        claims, said = request.claims, self._bodies.policy(request)
        permissions.require_scope(claims, "admin" if said.subject == INSTALLATION else "administer")
        permissions.require_step_up(claims)
        check(said, "")
        subject = named(claims, said.subject, said.team_id)
        if subject.team_id is not None:
            permissions.require_team_owner(claims, subject.team_id)
        contents = read(said.text, said.format, subject.kind)
        async with self._pool.acquire() as conn, conn.transaction():
            await refuse_revoked(conn, claims)
            x_request_id = request.headers.get("x-request-id")
            added = await policy_store.add(
                conn,
                subject,
                said.format,
                said.text,
                contents,
                expected_version=said.expected_version,
                actor=actor_of(claims),
                x_request_id=x_request_id,
            )
            about = f"policy:{subject.kind}" + (f":{subject.id}" if subject.id else "")
            digest = hashlib.sha256(said.text.encode("utf-8", "surrogatepass")).hexdigest()
            detail = {"version": added["version"], "text_sha256": digest}
            await audit_log.note(conn, claims, "policy_set", x_request_id=x_request_id, subject=about, detail=detail)
        log.info("policy.set", subject=subject.kind, team_id=subject.team_id, version=added["version"])
        return data_response(200, _body(added))

    async def history(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and the changes of one document, the latest first."""
        permissions.require_scope(request.claims, "observe")
        query = query_of(request)
        subject = _subject(request.claims, query)
        before = integer_of(query, "before", low=1, high=MAX_VERSION, default=None)
        limit = integer_of(query, "limit", low=1, high=MAX_CHANGES, default=DEFAULT_CHANGES)
        changes = await self._pool.fetch(policy_store.SQL.history, subject.kind, subject.id, before, limit)
        return data_response(200, [_change(row) for row in changes])

    async def version(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and one version of a document, in force or not."""
        permissions.require_scope(request.claims, "observe")
        query = query_of(request)
        subject = _subject(request.claims, query)
        number = integer_of(query, "version", low=1, high=MAX_VERSION, default=None)
        if number is None:
            raise Unprocessable("version is missing", reason_code="missing", field="version")
        row = await self._pool.fetchrow(policy_store.SQL.version, subject.kind, subject.id, number)
        if row is None:
            raise NotFound(f"the {subject.kind} policy has no version {number}", reason_code="no_such_version")
        return data_response(200, _body(row))


def own_subject(claims: Claims) -> Subject:
    """Whom the principal's own document is about."""
    return policy_store.subject_of(claims.user_id, claims.guest_scope)


def _subject(claims: Claims, query: Mapping[str, str]) -> Subject:
    """Whose history is asked for.

    Raises:
        Unprocessable: nobody's who has one.
        NotFound: a team that the principal is not in.
    """
    said, team_id = query.get("subject", USER), query.get("team_id")
    if said not in [*PolicySubject]:
        message = f"subject must be one of {', '.join(PolicySubject)}"
        raise Unprocessable(message, reason_code="invalid_value", field="subject")
    if fault := _team_fault(said, team_id):
        raise Unprocessable(f"team_id {fault}", reason_code="invalid_value", field="team_id")
    return named(claims, said, team_id)


def named(claims: Claims, kind: str, team_id: str | None) -> Subject:
    """The subject that these words name, which were checked.

    Raises:
        NotFound: a team that the principal is not in.
    """
    if kind == TEAM and team_id is not None:
        permissions.require_member(claims, team_id)
        return Subject(TEAM, team_id)
    return policy_store.THE_INSTALLATION if kind == INSTALLATION else own_subject(claims)


def check(said: SetPolicy, prefix: str) -> None:
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
    if fault := _team_fault(said.subject, said.team_id):
        faults.append({"reason_code": "invalid_value", "field": f"{prefix}team_id", "message": fault})
    if said.expected_version < 0:
        faults.append(
            {"reason_code": "out_of_range", "field": f"{prefix}expected_version", "message": "must be at least 0"}
        )
    if "\x00" in said.text:
        faults.append({"reason_code": "invalid_value", "field": f"{prefix}text", "message": "must not hold NUL"})
    if faults:
        raise Unprocessable(f"{faults[0]['field']} {faults[0]['message']}", details=faults)


def _team_fault(kind: str, team_id: str | None) -> str | None:
    """What is wrong with the team that goes with a subject of this kind, if anything is."""
    if kind == TEAM:
        return None if team_id is not None and is_identifier(team_id) else "must be the id of the team it is about"
    return None if team_id is None else "goes with the subject team only"


def _change(row: asyncpg.Record) -> dict[str, Any]:
    return {
        **_subject_of(row),
        "version": row["version"],
        "format": row["format"],
        "bytes": row["bytes"],
        "actor": msgspec.Raw(row["actor"].encode()),
        "x_request_id": row["x_request_id"],
        "created_at": instant(row["created_at"]),
        "in_force": row["in_force"],
    }


def _subject_of(row: asyncpg.Record) -> dict[str, str]:
    team = {"team_id": row["subject_id"]} if row["subject_kind"] == TEAM else {}
    return {"subject": row["subject_kind"], **team}


def _body(row: asyncpg.Record) -> dict[str, Any]:
    return {
        **_subject_of(row),
        "version": row["version"],
        "format": row["format"],
        "text": row["text"],
        "actor": msgspec.Raw(row["actor"].encode()),
        "created_at": instant(row["created_at"]),
    }
