"""The routes of the price table: show the one in force, set a new version.

Owns the tables `price_table` and `price`: versions are only ever added, and the latest prices all spend, each day by
the price of that day. Setting one takes `admin`; one that would make the past cost something else is refused until that
is asked for. Source: docs/protocol.md, "Prices".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import asyncpg
import msgspec

from autopilot.contract import PolicyFormat, SetPrices
from autopilot.contract.errors import Conflict, Unprocessable
from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.db import queries
from autopilot.ops.log import get_logger
from autopilot.runtime import audit_log, permissions, price_table
from autopilot.runtime.ledger_rows import actor_of, instant
from autopilot.runtime.price_table import Price, PriceTable, Repriced
from autopilot.runtime.requests_bodies import Bodies
from autopilot.runtime.revocation import refuse_revoked
from autopilot.runtime.router import Match, Route, data_response

SQL = queries.load("autopilot.runtime", "prices")
SPEND = queries.load("autopilot.runtime", "spend")
MOST_NAMED = 20
"""Models that a refusal names."""

log = get_logger("autopilot.runtime.prices")


class PriceRoutes:
    """What people call."""

    def __init__(self, pool: asyncpg.Pool, bodies: Bodies) -> None:
        self._pool = pool
        self._bodies = bodies

    def routes(self) -> Iterable[Route]:
        """Its routes."""
        return [Route("GET", "/prices", self.show), Route("POST", "/prices", self.set)]

    async def show(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and the table in force; version 0 where there is none."""
        permissions.require_scope(request.claims, "observe")
        row = await self._pool.fetchrow(SQL.in_force)
        prices = [] if row is None else await prices_of(self._pool, row["version"])
        return data_response(200, _body(row, prices))

    async def set(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and the new version."""
        claims, said = request.claims, self._bodies.prices(request)
        permissions.require_scope(claims, "admin")
        permissions.require_step_up(claims)
        _check(said)
        table = price_table.read(said.text, said.format)
        async with self._pool.acquire() as conn, conn.transaction():
            await refuse_revoked(conn, claims)
            version = await _expected(conn, said.expected_version)
            if not said.reprice:
                await _refuse_repricing(conn, table)
            actor, x_request_id = actor_of(claims), request.headers.get("x-request-id")
            row = await conn.fetchrow(SQL.add, version + 1, said.format, said.text, table.currency, actor, x_request_id)
            if row is None:  # somebody took the number between the two statements
                raise _another(version, await conn.fetchval(SQL.latest_version))
            columns = [[getattr(price, name) for price in table.prices] for name in Price.__dataclass_fields__]
            await conn.execute(SQL.add_prices, row["version"], *columns)
            detail = {"version": row["version"], "reprice": bool(said.reprice)}
            await audit_log.note(conn, claims, "prices_set", x_request_id=x_request_id, subject="prices", detail=detail)
        log.info("prices.set", version=row["version"], reprice=bool(said.reprice))
        return data_response(200, _body(row, table.prices))


async def prices_of(conn: Any, version: int) -> list[Price]:
    """What a version says."""
    return [Price(**dict(row)) for row in await conn.fetch(SQL.prices, version)]


async def _expected(conn: Any, expected: int) -> int:
    latest = await conn.fetchval(SQL.latest_version) or 0
    if latest != expected:
        raise _another(expected, latest)
    return expected


def _another(expected: int, latest: int) -> Conflict:
    return Conflict(
        f"the price table in force is version {latest}, not {expected}: look at it, and try again",
        reason_code="version",
        field="expected_version",
        expected=latest,
        latest_version=latest,
    )


async def _refuse_repricing(conn: Any, table: PriceTable) -> None:
    row = await conn.fetchrow(SQL.in_force)
    if row is None:
        return
    before = PriceTable(row["currency"], tuple(await prices_of(conn, row["version"])))
    today: date = await conn.fetchval(SPEND.today)
    found = price_table.repriced(before, table, today)
    if found:
        raise Conflict(
            f"what was used already would cost something else: {_words(found)}; send reprice to mean that",
            reason_code="reprices",
            field="reprice",
            models=[{"model": one.model, "first_day": one.first_day.isoformat()} for one in found[:MOST_NAMED]],
        )


def _words(found: Sequence[Repriced]) -> str:
    named = ", ".join(f"{one.model} from {one.first_day}" for one in found[:3])
    return named if len(found) <= 3 else f"{named}, and {len(found) - 3} more"  # noqa: PLR2004 - as many as are named


def _check(said: SetPrices) -> None:
    """The values out of closed sets and ranges.

    Raises:
        Unprocessable: one detail for each.
    """
    faults = []
    if said.format not in [*PolicyFormat]:
        faults.append(("format", "invalid_value", f"must be one of {', '.join(PolicyFormat)}"))
    if said.expected_version < 0:
        faults.append(("expected_version", "out_of_range", "must be at least 0"))
    if "\x00" in said.text:
        faults.append(("text", "invalid_value", "must not hold NUL"))
    if faults:
        details = [{"reason_code": reason, "field": field, "message": words} for field, reason, words in faults]
        raise Unprocessable(f"{details[0]['field']} {details[0]['message']}", details=details)


def _body(row: asyncpg.Record | None, prices: Iterable[Price]) -> dict[str, Any]:
    if row is None:
        names = ("format", "text", "actor", "created_at", "currency")
        return {"version": 0, **dict.fromkeys(names), "prices": []}
    return {
        "version": row["version"],
        "format": row["format"],
        "text": row["text"],
        "actor": msgspec.Raw(row["actor"].encode()),
        "created_at": instant(row["created_at"]),
        "currency": row["currency"],
        "prices": [
            {
                "model": price.model,
                "first_day": price.first_day.isoformat(),
                "input_micros": price.input_micros,
                "cached_input_micros": price.cached_input_micros,
                "output_micros": price.output_micros,
            }
            for price in prices
        ],
    }
