"""The route of spend: what the principal's workers used, in groups and in all.

Reads what spend.py counted, in one statement: groups and totals are of the same moment. Owns the range of days that may
be asked for. Source: docs/protocol.md, "Spend".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import asyncpg

from autopilot.contract import SpendBy
from autopilot.contract.errors import Unprocessable
from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.runtime import permissions
from autopilot.runtime.router import Match, Route, data_response, query_of
from autopilot.runtime.spend import SQL
from autopilot.runtime.spend_counts import Counts

DEFAULT_DAYS = 30
MAX_DAYS = 366
MAX_GROUPS = 1000
WAYS = frozenset(SpendBy)

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class SpendRoutes:
    """What people call."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def routes(self) -> Iterable[Route]:
        """Its routes."""
        return [Route("GET", "/spend", self.show)]

    async def show(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and what was used."""
        claims, query = request.claims, query_of(request)
        permissions.require_scope(claims, "observe")
        by = query.get("by", SpendBy.DAY)
        if by not in WAYS:
            raise Unprocessable("by is none of the known", reason_code="invalid_value", field="by")
        today = await self._pool.fetchval(SQL.today)
        first, last = days_of(query, today)
        owner = (claims.user_id, claims.guest_scope)
        rows = await self._pool.fetch(SQL.report, *owner, first, last, by, MAX_GROUPS)
        totals = [rows[0][f"all_{name}"] for name in Counts._fields] if rows else []
        found = rows[0]["found"] if rows else 0
        return data_response(
            200,
            {
                "first_day": first.isoformat(),
                "last_day": last.isoformat(),
                "by": by,
                "groups": [_group(row) for row in rows],
                "left_out": found - len(rows),
                "totals": Counts(*totals)._asdict(),
            },
        )


def days_of(query: Mapping[str, str], today: date) -> tuple[date, date]:
    """The first and the last day that are asked for.

    Raises:
        Unprocessable: no days, in the wrong order, or too many.
    """
    last = _day(query, "to") or today
    first = _day(query, "from") or last - timedelta(days=min(DEFAULT_DAYS - 1, last.toordinal() - 1))
    if first > last:
        raise Unprocessable("from must not be after to", reason_code="out_of_range", field="from")
    if (last - first).days >= MAX_DAYS:
        raise Unprocessable(f"at most {MAX_DAYS} days at once", reason_code="out_of_range", field="from")
    return first, last


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        if _DAY.fullmatch(text) is None:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise Unprocessable(f"{name} must be a day: 2026-11-22", reason_code="invalid_value", field=name) from None


def _group(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "day": None if row["day"] is None else row["day"].isoformat(),
        "worker_id": row["worker_id"],
        "thread_id": row["thread_id"] or None,
        "model": row["model"] or None,
        "tokens": {name: row[name] for name in Counts._fields},
    }
