"""Threads of a machine that are no workers yet: listed by its Codex, and taken up on request.

Relies on the machine's answers to `thread/list` and `thread/resume`. Owns no state.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.receipts import state_of
from autopilot.contract import RequestOutcome
from autopilot.contract.errors import NotFound

MOST = 50
KNOWN = 200
WAIT_MS = 20_000
WORDS = 160
NONE = "Its Codex knows no thread that ever had a turn."
MEANS = "Taking one up makes it a session here, with its history. Nothing runs by that."


@dataclass(frozen=True, slots=True)
class OlderThread:
    """One that its Codex named."""

    thread_id: str
    title: str
    folder: str
    worker_id: str | None
    """The worker that it is already."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of taking one up."""

    label: Label
    worker_id: str | None = None
    is_open: bool = False
    """Whether its log can be read: its machine answers before it can."""


def new_request_id() -> str:
    """The id of one adoption: asked again with it, it is the same."""
    return f"adopt-{uuid.uuid4()}"


async def older_threads(client: RuntimeCodexClient, machine_id: str) -> tuple[OlderThread, ...] | str:
    """Those that its Codex names, the latest first; else why it names none.

    Raises:
        AutopilotError: the machine can't be asked at all.
    """
    params = {"limit": MOST, "sortKey": "updated_at"}
    answer = await client.machine_request(machine_id, "thread/list", params, wait_ms=WAIT_MS)
    data = answer.response.get("data") if answer.ok and isinstance(answer.response, dict) else None
    if not isinstance(data, list):
        return _why(answer).text
    page = await client.list_workers(limit=KNOWN)
    known = {worker.worker_id.rpartition(":")[2]: worker.worker_id for worker in page.workers}
    return tuple(_thread(one, known) for one in data if isinstance(one, dict) and one.get("id"))


async def adopt(client: RuntimeCodexClient, machine_id: str, thread_id: str, request_id: str) -> Adopted:
    """Have the machine take one up.

    Raises:
        AutopilotError: the machine can't be asked at all.
    """
    params = {"threadId": thread_id}
    answer = await client.machine_request(machine_id, "thread/resume", params, request_id=request_id, wait_ms=WAIT_MS)
    said = answer.response.get("worker_id") if answer.ok and isinstance(answer.response, dict) else None
    worker_id = answer.worker_id or (said if isinstance(said, str) else None)
    if worker_id is None:
        return Adopted(_why(answer))
    return Adopted(Label("It is here.", "good"), worker_id, await _is_open(client, worker_id))


async def _is_open(client: RuntimeCodexClient, worker_id: str) -> bool:
    try:
        await client.worker(worker_id)
    except NotFound:
        return False
    return True


def _thread(told: dict[str, Any], known: dict[str, str]) -> OlderThread:
    thread_id = str(told["id"])
    title = str(told.get("name") or told.get("preview") or "Without words")[:WORDS]
    return OlderThread(thread_id, title, str(told.get("cwd") or ""), known.get(thread_id))


def _why(answer: RequestOutcome) -> Label:
    """What became of it instead."""
    message = (answer.error or {}).get("message")
    label = state_of(answer.state, machine_unreachable=answer.machine_unreachable is True)
    said = f"{label.text}: {message}" if isinstance(message, str) and message else f"{label.text}."
    return Label(said, label.tone)
