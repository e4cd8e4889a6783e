"""What readers are told of an approval. Pure: a row of `approval_view` in, a body out; JSON texts stay as they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from autopilot.contract.port import Claims
from autopilot.runtime import permissions
from autopilot.runtime.hearing import Hearing
from autopilot.runtime.ledger_rows import instant
from autopilot.runtime.permissions import Belonging

_NULL = msgspec.Raw(b"null")
_EMPTY = msgspec.Raw(b"[]")


class _Request(msgspec.Struct):
    """The parts of what the executor said, as text."""

    incarnation: str
    codex_request_id: msgspec.Raw
    method: str
    title: str
    answerable: bool
    thread_id: str | None = None
    turn_id: str | None = None
    item_id: str | None = None
    parent_thread_id: str | None = None
    facts: msgspec.Raw = _EMPTY
    risk: str | None = None
    evidence: msgspec.Raw = _NULL
    options: msgspec.Raw = _EMPTY
    form: msgspec.Raw = _NULL
    url: str | None = None


_REQUEST = msgspec.json.Decoder(_Request)


def approval_body(record: asyncpg.Record, *, claims: Claims, hearing: Hearing) -> dict[str, Any]:
    """An approval as the contract shows it to the principal of `claims`; `record` has `read_at`."""
    asked = _REQUEST.decode(record["request"])
    return {
        "approval_id": record["approval_id"],
        "worker_id": record["worker_id"],
        **{name: getattr(asked, name) for name in _Request.__struct_fields__},
        "kind": record["kind"],
        "state": record["state"],
        "params": msgspec.Raw(record["params"].encode()),
        "decision": None if record["decision"] is None else msgspec.Raw(record["decision"].encode()),
        "closed_reason": record["closed_reason"],
        "requested_at": instant(record["requested_at"]),
        "expires_at": _instant(record["expires_at"]),
        "ended_at": _instant(record["ended_at"]),
        "outcome": record["outcome"],
        "machine": _machine(record),
        "machine_reachable": is_reachable(record, hearing),
        "seq": record["requested_seq"],
        "delivered_at": _instant(record["delivered_at"]),
        "role": role_of(record, claims),
    }


def role_of(record: asyncpg.Record, claims: Claims) -> str | None:
    """What the principal may do with the worker whose Codex asks."""
    return permissions.role_of(claims, Belonging.of(record))


def is_reachable(record: asyncpg.Record, hearing: Hearing) -> bool | None:
    """Whether the machine whose Codex asks is heard; None where no machine asks."""
    if record["machine_id"] is None:
        return None
    return not hearing.is_away(record["read_at"], record["last_heard_at"])


def _machine(record: asyncpg.Record) -> dict[str, Any] | None:
    if record["machine_id"] is None:
        return None
    return {
        "machine_id": record["machine_id"],
        "name": record["machine_name"] or "",
        "last_heard_at": _instant(record["last_heard_at"]),
    }


def _instant(time: datetime | None) -> str | None:
    return None if time is None else instant(time)
