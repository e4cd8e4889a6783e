"""The route of spend: what was used by the principal's workers and for their teams, what it cost, Codex's rate limits.

Reads what spend.py counted, in one snapshot: all of a report is of the same moment. Money is made here, when it is
asked for, by the price table in force (prices.py), and stored nowhere. Owns the range of days that may be asked for.
Source: docs/protocol.md, "Spend".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import asyncpg
import msgspec

from autopilot.contract import SpendBy
from autopilot.contract.errors import Unprocessable
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.runtime import permissions, prices, rate_limits
from autopilot.runtime.ledger_rows import instant
from autopilot.runtime.router import Match, Route, data_response, query_of
from autopilot.runtime.spend import SQL
from autopilot.runtime.spend_counts import Counts

DEFAULT_DAYS = 30
MAX_DAYS = 366
MAX_GROUPS = 1000
MAX_DAY_MODELS = 5000
"""The same by day and model: of a year, thirteen models a day."""
MAX_UNPRICED = 100
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
        return data_response(200, await self._report(claims, first, last, by))

    async def _report(self, claims: Claims, first: date, last: date, by: str) -> dict[str, Any]:
        owner, teams = (claims.user_id, claims.guest_scope), permissions.teams_of(claims)
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            table = await conn.fetchrow(prices.SQL.in_force)
            version = None if table is None else table["version"]
            most = MAX_DAY_MODELS if by == SpendBy.DAY_MODEL else MAX_GROUPS
            rows = await conn.fetch(SQL.report, *owner, first, last, by, most, version, teams)
            unpriced = (
                await conn.fetch(SQL.unpriced, *owner, first, last, version, MAX_UNPRICED, teams) if table else ()
            )
            limits = await conn.fetch(SQL.rate_limits, *owner, rate_limits.FACT, teams)
        totals = [rows[0][f"all_{name}"] for name in Counts._fields] if rows else []
        found = rows[0]["found"] if rows else 0
        priced = table is not None
        return {
            "first_day": first.isoformat(),
            "last_day": last.isoformat(),
            "by": by,
            "groups": [_group(row, priced=priced) for row in rows],
            "left_out": found - len(rows),
            "totals": Counts(*totals)._asdict(),
            "money": _money(rows[0] if rows else None, "all_") if priced else None,
            "currency": None if table is None else table["currency"],
            "prices_version": version,
            "unpriced": [{"model": row["model"] or None, "tokens": row["tokens"]} for row in unpriced],
            "rate_limits": [_limits(row) for row in limits],
        }


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


def _group(row: asyncpg.Record, *, priced: bool) -> dict[str, Any]:
    return {
        "day": None if row["day"] is None else row["day"].isoformat(),
        "worker_id": row["worker_id"],
        "thread_id": row["thread_id"] or None,
        "model": row["model"] or None,
        "machine_id": row["machine_id"] or None,
        "team_id": row["team_id"] or None,
        "user_id": row["user_id"],
        "guest_scope": row["guest_scope"],
        "tokens": {name: row[name] for name in Counts._fields},
        "money": _money(row) if priced else None,
    }


def _money(row: asyncpg.Record | None, prefix: str = "") -> dict[str, Any]:
    """What a row's tokens cost; of no row, nothing."""
    if row is None:
        return {"micros": 0, "unpriced_tokens": 0}
    micros = row[f"{prefix}micros"]
    return {"micros": None if micros is None else int(micros), "unpriced_tokens": row[f"{prefix}unpriced_tokens"]}


def _limits(row: asyncpg.Record) -> dict[str, Any]:
    said = rate_limits.limits_of(msgspec.json.decode(row["params"]))
    return {
        "machine_id": row["machine_id"],
        "machine_name": row["name"],
        "as_of": instant(row["occurred_at"]),
        **said,
    }
