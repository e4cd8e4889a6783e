"""Questions of a Codex that is not there, and people who answer them."""

from __future__ import annotations

from typing import Any

from autopilot.contract.approval_ids import approval_id
from autopilot.contract.port import Claims
from autopilot.runtime.app import Runtime
from autopilot.testing.runtime import OWNER, Answer, call

INCARNATION = "codex-1"
OPTIONS = [
    {"option_id": "accept", "label": "Yes", "effect": "accept"},
    {"option_id": "acceptForSession", "label": "Yes, and don't ask again", "effect": "accept_lasting"},
    {"option_id": "decline", "label": "No", "effect": "decline", "takes_message": True},
    {"option_id": "cancel", "label": "No, and stop", "effect": "cancel"},
]
ANSWERING = [
    {"option_id": "answer", "label": "Answer", "effect": "answer", "takes_content": True},
    {"option_id": "decline", "label": "Don't answer", "effect": "decline"},
]


def question(worker_id: str, codex_request_id: str | int = 0, **said: Any) -> dict[str, Any]:
    """`ApprovalRequest` of a command, but for what is said otherwise."""
    incarnation, item_id = said.pop("incarnation", INCARNATION), said.pop("item_id", f"call_{codex_request_id}")
    return {
        "approval_id": approval_id(worker_id, incarnation, codex_request_id, item_id),
        "incarnation": incarnation,
        "codex_request_id": codex_request_id,
        "thread_id": "thread-1",
        "turn_id": "turn-1",
        "item_id": item_id,
        "kind": "command",
        "method": "item/commandExecution/requestApproval",
        "title": "Run touch hello.txt?",
        "risk": "medium",
        "evidence": {"command": ["touch", "hello.txt"], "command_line": "touch hello.txt", "cwd": "/home/ada/project"},
        "options": OPTIONS,
        "answerable": True,
        **said,
    }


def asked(approval: dict[str, Any], **params: Any) -> dict[str, Any]:
    """The payload of `worker.approval.requested`."""
    return {
        "source": "autopilot-desktop",
        "method": approval["method"],
        "params": {"threadId": approval.get("thread_id"), **params},
        "approval": approval,
        "occurred_at": "2026-11-22T07:16:00Z",
    }


def ended(approval_id: str, outcome: str | None = None, reason: str | None = None) -> dict[str, Any]:
    """The payload of `worker.approval.applied|superseded|closed`."""
    return {
        "source": "autopilot-desktop",
        "method": "approval/ended",
        "approval": {"approval_id": approval_id, "outcome": outcome, "reason": reason},
        "occurred_at": "2026-11-22T07:17:00Z",
    }


async def decide(
    runtime: Runtime, approval_id: str, option_id: str = "accept", *, claims: Claims = OWNER, **more: Any
) -> Answer:
    """Answer an approval."""
    body = {"option_id": option_id, **more}
    return await call(runtime, "POST", f"/approvals/{approval_id}/decision", body, claims=claims)


async def approval_of(runtime: Runtime, approval_id: str, *, claims: Claims = OWNER) -> dict[str, Any]:
    """An approval as its owner reads it."""
    answer = await call(runtime, "GET", f"/approvals/{approval_id}", claims=claims)
    assert answer.status == 200, answer.body  # noqa: PLR2004 - the contract's
    found: dict[str, Any] = answer.data
    return found


async def open_ids(runtime: Runtime, query: str = "") -> list[str]:
    """The ids of a list of approvals."""
    answer = await call(runtime, "GET", "/approvals", query=query)
    assert answer.status == 200, answer.body  # noqa: PLR2004 - the contract's
    return [approval["approval_id"] for approval in answer.data]
