"""The route of budgets: those that bind the principal's own workers and teams, and what is left of each.

The documents in force say the budgets, spend.py counted what they are of; both as of one moment. Never refuses a turn:
spend_budgets.py does. Source: docs/protocol.md, "Budgets".
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

import asyncpg

from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.runtime import permissions, policies, policy_store
from autopilot.runtime.ledger_rows import instant
from autopilot.runtime.policy_document import TEAM, Budget, Document, Subject
from autopilot.runtime.router import Match, Route, data_response
from autopilot.runtime.spend import SQL
from autopilot.runtime.spend_budgets import Standing, period_of

MOST_LINES = 500
MOST_EACH = 20
"""Of those who have one budget's amount for themselves, so many are told of: who used most."""


class BudgetRoutes:
    """What people call."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def routes(self) -> Iterable[Route]:
        """Its routes."""
        return [Route("GET", "/budgets", self.show)]

    async def show(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and a line for each."""
        claims = request.claims
        permissions.require_scope(claims, "observe")
        own, teams = policies.own_subject(claims), sorted(permissions.teams_of(claims))
        found: list[dict[str, Any]] = []
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            look = _Look(conn, own, (claims.user_id, claims.guest_scope), teams)
            async for team_id, standing in look.standings(await conn.fetchval("select clock_timestamp()")):
                found.append(_body(team_id, standing))
                if len(found) == MOST_LINES:
                    break
        return data_response(200, found)


class _Look:
    """One principal's budgets, in one snapshot."""

    def __init__(self, conn: Any, own: Subject, owner: tuple[int | None, str | None], teams: list[str]) -> None:
        self._conn = conn
        self._own = own
        self._owner = owner
        self._teams = teams

    async def standings(self, now: datetime) -> AsyncIterator[tuple[str | None, Standing]]:
        """Each with the team whose tokens it counts; None: the principal's own."""
        for document in await policy_store.of_all(self._conn, self._own, self._teams):
            for index, budget in enumerate(document.contents.budgets):
                starts_on, resets_at = period_of(budget.period, now)
                for team_id in self._counted(document, budget):
                    rows = await self._used(budget, team_id, starts_on)
                    for key, used in rows:
                        yield team_id, Standing(document, index, key, used, starts_on, resets_at)

    def _counted(self, document: Document, budget: Budget) -> list[str | None]:
        """Whose tokens a budget is of: a team's, each of one's teams', or one's own."""
        if document.subject.kind == TEAM:
            return [document.subject.team_id]
        return [*self._teams] if budget.per == "team" else [None]

    async def _used(self, budget: Budget, team_id: str | None, starts_on: Any) -> list[tuple[str, int]]:
        if team_id is None:
            rows = await self._conn.fetch(SQL.used_by, *self._owner, starts_on, budget.per, MOST_EACH)
            whole = self._own.id
        else:
            rows = await self._conn.fetch(SQL.used_by_of_team, team_id, starts_on, budget.per, MOST_EACH)
            whole = team_id
        if budget.per == "team" or (budget.per == "user" and team_id is None):
            return [(whole, int(rows[0]["used"]) if rows else 0)]
        return [(row["key"] or "", int(row["used"])) for row in rows] or [("", 0)]


def _body(team_id: str | None, standing: Standing) -> dict[str, Any]:
    budget, document = standing.budget, standing.document
    warn_at = None if budget.warn_at is None else math.ceil(budget.warn_at * budget.tokens)
    return {
        "budget": budget.name,
        "per": budget.per,
        "per_id": standing.key or None,
        "period": budget.period,
        "limit": budget.tokens,
        "used": standing.used,
        "left": max(0, budget.tokens - standing.used),
        "warn_at_tokens": warn_at,
        "on_exhausted": budget.on_exhausted,
        "level": standing.level,
        "starts_on": standing.starts_on.isoformat(),
        "resets_at": None if standing.resets_at is None else instant(standing.resets_at),
        "document": document.subject.kind,
        "version": document.version,
        "team_id": team_id,
    }
