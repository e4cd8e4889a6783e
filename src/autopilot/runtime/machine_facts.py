"""Facts of a machine that concern no worker: the last one of each kind, as its companion's heartbeats bring them.

Owns the table `machine_fact` and its bounds. A fact's params are kept as they were sent, but for redaction; what they
mean is Codex's and the client's business. Never decides who may speak for a machine (machines.py).
Source: docs/runtime-contract.md, "Machines".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from autopilot.contract import MachineFact
from autopilot.contract.errors import Unprocessable
from autopilot.contract.redaction import may_hold_secret, redact
from autopilot.db import queries
from autopilot.runtime import strict_json
from autopilot.runtime.ledger_rows import instant

MAX_FACTS = 32
"""Of one heartbeat, and kept of one machine: the latest said."""
MAX_PARAMS_BYTES = 16 * 1024

_SQL = queries.load("autopilot.runtime", "machine_facts")
_METHOD = re.compile(r"[!-~]{1,120}")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, on its way into the table."""

    method: str
    params: str
    """JSON text on one line, redacted."""
    occurred_at: datetime


class _Params(msgspec.Struct):
    params: msgspec.Raw


class _Body(msgspec.Struct):
    facts: list[_Params] = []


def facts_of(body: bytes, said: Sequence[MachineFact]) -> list[Fact]:
    """The facts of a heartbeat; `body` is its text, from which the params are taken as they were sent.

    Raises:
        Unprocessable: too many, too large, or not a method or time.
    """
    if not said:
        return []
    if len(said) > MAX_FACTS:
        raise _refused("facts", f"must be at most {MAX_FACTS}")
    texts = [bytes(one.params) for one in msgspec.json.decode(body, type=_Body).facts]
    return [_fact(f"facts[{index}]", fact, text) for index, (fact, text) in enumerate(zip(said, texts, strict=True))]


def _fact(field: str, fact: MachineFact, text: bytes) -> Fact:
    if _METHOD.fullmatch(fact.method) is None:
        raise _refused(f"{field}.method", "must be 1 to 120 printable ASCII characters without spaces")
    if len(text) > MAX_PARAMS_BYTES:
        raise _refused(f"{field}.params", f"must have at most {MAX_PARAMS_BYTES} bytes")
    try:
        occurred_at = datetime.fromisoformat(fact.occurred_at)
    except ValueError:
        occurred_at = None
    if occurred_at is None or occurred_at.tzinfo is None:
        raise _refused(f"{field}.occurred_at", "must be a time as of RFC 3339")
    shown = redact(fact.params) if may_hold_secret(text) else fact.params
    if shown is not fact.params:
        text = msgspec.json.encode(shown)
    return Fact(fact.method, strict_json.one_line(text), occurred_at)


async def keep(connection: Any, machine_id: str, facts: Sequence[Fact]) -> bool:
    """Store them, each in the place of the one of its kind; whether anything is another now. Inside a transaction."""
    if not facts:
        return False
    latest = {fact.method: fact for fact in facts}.values()
    changed = await connection.fetch(
        _SQL.keep,
        machine_id,
        [fact.method for fact in latest],
        [fact.params for fact in latest],
        [fact.occurred_at for fact in latest],
    )
    await connection.execute(_SQL.forget_oldest, machine_id, MAX_FACTS)
    return bool(changed)


async def of(connection: Any, machine_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The facts of these machines as the contract shows them, by machine and in the order of their methods."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in await connection.fetch(_SQL.of_machines, machine_ids):
        shown = {
            "method": row["method"],
            "params": msgspec.Raw(row["params"].encode()),
            "occurred_at": instant(row["occurred_at"]),
        }
        found.setdefault(row["machine_id"], []).append(shown)
    return found


def _refused(field: str, what: str) -> Unprocessable:
    message = f"{field} {what}"
    return Unprocessable(message, details=[{"reason_code": "invalid_value", "field": field, "message": message}])
