"""Trying policies: what they would say to a request, and to a question of Codex. Changes nothing, and leaves nothing.

The same functions judge here as at the doors (policy.py, policy_rules.py), over the documents in force or with a text
that is being tried in the place of one. Source: docs/protocol.md, "Policy".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import asyncpg

from autopilot.contract import (
    ApprovalChange,
    ApprovalEvidence,
    ApprovalOption,
    ApprovalRequest,
    SetPolicy,
    TestApproval,
    TestPolicy,
)
from autopilot.contract.errors import Unprocessable
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.runtime import permissions, policy, policy_requests, policy_rules, policy_store
from autopilot.runtime.policies import check, own_subject
from autopilot.runtime.policy import Verdict
from autopilot.runtime.policy_builtin import DESKTOP
from autopilot.runtime.policy_document import ANSWERERS, INSTALLATION, TEAM, Document, Documents, Subject
from autopilot.runtime.policy_question import Place, of_request
from autopilot.runtime.policy_reading import read
from autopilot.runtime.policy_rules import Decided
from autopilot.runtime.policy_sections import DECISIONS
from autopilot.runtime.requests_bodies import Bodies
from autopilot.runtime.router import Match, Route, data_response
from autopilot.runtime.workers_ids import find_worker


class PolicyTrials:
    """What people call before they mean it."""

    def __init__(self, pool: asyncpg.Pool, bodies: Bodies) -> None:
        self._pool = pool
        self._bodies = bodies

    def routes(self) -> Iterable[Route]:
        """Its routes."""
        return [
            Route("POST", "/policies/test", self.request),
            Route("POST", "/policies/test/approval", self.approval),
        ]

    async def request(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and what would be said to a request."""
        asked = self._bodies.policy_question(request)
        place, documents = await self._bound(request.claims, asked)
        verdict = policy.evaluate(documents, of_request(asked.method, asked.params or {}, place))
        return data_response(200, {"allowed": verdict.allowed, "denial": _denial(verdict, asked.method)})

    async def approval(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200, the rule that would decide a question of Codex, and who may answer it."""
        asked = self._bodies.approval_question(request)
        place, documents = await self._bound(request.claims, asked)
        decided = policy_rules.decide(documents, _question(asked, place), asked.params, place.home)
        answerers = [(who, policy.may_answer(documents, who, asked.kind)) for who in ANSWERERS]
        told = [{"who": who, "allowed": said.allowed, "denial": _denial(said, None)} for who, said in answerers]
        return data_response(200, {"decision": _decision(decided), "answerers": told})

    async def _bound(self, claims: Claims, asked: TestPolicy | TestApproval) -> tuple[Place, Documents]:
        """Where it would go, and the documents that would bind it.

        Raises:
            NotFound: no such worker, or a team that the principal is not in.
            Forbidden: no role on it, or too small a scope.
            Unprocessable: the text that is to be tried has faults, or is of another team than the question.
        """
        permissions.require_scope(claims, "observe")
        if asked.instead is not None:
            check(asked.instead, "instead.")
        place, own, team_id = Place(DESKTOP), own_subject(claims), _team_of(claims, asked)
        if asked.worker_id is not None:
            worker = await find_worker(self._pool, asked.worker_id)
            permissions.observe(claims, worker)
            if team_id not in (None, worker.team_id):
                raise Unprocessable("the worker is not of this team", reason_code="invalid_value", field="worker_id")
            place, team_id = await policy_requests.place_of_worker(self._pool, claims, worker), worker.team_id
            own = policy_store.subject_of(worker.owner_user_id, worker.owner_guest_scope)
        return place, _replaced(await policy_store.of_subject(self._pool, own, team_id), asked.instead, own)


def _team_of(claims: Claims, asked: TestPolicy | TestApproval) -> str | None:
    """The team that a question names, itself or by the text that is to be tried.

    Raises:
        NotFound: the principal is not in it.
        Unprocessable: it names two.
    """
    drafted = None if asked.instead is None else asked.instead.team_id
    if None not in (drafted, asked.team_id) and drafted != asked.team_id:
        raise Unprocessable("the text is of another team", reason_code="invalid_value", field="instead.team_id")
    team_id = asked.team_id or drafted
    if team_id is not None:
        permissions.require_member(claims, team_id)
    return team_id


def _question(asked: TestApproval, place: Place) -> ApprovalRequest:
    """The question as a companion would send it, with every option that a rule can choose."""
    return ApprovalRequest(
        approval_id="",
        incarnation="",
        codex_request_id=None,
        kind=asked.kind,
        method="",
        title="",
        evidence=ApprovalEvidence(
            command_line=asked.command_line,
            cwd=asked.cwd or place.cwd,
            changes=tuple(ApprovalChange(path=path, kind="update") for path in asked.paths),
        ),
        options=tuple(ApprovalOption(option_id=effect, label=effect, effect=effect) for effect in DECISIONS),
        answerable=True,
    )


def _replaced(documents: Documents, instead: SetPolicy | None, own: Subject) -> Documents:
    """The documents with a text that is being tried in the place of one of them."""
    if instead is None:
        return documents
    contents = read(instead.text, instead.format, instead.subject)
    if instead.subject == TEAM:
        return dataclasses.replace(documents, team=Document(Subject(TEAM, documents.team_id or ""), 0, contents))
    if instead.subject == INSTALLATION:
        return dataclasses.replace(documents, installation=Document(policy_store.THE_INSTALLATION, 0, contents))
    return dataclasses.replace(documents, user=Document(own, 0, contents))


def _decision(decided: Decided | None) -> dict[str, Any] | None:
    if decided is None:
        return None
    names = ("decision", "name", "rule_id", "document", "team_id", "version")
    return {name: value for name in names if (value := getattr(decided, name)) is not None}


def _denial(verdict: Verdict, method: str | None) -> dict[str, Any] | None:
    if verdict.allowed:
        return None
    return {**verdict.facts(), "method": method, "request_id": None, "message": verdict.message}
