"""Policy at the door for requests: what is known of where one goes, the verdict, and how a no is told.

Reads the documents in force in the transaction that accepts, so that a change of policy holds for every request after
it. Relies on policy.py for the verdict. A no is a rejected receipt, an event (for workers), and a 403 that says the
same whenever it is asked again. Source: docs/protocol.md, "Policy".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import asyncpg
import msgspec

from autopilot.contract.errors import Forbidden
from autopilot.contract.port import Claims
from autopilot.runtime import policy, policy_store, spend_budgets
from autopilot.runtime.ledger_rows import Draft, Worker
from autopilot.runtime.machines import Machine
from autopilot.runtime.policy import DENIED, Verdict
from autopilot.runtime.policy_builtin import ALWAYS, DESKTOP, GATEWAY, NEVER, OPEN_SANDBOX_MODES
from autopilot.runtime.policy_question import Place, of_request
from autopilot.runtime.requests_bodies import Call
from autopilot.runtime.requests_notes import note

DENIAL = "worker.policy.denied"
VERSIONS = "policy_versions"
"""What events call the versions of the documents that were in force."""


async def judge_worker(conn: Any, claims: Claims, worker: Worker, call: Call) -> Verdict:
    """Whether this request may go to this locked worker."""
    if call.method in ALWAYS:
        return policy.YES
    documents = await policy_store.in_force(conn, worker)
    place = await place_of_worker(conn, claims, worker)
    verdict = policy.evaluate(documents, of_request(call.method, call.params, place))
    if verdict.allowed:
        machine_id = None if worker.lease is None else worker.lease.machine_id
        drawn_on = spend_budgets.Place(worker, worker, machine_id, call.params.get("model") or place.model)
        verdict = await spend_budgets.judge(conn, documents, call.method, drawn_on)
    return replace(verdict, judged_by=documents.versions())


async def judge_machine(conn: Any, claims: Claims, machine: Machine, call: Call) -> Verdict:
    """Whether this request may go to this machine."""
    documents = await policy_store.in_force(conn, machine)
    home = await home_of_machine(conn, machine.machine_id)
    asked = of_request(call.method, call.params, Place(_lane(claims, DESKTOP), home=home))
    verdict = policy.evaluate(documents, asked)
    if verdict.allowed:
        drawn_on = spend_budgets.Place(machine, None, machine.machine_id, call.params.get("model"))
        verdict = await spend_budgets.judge(conn, documents, call.method, drawn_on)
    return replace(verdict, judged_by=documents.versions())


async def place_of_worker(conn: Any, claims: Claims, worker: Worker) -> Place:
    """What is known of where a worker works."""
    facts = msgspec.json.decode(worker.facts)
    mode = await conn.fetchval(policy_store.SQL.execution_mode, worker.worker_no)
    home = None if worker.lease is None else await home_of_machine(conn, worker.lease.machine_id)
    return Place(_lane(claims, mode), _fact(facts, "cwd"), _fact(facts, "model"), home)


def takes_step_up(call: Call) -> bool:
    """Whether a request asks for full access: a sandbox that holds nothing back, or to be asked for nothing."""
    asked = of_request(call.method, call.params)
    sandboxed = all(named.value in OPEN_SANDBOX_MODES for named in asked.sandboxes)
    return not sandboxed or any(named.value == NEVER for named in asked.approval_policies)


def receipt_error(verdict: Verdict, call: Call) -> dict[str, Any]:
    """What the rejected receipt keeps: enough to say the same again."""
    return {
        "code": verdict.reason_code,
        "message": f"{call.method} is not allowed: {verdict.message}",
        **{name: value for name, value in verdict.facts().items() if name != "reason_code"},
    }


def denial_note(verdict: Verdict, facts: dict[str, Any], actor: str, x_request_id: str | None) -> Draft:
    """`worker.policy.denied`. `facts`: what was refused; `actor`: whom."""
    told = {**verdict.facts(), **facts, "message": verdict.message, VERSIONS: verdict.judged_by}
    return note(DENIAL, told, x_request_id=x_request_id, actor=actor)


def was_denied(record: asyncpg.Record) -> bool:
    """Whether this receipt was rejected by policy."""
    return record["state"] == "rejected" and _error(record).get("code", "").startswith(DENIED)


def refusal(record: asyncpg.Record) -> Forbidden:
    """The 403 of a receipt that was rejected by policy."""
    error = _error(record)
    told = {name: value for name, value in error.items() if name not in ("code", "message")}
    return Forbidden(
        error["message"],
        reason_code=error["code"],
        **told,
        request_id=record["request_id"],
        method=record["method"],
        state=record["state"],
    )


def forbidden(verdict: Verdict, **facts: Any) -> Forbidden:
    """The 403 of a no that leaves no receipt."""
    return Forbidden(verdict.message, **verdict.facts(), **facts)


async def home_of_machine(conn: Any, machine_id: str) -> str | None:
    """`{"home": "/home/ann"}`, as the machine's companion says it."""
    said = await conn.fetchval(policy_store.SQL.home_of_machine, machine_id)
    home = None if said is None else msgspec.json.decode(said).get("home")
    return home if isinstance(home, str) and home.startswith("/") else None


def _lane(claims: Claims, mode: str) -> str:
    """The lane a request takes: a gateway, wherever it leads to; else the place's own."""
    return GATEWAY if claims.surface == GATEWAY else mode


def _fact(facts: dict[str, Any], name: str) -> str | None:
    value = facts.get(name, {}).get("value")
    return value if isinstance(value, str) else None


def _error(record: asyncpg.Record) -> dict[str, Any]:
    return msgspec.json.decode(record["error"]) if record["error"] else {}
