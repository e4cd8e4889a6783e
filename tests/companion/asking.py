"""Questions of a real Codex as people meet them: asked for in a turn, found in the list, decided, seen to end."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.companion.installation import PATIENCE_SECONDS, Installation

from autopilot.contract import Approval, Envelope

UNTRUSTED = {"approvalPolicy": "untrusted", "sandbox": "danger-full-access"}
"""Codex asks for every command."""
LOOK_SECONDS = 0.05


async def asking_thread(installation: Installation, **more: Any) -> str:
    """A new thread in which Codex asks for every command; its worker."""
    params = {"cwd": str(installation.project), **UNTRUSTED, **more}
    outcome = await installation.machine_request("thread/start", params)
    assert outcome.state == "completed", outcome
    return outcome.response["worker_id"]


async def pending(installation: Installation, number: int = 1) -> list[Approval]:
    """So many open questions, waited for."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(found := (await installation.owner.approvals()).approvals) < number:  # noqa: ASYNC110  # Codex asks
            await asyncio.sleep(LOOK_SECONDS)
    return list(found)


async def decide(installation: Installation, approval: Approval, option_id: str, **more: Any) -> Approval:
    return await installation.owner.decide(approval.approval_id, option_id, **more)


async def ended(installation: Installation, approval: Approval) -> Approval:
    """The approval, once it has ended."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (found := await installation.owner.approval(approval.approval_id)).ended_at is None:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
    return found


def end(approval: Approval) -> tuple[str, str | None, str | None]:
    return approval.state, approval.outcome, approval.closed_reason


def of_approvals(log: list[Envelope]) -> list[str]:
    """What the log says of questions, in order."""
    prefix = "worker.approval."
    return [event.eventType.removeprefix(prefix) for event in log if event.eventType.startswith(prefix)]
