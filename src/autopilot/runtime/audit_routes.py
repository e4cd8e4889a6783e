"""The routes of the audit: search it; take what the API hands over.

One sees one's own acts; with the scope `admin` everybody's, of the whole installation. What a line says never holds
what was in a request or an answer. Source: docs/protocol.md, "Audit".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from autopilot.contract import AuditOutcome
from autopilot.contract.errors import Forbidden, InvalidRequest, Unprocessable
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.runtime import audit_log, permissions
from autopilot.runtime.audit_log import SQL, Line
from autopilot.runtime.ledger_rows import instant
from autopilot.runtime.requests_methods import STOP
from autopilot.runtime.router import Match, Route, data_response, integer_of, json_response, query_of
from autopilot.runtime.workers import EPOCH

MAX_PAGE = 500
DEFAULT_PAGE = 100
END_OF_TIME = EPOCH + timedelta(days=365 * 200)
MAX_TEXT = 200
MOST_LINES = 1000
"""Handed over at once."""
COLUMNS = ("at", "id", "source", "action", "outcome", "session_id", "address", "x_request_id", "subject")


LOOKED_AT_ONCE = 500
MOST_LOOKED_AT = 10 * LOOKED_AT_ONCE
"""Lines that a search for a text looks at before it says how far it came."""
SEARCHED = ("action", "subject", "device_id", "address", "x_request_id", "machine_id", "guest_scope", "detail")
OUTCOMES = frozenset(AuditOutcome)


class _Handed(msgspec.Struct):
    records: list[Line]


@dataclass(slots=True)
class _Page:
    found: list[asyncpg.Record] = field(default_factory=list)
    last: asyncpg.Record | None = None
    """Of those that were looked at: the next page goes on after it."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is searched for."""

    columns: tuple[Any, ...]
    more: tuple[str | None, str | None]
    text: str | None

    async def page(self, conn: Any, place: tuple[datetime | None, str | None], limit: int) -> tuple[_Page, bool]:
        """Up to so many lines after this place, and whether there may be more."""
        if self.text is None:
            rows = await self._rows(conn, place, limit + 1)
            return _Page(rows[:limit], rows[:limit][-1] if rows else None), len(rows) > limit
        page, wanted = _Page(), self.text.casefold()
        for _ in range(MOST_LOOKED_AT // LOOKED_AT_ONCE):
            rows = await self._rows(conn, place, LOOKED_AT_ONCE)
            for row in rows:
                page.last = row
                if _says(row, wanted):
                    page.found.append(row)
                if len(page.found) == limit:
                    return page, True
            if len(rows) < LOOKED_AT_ONCE:
                return page, False
            place = (rows[-1]["at"], rows[-1]["id"])
        return page, True

    async def _rows(self, conn: Any, place: tuple[datetime | None, str | None], most: int) -> list[asyncpg.Record]:
        return await conn.fetch(SQL.search, *self.columns, *place, most, STOP, *self.more)


class AuditRoutes:
    """What people and the API call."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def routes(self) -> Iterable[Route]:
        """Its routes. No public path leads to the second."""
        return [Route("GET", "/audit", self.search), Route("POST", "/audit/records", self.take)]

    async def search(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and a page, the latest first."""
        claims, query = request.claims, query_of(request)
        permissions.require_scope(claims, "observe", "admin")
        limit = integer_of(query, "limit", low=1, high=MAX_PAGE, default=DEFAULT_PAGE)
        assert limit is not None
        user_id, guest_scope = _whose(claims, query)
        texts = [_text(query, name) for name in ("action", "x_request_id", "device_id")]
        times = (_time(query, "from") or EPOCH, _time(query, "to") or END_OF_TIME)
        more = (_text(query, "surface"), _outcome(query))
        asked = _Asked((user_id, guest_scope, *texts, *times), more, _text(query, "text"))
        place = _place(query["before"]) if "before" in query else (None, None)
        async with self._pool.acquire() as conn, conn.transaction(readonly=True):
            await conn.execute(SQL.custom_plans)
            page, is_more = await asked.page(conn, place, limit)
        following = _token(page.last) if is_more and page.last is not None else None
        return json_response(200, {"data": [line_body(row) for row in page.found], "next": following})

    async def take(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 with how many lines are new. The same lines again change nothing.

        Raises:
            Forbidden: the claims are not the API's own.
            InvalidRequest: no lines.
        """
        if request.claims.guest_scope != "audit" or request.claims.surface != "runtime":
            raise Forbidden("only the API hands over its audit", reason_code="scope", scope="audit")
        try:
            handed = msgspec.json.decode(request.body, type=_Handed).records
        except msgspec.MsgspecError as error:
            raise InvalidRequest(f"no lines of an audit: {error}", reason_code="malformed_json") from None
        if len(handed) > MOST_LINES:
            raise InvalidRequest(f"at most {MOST_LINES} lines at once", reason_code="too_many")
        async with self._pool.acquire() as conn, conn.transaction():
            added = await audit_log.append(conn, handed)
        return data_response(200, {"added": added})


def line_body(row: asyncpg.Record) -> dict[str, Any]:
    """A row of the search, as the contract shows it."""
    actor = {name: row[name] for name in ("user_id", "device_id", "machine_id", "surface", "guest_scope")}
    return {
        **{name: row[name] for name in COLUMNS},
        "at": instant(row["at"]),
        "actor": actor,
        "detail": msgspec.Raw(row["detail"].encode()),
        "seal": row["seal_no"],
    }


def _whose(claims: Claims, query: Mapping[str, str]) -> tuple[int | None, str | None]:
    """Whose acts are asked for: one's own, unless one manages the installation.

    Raises:
        Forbidden: somebody else's, without the scope, or with it but without step-up.
    """
    asked = integer_of(query, "user_id", low=1, high=2**63 - 1, default=None)
    if "admin" in claims.scopes:
        permissions.require_step_up(claims)
        return asked, None
    if asked not in (None, claims.user_id):
        raise Forbidden("the acts of others take the scope admin", reason_code="scope", scope="admin")
    return claims.user_id, claims.guest_scope


def _says(row: asyncpg.Record, wanted: str) -> bool:
    return any(wanted in row[name].casefold() for name in SEARCHED if row[name] is not None)


def _outcome(query: Mapping[str, str]) -> str | None:
    outcome = query.get("outcome")
    if outcome is not None and outcome not in OUTCOMES:
        raise Unprocessable("outcome is none of the known", reason_code="invalid_value", field="outcome")
    return outcome


def _text(query: Mapping[str, str], name: str) -> str | None:
    text = query.get(name)
    if text is not None and (not text or len(text) > MAX_TEXT or "\x00" in text):
        raise Unprocessable(f"{name} is empty or too long", reason_code="invalid_value", field=name)
    return text


def _time(query: Mapping[str, str], name: str) -> datetime | None:
    if name not in query:
        return None
    try:
        moment = datetime.fromisoformat(query[name])
        return moment if moment.tzinfo is not None and EPOCH <= moment < END_OF_TIME else _no_time(name)
    except (ValueError, OverflowError):
        return _no_time(name)


def _no_time(name: str) -> datetime:
    raise Unprocessable(f"{name} is no time in UTC", reason_code="invalid_value", field=name)


def _token(row: asyncpg.Record) -> str:
    """The opaque place of a row."""
    micros = (row["at"] - EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{micros} {row['id']}".encode()).decode().rstrip("=")


def _place(token: str) -> tuple[datetime, str]:
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
        micros, _, line_id = text.partition(" ")
        if not (micros.isascii() and micros.isdigit()) or not line_id or "\x00" in line_id:
            raise ValueError
        return EPOCH + timedelta(microseconds=int(micros)), line_id
    except (ValueError, OverflowError, binascii.Error):
        raise Unprocessable("before is not a page's next", reason_code="invalid_value", field="before") from None
