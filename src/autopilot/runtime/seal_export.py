"""What happened, line by line, for people who audit: who, from which device, by which request, under which policy.

Events, each with the seal that covers it; requests that were addressed to machines, which are in no log; the audit log.
Only reads, in one snapshot, in bounded memory. Says nothing about whether a log is whole: seal_verify.py does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from autopilot.db.queries import load
from autopilot.runtime.approvals_events import DECIDED
from autopilot.runtime.ledger_rows import instant
from autopilot.runtime.policy_requests import DENIAL, VERSIONS

SQL = load("autopilot.runtime", "seal_export")
_RULE = ("rule_id", "document", "version")


async def lines(
    conn: Any, *, log_id: str | None = None, from_seq: int | None = None, to_seq: int | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Events in the order of workers and seqs, then the machines' requests and the audit log; in a transaction.

    `seal` is null where no seal covers the event yet, `policy_version` where no policy judged, `rule` where none
    decided. Requests to machines and the audit log come only where neither a log nor a range is asked for;
    its bounds are inclusive.
    """
    async for record in conn.cursor(SQL.events, log_id, from_seq, to_seq, prefetch=100):
        yield _event(record)
    if log_id is None and from_seq is None and to_seq is None:
        async for record in conn.cursor(SQL.machine_requests, prefetch=100):
            yield _machine_request(record)
        async for record in conn.cursor(SQL.audit, prefetch=100):
            yield _audited(record)


def _event(record: Any) -> dict[str, Any]:
    envelope = msgspec.json.decode(record["frame"])
    payload = envelope["payload"]
    approval = payload.get("approval")
    return {
        "source": "worker",
        "worker_id": record["worker_id"],
        "seq": record["seq"],
        "seal": record["seal_no"],
        "event_id": record["event_id"],
        "event_type": record["event_type"],
        "method": payload.get("method"),
        "occurred_at": instant(record["occurred_at"]),
        **_who(envelope.get("actor")),
        "request_id": payload.get("request_id"),
        "approval_id": payload.get("approval_id")
        or (approval.get("approval_id") if isinstance(approval, dict) else None),
        "x_request_id": envelope.get("xRequestId"),
        "policy_version": payload.get(VERSIONS),
        "rule": _rule(_decided(record["event_type"], payload)),
        "pruned": record["pruned"],
    }


def _machine_request(record: Any) -> dict[str, Any]:
    return {
        "source": "machine",
        "machine_id": record["machine_id"],
        "method": record["method"],
        "state": record["state"],
        "occurred_at": instant(record["created_at"]),
        **_who(msgspec.json.decode(record["actor"])),
        "request_id": record["request_id"],
        "x_request_id": record["x_request_id"],
        "policy_version": record["policy_versions"] and msgspec.json.decode(record["policy_versions"]),
        "rule": _rule(msgspec.json.decode(record["error"]) if record["error"] else {}),
    }


def _who(actor: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"actor": actor, "device_id": (actor or {}).get("device_id")}


def _decided(event_type: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where an event names the rule that decided, if one did."""
    if event_type == DENIAL:
        return payload
    decision = payload.get("decision") if event_type == DECIDED else None
    return decision if isinstance(decision, dict) else {}


def _rule(said: Mapping[str, Any]) -> dict[str, Any] | None:
    if not said.get("rule_id"):
        return None
    team = {"team_id": said["team_id"]} if said.get("team_id") else {}
    return {**{name: said.get(name) for name in _RULE}, **team}


def _audited(record: Any) -> dict[str, Any]:
    actor = {name: record[name] for name in ("user_id", "device_id", "machine_id", "surface", "guest_scope")}
    return {
        "source": "audit",
        "seq": record["seq"],
        "seal": record["seal_no"],
        "audit_id": record["audit_id"],
        "event_type": f"audit.{record['action']}",
        "occurred_at": instant(record["at"]),
        **_who(actor),
        "x_request_id": record["x_request_id"],
        "outcome": record["outcome"],
        "session_id": record["session_id"],
        "address": record["address"],
        "subject": record["subject"],
        "detail": msgspec.json.decode(record["detail"]),
    }
