"""What happened that somebody who does not look may want to be told of: a projection of all logs, in one order.

Owns `transition*`. A transition names an event and holds nothing of what it says. It is made when the API asks for what
is new, under one lock: logs that moved are looked through from where the last look ended, so that appends pay nothing
for it, and an installation of which nobody wants to be told pays nothing at all. Nothing older than an hour is told;
the tables may be emptied at any time, and what was told in that hour comes again under other numbers. Which user it
concerns, and whether they want to know, the API says (api/push_plan.py). Source: docs/runtime-contract.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from autopilot.contract.errors import Forbidden, InvalidRequest
from autopilot.contract.instants import instant
from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.db.queries import load
from autopilot.runtime.approvals_events import DECIDED, ENDS, REOPENED, REQUESTED
from autopilot.runtime.permissions import DESKTOP_SOURCE
from autopilot.runtime.receipts import RESULTS, STOPPED
from autopilot.runtime.receipts_states import ENDED
from autopilot.runtime.router import Match, Route, data_response

SQL = load("autopilot.runtime", "transitions")

THE_API = "push"
"""The scope in whose name the API asks; no client can have it."""
AGE = timedelta(hours=1)
OVERLAP = timedelta(seconds=60)
"""How far a look reaches back beyond the last: a transaction may commit so long after it took its time."""
LOGS_AT_ONCE = 200
ROWS_AT_ONCE = 5000
"""Of one log that are looked through in one look; of one that was never looked at, the last."""
FOUND_AT_ONCE = 200
"""Of one log."""
PAGE = 200
ERROR = "worker.error"
TYPES = [REQUESTED, REOPENED, DECIDED, *ENDS, *RESULTS, STOPPED]
STEPS = {f"worker.request.{state}" for state in ENDED}


class _Payload(msgspec.Struct):
    source: Any = None
    method: Any = None
    params: Any = None
    request_id: Any = None
    approval_id: Any = None
    approval: Any = None


class _Frame(msgspec.Struct):
    payload: _Payload
    actor: msgspec.Raw = msgspec.Raw(b"null")


_FRAMES = msgspec.json.Decoder(_Frame)
_METADATA = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Found:
    """A transition."""

    worker_no: int
    seq: int
    kind: str
    approval_id: str | None
    request_id: str | None
    actor: str | None
    occurred_at: datetime


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    after: int


class TransitionRoutes:
    """Tells the API what is new."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def routes(self) -> Iterable[Route]:
        """The one route; no public path leads there."""
        return [Route("POST", "/transitions", self.read)]

    async def read(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 with a page of what came after a number, and the number of the last one there is.

        Raises:
            Forbidden: the claims are not the API's own.
            InvalidRequest: no number.
        """
        if request.claims.guest_scope != THE_API or request.claims.surface != "runtime":
            raise Forbidden("only the API is told of transitions", reason_code="scope", scope=THE_API)
        try:
            after = msgspec.json.decode(request.body, type=_Asked).after
        except msgspec.MsgspecError as error:
            raise InvalidRequest(f"no place to go on from: {error}", reason_code="malformed_json") from None
        async with self._pool.acquire() as conn:
            async with conn.transaction():
                await look(conn)
            rows = await conn.fetch(SQL.page, min(max(after, 0), 2**63 - 1), PAGE)
            latest: int = await conn.fetchval(SQL.latest)
        return data_response(200, {"transitions": [_body(row) for row in rows], "latest_no": latest})


async def look(conn: Any) -> None:
    """Find what is new, within a transaction; of a flood a part, and the rest at the next look."""
    await conn.execute(SQL.make_head)
    head = await conn.fetchrow(SQL.lock_head)
    now: datetime = head["now"]
    await conn.execute(SQL.forget, now - AGE)
    moved = await conn.fetch(SQL.moved, head["looked_at"] - OVERLAP, ROWS_AT_ONCE, LOGS_AT_ONCE)
    if not moved:
        return
    ends = {row["worker_no"]: min(row["latest_seq"], row["seq"] + ROWS_AT_ONCE) for row in moved}
    rows = await conn.fetch(
        SQL.entries,
        [row["worker_no"] for row in moved],
        [row["seq"] for row in moved],
        list(ends.values()),
        now - AGE,
        TYPES,
        FOUND_AT_ONCE,
    )
    places = _places(ends, rows)
    found = [one for one in map(_found, rows) if one is not None]
    latest: int = head["latest_no"]
    if found:
        numbers = list(range(latest + 1, latest + len(found) + 1))
        columns = (list(column) for column in zip(*map(_columns, found), strict=True))
        await conn.execute(SQL.add, numbers, *columns)
    await conn.execute(SQL.place, list(places), list(places.values()))
    is_all = len(moved) < LOGS_AT_ONCE and all(places[row["worker_no"]] == row["latest_seq"] for row in moved)
    await conn.execute(SQL.looked, latest + len(found), now if is_all else head["looked_at"])


def _places(ends: dict[int, int], rows: Sequence[Any]) -> dict[int, int]:
    """How far each log was looked through: to its end, or to the last row where there were too many."""
    counts = Counter(row["worker_no"] for row in rows)
    places = dict(ends)
    for row in rows:
        if counts[row["worker_no"]] == FOUND_AT_ONCE:
            places[row["worker_no"]] = row["seq"]  # they come in the order of their seqs
    return places


def _found(row: Any) -> Found | None:
    try:
        frame = _FRAMES.decode(row["frame"])
    except msgspec.MsgspecError:  # its payload names these fields and means something else by them
        return None
    payload, event_type = frame.payload, row["event_type"]
    kind = approval_id = request_id = actor = None
    if event_type in {REQUESTED, REOPENED}:
        kind, approval_id = "approval_asked", _approval(payload)
    elif event_type == DECIDED or event_type in ENDS:
        kind, approval_id = "approval_closed", _approval(payload)
        actor = bytes(frame.actor).decode() if event_type == DECIDED else None
    elif event_type in STEPS or (event_type in {*RESULTS, STOPPED} and isinstance(payload.request_id, str)):
        kind, request_id = "request_ended", payload.request_id
    elif not _is_sub_agents(row["metadata"]):
        kind = _turn(event_type, payload)
    name = approval_id or request_id
    if kind is None or (
        kind.startswith(("approval", "request")) and not (isinstance(name, str) and name.isprintable())
    ):
        return None
    return Found(row["worker_no"], row["seq"], kind, approval_id, request_id, actor, row["occurred_at"])


def _approval(payload: _Payload) -> Any:
    named = payload.approval.get("approval_id") if isinstance(payload.approval, dict) else None
    return named or payload.approval_id


def _turn(event_type: str, payload: _Payload) -> str | None:
    """What the end of a turn is: done, failed, or nothing that anybody waits for."""
    params = payload.params if isinstance(payload.params, dict) else {}
    if event_type == ERROR:  # within a turn its end says it
        goes_on = params.get("willRetry") is True or params.get("turnId") is not None
        return None if goes_on else "turn_failed"
    if payload.method != "turn/completed" or payload.source != DESKTOP_SOURCE:
        return None
    turn = params.get("turn")
    status = turn.get("status") if isinstance(turn, dict) else None
    return {"completed": "turn_done", "failed": "turn_failed"}.get(status) if isinstance(status, str) else None


def _is_sub_agents(metadata: str) -> bool:
    """Whether a thread works for another one, whose own turn says how it went."""
    return "parent_thread_id" in _METADATA.decode(metadata)


def _columns(found: Found) -> tuple[Any, ...]:
    return (
        found.worker_no,
        found.seq,
        found.kind,
        found.approval_id,
        found.request_id,
        found.actor,
        found.occurred_at,
    )


def _body(row: Any) -> dict[str, Any]:
    return {
        "transition_no": row["transition_no"],
        "kind": row["kind"],
        "worker_id": row["worker_id"],
        "seq": row["seq"],
        "occurred_at": instant(row["occurred_at"]),
        "owner_user_id": row["owner_user_id"],
        "team_id": row["team_id"],
        "approval_id": row["approval_id"],
        "actor": None if row["actor"] is None else msgspec.Raw(row["actor"].encode()),
        "request": None if row["method"] is None else _request(row),
    }


def _request(row: Any) -> dict[str, Any]:
    return {
        "request_id": row["request_id"],
        "method": row["method"],
        "state": row["state"],
        "actor": msgspec.Raw(row["asker"].encode()),
        "asked_at": instant(row["asked_at"]),
        "ended_at": None if row["ended_at"] is None else instant(row["ended_at"]),
    }
