"""The making of a session, without pixels: where it may be, what its policies say, its thread, and its first words.

Two requests make a session: the thread, asked of its machine, and then its first turn. Each has an id of its own, made
of the draft's, so that asking again is the same request. Owns no state: the web keeps it in a form, the phone in
`new_session_store.py`. Never decides what may be asked for: the policies' own dry run says that.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.presenters import machines as words
from autopilot.client.presenters import new_session as said
from autopilot.client.presenters import rights
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.receipts import state_of
from autopilot.client.saying import said as words_said
from autopilot.contract import Machine, WorkerSummary
from autopilot.contract.errors import AutopilotError, Conflict, NotFound

WORKERS = 200
FOLDERS = 12
MODELS_WAIT_MS = 10_000
_FIELDS = {
    "sandbox": ("sandbox", "policy_denied.sandbox"),
    "approvals": ("approvalPolicy", "policy_denied.approval_policy"),
}
"""Of a draft: as Codex names it, and the reason of a policy that forbids a value of it."""


def new_request_id() -> str:
    """The id of a session's first request."""
    return f"new-{uuid.uuid4()}"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is filled in."""

    machine_id: str = ""
    prompt: str = ""
    folder: str = ""
    model: str = ""
    """Empty: the machine's default."""
    sandbox: str = said.SANDBOXES[0].value
    approvals: str = said.APPROVALS[0].value
    request_id: str = field(default_factory=new_request_id, compare=False)

    @property
    def is_full(self) -> bool:
        """Whether it may go as far as there is, or asks nobody."""
        return self.sandbox == said.SANDBOXES[-1].value or self.approvals == said.APPROVALS[-1].value


@dataclass(frozen=True, slots=True)
class Model:
    """One that can be chosen."""

    name: str
    """As Codex wants to hear it."""
    label: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Ways:
    """How a session may be started on a machine, what its policies forbid with why."""

    sandboxes: tuple[said.Way, ...] = said.SANDBOXES
    approvals: tuple[said.Way, ...] = said.APPROVALS


def thread_params(draft: Draft) -> dict[str, Any]:
    """What the thread is started with; what is not said is the machine's default."""
    named = {
        "cwd": draft.folder.strip(),
        "model": draft.model.strip(),
        "sandbox": draft.sandbox,
        "approvalPolicy": draft.approvals,
    }
    return {name: value for name, value in named.items() if value}


# Where, and with what.


async def machines_to_ask(client: RuntimeCodexClient, now: datetime) -> list[Machine]:
    """Those that one may ask for a session, the heard ones first.

    Raises:
        AutopilotError: they can't be had.
    """
    return to_ask(await client.machines(), now)


def to_ask(machines: Sequence[Machine], now: datetime) -> list[Machine]:
    """Of these the ones to ask, the heard ones first."""
    askable = [one for one in machines if rights.may_operate(one)]
    return sorted(askable, key=lambda one: (not words.is_heard(one, now), words.name_of(one).lower()))


async def folders_of(client: RuntimeCodexClient, machine_id: str) -> list[str]:
    """Where its workers are, the latest first.

    Raises:
        AutopilotError: they can't be had.
    """
    page = await client.list_workers(machine_id=machine_id, limit=WORKERS)
    return folders_among(page.workers, machine_id)


def folders_among(workers: Iterable[WorkerSummary], machine_id: str) -> list[str]:
    """Of these workers (the latest first) where those of a machine are."""
    found = [
        worker.cwd.value
        for worker in workers
        if worker.cwd is not None and worker.machine is not None and worker.machine.machine_id == machine_id
    ]
    return list(dict.fromkeys(found))[:FOLDERS]


async def models_of(client: RuntimeCodexClient, machine_id: str) -> tuple[Model, ...] | str:
    """The models that its Codex knows; else why they are not known.

    Raises:
        AutopilotError: it can't be asked at all.
    """
    answer = await client.machine_request(machine_id, "model/list", {}, wait_ms=MODELS_WAIT_MS)
    data = answer.response.get("data") if answer.ok and isinstance(answer.response, dict) else None
    if not isinstance(data, list):
        message = (answer.error or {}).get("message")
        return str(message or state_of(answer.state, machine_unreachable=answer.machine_unreachable is True).text)
    return tuple(_model(one) for one in data if isinstance(one, dict) and one.get("hidden") is not True)


def _model(told: dict[str, Any]) -> Model:
    name = str(told.get("model") or told.get("id") or "")
    return Model(name, str(told.get("displayName") or name), told.get("isDefault") is True)


# What policies say.


async def ways_of(client: RuntimeCodexClient, folder: str, team_id: str | None) -> Ways:
    """What may be chosen on a machine of this team; what nobody can say is left to the request itself."""
    async with asyncio.TaskGroup() as group:
        sandboxes = [group.create_task(_way(client, one, "sandbox", folder, team_id)) for one in said.SANDBOXES]
        approvals = [group.create_task(_way(client, one, "approvals", folder, team_id)) for one in said.APPROVALS]
    return Ways(tuple(one.result() for one in sandboxes), tuple(one.result() for one in approvals))


async def _way(client: RuntimeCodexClient, way: said.Way, name: str, folder: str, team_id: str | None) -> said.Way:
    about, reason = _FIELDS[name]
    params = {about: way.value} | ({"cwd": folder} if folder else {})
    if name == "approvals":
        params["sandbox"] = said.SANDBOXES[0].value
    try:
        verdict = await client.try_policy("thread/start", params, team_id=team_id)
    except AutopilotError:  # the request itself will tell
        return way
    denial = verdict.denial
    is_about_it = denial is not None and denial.reason_code == reason
    return replace(way, forbidden=said.forbidden_words(denial)) if denial is not None and is_about_it else way


async def verdict_on(client: RuntimeCodexClient, draft: Draft, team_id: str | None) -> Label:
    """What policies would say to the session as it is filled in, or that they could not be asked."""
    try:
        verdict = await client.try_policy("thread/start", thread_params(draft), team_id=team_id)
    except AutopilotError as error:
        return Label(f"Whether policies allow this could not be asked: {error.message}")
    return said.verdict_words(verdict, is_full=draft.is_full)


# Starting.


async def ask_for_thread(client: RuntimeCodexClient, draft: Draft, *, wait_ms: int) -> said.Progress:
    """Ask the machine for the thread; the same draft again is the same request.

    Raises:
        Forbidden: a policy says no, or a proof is needed.
        AutopilotError: no such machine, or nobody could be asked.
    """
    try:
        outcome = await client.machine_request(
            draft.machine_id, "thread/start", thread_params(draft), request_id=draft.request_id, wait_ms=wait_ms
        )
    except Conflict as error:
        if error.reason_code != "different_content":
            raise
        return said.Progress("rejected", Label(said.OTHER_WORDS, "bad"))
    return said.progress(outcome)


async def look_at_thread(client: RuntimeCodexClient, draft: Draft) -> said.Progress:
    """How far it is now.

    Raises:
        AutopilotError: that can't be had.
    """
    return said.progress(await client.machine_receipt(draft.machine_id, draft.request_id))


async def take_thread_back(client: RuntimeCodexClient, draft: Draft) -> said.Progress:
    """Ask for it no more, if that comes in time.

    Raises:
        AutopilotError: that can't be said.
    """
    return said.progress(await client.cancel_machine_request(draft.machine_id, draft.request_id))


async def say_first_words(client: RuntimeCodexClient, draft: Draft, worker_id: str) -> bool:
    """Store its words with the worker; False where its log is not open yet: its machine answers before it is.

    Raises:
        AutopilotError: they were not taken.
    """
    prompt = draft.prompt.strip()
    try:
        if prompt:
            method, params = words_said("send", prompt)
            request_id = f"{draft.request_id}-turn"
            await client.request(worker_id, method, params, request_id=request_id, wait_ms=0)
        else:
            await client.worker(worker_id)
    except NotFound:
        return False
    return True
