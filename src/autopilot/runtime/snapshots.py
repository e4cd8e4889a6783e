"""What a reader is told about one worker: the snapshot, and the summary of lists. Pure: a row in, a body out.

Every time is the server's; heartbeat, lease and health are classified at the moment of reading and never stored.
Source: docs/protocol.md, "Workers".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from autopilot.contract import worker_facts
from autopilot.runtime.hearing import Hearing
from autopilot.runtime.ledger_rows import instant

Row = asyncpg.Record
"""A row of `worker_view` with `read_at`."""

DESKTOP = "desktop"
OVER = frozenset({"stopped", "failed"})
_CODEX_SAID = ("version", "server", "since", "unresponsive_since", "drift")


def snapshot(row: Row, *, role: str | None, hearing: Hearing) -> dict[str, Any]:
    """The body of `GET /workers/{id}`; `role` is the reader's."""
    facts = msgspec.json.decode(row["facts"])
    return {
        "worker_id": row["worker_id"],
        "status": row["status"],
        "latest_seq": row["latest_seq"],
        "workspace_ref": row["workspace_ref"],
        "codex_home_ref": row["codex_home_ref"],
        "adapter": row["adapter"],
        "metadata": msgspec.Raw(row["metadata"].encode()),
        "started_at": _time(row["started_at"]),
        "stopped_at": _time(row["stopped_at"]),
        "updated_at": _time(row["updated_at"]),
        "last_heartbeat_at": _time(row["last_heartbeat_at"]),
        **heartbeat(row, hearing.choices.heartbeat_stale_after_ms),
        **{name: facts.get(name) for name in worker_facts.NAMES},
        "machine": _machine(row),
        "execution_mode": row["execution_mode"],
        "backend": _backend(row, hearing),
        "lease": _lease(row),
        "health": _health(row, hearing),
        "pending_approvals": row["pending_approvals"],
        "spend": _spend(facts),
        "owner": {"user_id": row["owner_user_id"], "guest_scope": row["owner_guest_scope"], "team_id": row["team_id"]},
        "role": role,
    }


def summary(row: Row, *, role: str | None, hearing: Hearing) -> dict[str, Any]:
    """An item of `GET /workers`: a snapshot, and where the projection stands (it is off)."""
    return {**snapshot(row, role=role, hearing=hearing), "convex_projection": None}


def heartbeat(row: Row, stale_after_ms: int) -> dict[str, Any]:
    """`heartbeat_age_ms`, `heartbeat_stale_after_ms` and `heartbeat_state`.

    The age counts from the later of start and last heartbeat, so that a reattach begins fresh.
    """
    heard = [time for time in (row["started_at"], row["last_heartbeat_at"]) if time is not None]
    age_ms = _age_ms(row, max(heard, default=row["created_at"]))
    if row["status"] in OVER:
        state = row["status"]
    elif age_ms <= stale_after_ms:
        state = "fresh"
    else:
        state = "missing" if row["last_heartbeat_at"] is None else "stale"
    return {"heartbeat_age_ms": age_ms, "heartbeat_stale_after_ms": stale_after_ms, "heartbeat_state": state}


def _machine(row: Row) -> dict[str, Any] | None:
    if row["machine_id"] is None:
        return None
    return {
        "machine_id": row["machine_id"],
        "name": row["machine_name"] or "",
        "last_heard_at": _time(row["last_heard_at"]),
    }


def _backend(row: Row, hearing: Hearing) -> dict[str, Any] | None:
    """A desktop's place is ready while its companion is heard; where no machine ever was, there is no place."""
    if row["machine_id"] is None:
        return None
    states = {"ok": "ready", "down": "unreachable"}
    return {
        "kind": DESKTOP,
        "display_name": row["machine_name"] or row["machine_id"],
        "region": None,
        "state": states.get(_machine_state(row, hearing), "unknown"),
        "reason": None,
        "checked_at": _time(row["last_heard_at"]),
        "selected_by": None,
    }


def _lease(row: Row) -> dict[str, Any]:
    if row["machine_id"] is None:
        return {"machine_id": None, "generation": None, "expires_at": None, "state": "never"}
    state = "held" if row["read_at"] < row["expires_at"] else "expired"
    return {
        "machine_id": row["machine_id"],
        "generation": row["generation"],
        "expires_at": _time(row["expires_at"]),
        "state": "released" if row["released_at"] is not None else state,
    }


def _health(row: Row, hearing: Hearing) -> dict[str, Any]:
    """Four facts, never merged: what each says is only what its own source said last, and when that was."""
    heard, data_age_ms = row["last_heard_at"], _age_ms(row, row["updated_at"])
    said = {} if row["codex_said"] is None else msgspec.json.decode(row["codex_said"])
    return {
        "api": {"state": "ok", "as_of": _time(row["read_at"]), "detail": None},
        "machine": {
            "state": _machine_state(row, hearing),
            "as_of": _time(heard),
            "detail": None if heard is None else {"age_ms": _age_ms(row, heard)},
        },
        "codex": {
            "state": _codex_state(said, row),
            "as_of": _time(heard),
            "detail": _codex_detail(said, row),
        },
        "data": {
            "state": "ok" if data_age_ms <= hearing.choices.heartbeat_stale_after_ms else "stale",
            "as_of": _time(row["updated_at"]),
            "detail": {"age_ms": data_age_ms},
        },
    }


def _machine_state(row: Row, hearing: Hearing) -> str:
    heard = row["last_heard_at"]
    if row["machine_id"] is None or heard is None:
        return "unknown"
    return "down" if hearing.is_away(row["read_at"], heard) else "ok"


def _codex_state(said: Mapping[str, Any], row: Row) -> str:
    """As the companion said when it was last heard (`as_of`): of one that is away, the machine's fact tells."""
    if row["machine_id"] is None or row["last_heard_at"] is None:
        return "unknown"
    if row["codex_version"] is None or said.get("server") == "none":
        return "down"
    return "ok" if said.get("unresponsive_since") is None else "unresponsive"


def _codex_detail(said: Mapping[str, Any], row: Row) -> dict[str, Any] | None:
    """Version, whose app-server (`own`, `shared`, `none`), since when, its silence, its drift: as far as was said."""
    if row["codex_version"] is None:
        return None
    told = {name: said[name] for name in _CODEX_SAID if isinstance(said.get(name), str)}
    return {"version": row["codex_version"], **told}


def _spend(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    fact = facts.get(worker_facts.SPEND)
    return None if fact is None else {**fact["value"], "seq": fact["seq"]}


def _age_ms(row: Row, since: datetime) -> int:
    return max(0, int((row["read_at"] - since).total_seconds() * 1000))


def _time(time: datetime | None) -> str | None:
    return None if time is None else instant(time)
