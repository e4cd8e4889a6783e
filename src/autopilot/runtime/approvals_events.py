"""What executors say of approvals, checked: `worker.approval.requested|applied|superseded|closed`.

Pure. A payload that is none is 422, one detail for each field; nothing of it is in a detail. The id of a question is
made anew here and compared, so that no executor can name a question it was not asked.
Source: docs/runtime-contract.md, "Approvals".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from autopilot.contract import ApprovalEnd, ApprovalRequest
from autopilot.contract.approval_ids import approval_id
from autopilot.contract.errors import Details, Unprocessable
from autopilot.runtime.ledger_rows import Draft, Worker

REQUESTED = "worker.approval.requested"
DECIDED = "worker.approval.decided"
REOPENED = "worker.approval.reopened"
EXPIRED = "worker.approval.expired"
CLOSED = "worker.approval.closed"
ENDS = {
    "worker.approval.applied": "applied",
    "worker.approval.superseded": "superseded",
    EXPIRED: "expired",
    CLOSED: "closed",
}
"""Events that end an approval, and the state each leads to."""

MAX_INCARNATION = 120
MIN_TTL_MS, MAX_TTL_MS = 1_000, 604_800_000
MAX_OPTION_ID = 255

_WORD = re.compile(r"[a-z0-9_]{1,64}")
_ID = re.compile(r"[A-Za-z0-9._:~-]{1,160}")
_METHOD = re.compile(r"[!-~]{1,255}")
_AT = re.compile(r" - at `\$\.?(?P<field>[^`]*)`$")
_PLACE = "payload.approval"

Message = TypeVar("Message", ApprovalRequest, ApprovalEnd)


def check(worker: Worker, draft: Draft) -> None:
    """Refuse an event about an approval that says it wrongly; any other event passes.

    Raises:
        Unprocessable: one detail for each field.
    """
    if draft.event_type == REQUESTED:
        _refuse(list(_request_faults(worker, draft.value)))
    elif draft.event_type in ENDS:
        _refuse(list(_end_faults(_read(draft.value, ApprovalEnd))))


def _request_faults(worker: Worker, payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    asked = _read(payload, ApprovalRequest)
    if not isinstance(payload.get("params"), (dict, type(None))):
        yield _fault("payload.params", "must be an object")
    codex_id = asked.codex_request_id
    if not isinstance(codex_id, (int, str)) or isinstance(codex_id, bool):
        yield _fault(f"{_PLACE}.codex_request_id", "must be a number or a string")
    elif asked.approval_id != approval_id(worker.worker_id, asked.incarnation, codex_id, asked.item_id):
        yield _fault(f"{_PLACE}.approval_id", "is not the id of this worker, incarnation, codex_request_id and item_id")
    if not 1 <= len(asked.incarnation) <= MAX_INCARNATION:
        yield _fault(f"{_PLACE}.incarnation", f"must have 1 to {MAX_INCARNATION} characters")
    if not _WORD.fullmatch(asked.kind):
        yield _fault(f"{_PLACE}.kind", "must be a word of a-z 0-9 _")
    if not _METHOD.fullmatch(asked.method):
        yield _fault(f"{_PLACE}.method", "must be 1 to 255 printable ASCII characters without spaces")
    if asked.ttl_ms is not None and not MIN_TTL_MS <= asked.ttl_ms <= MAX_TTL_MS:
        yield _fault(f"{_PLACE}.ttl_ms", f"must be from {MIN_TTL_MS} to {MAX_TTL_MS}")
    yield from _option_faults(asked)


def _option_faults(asked: ApprovalRequest) -> Iterator[dict[str, Any]]:
    if asked.answerable and not asked.options:
        yield _fault(f"{_PLACE}.options", "must not be empty where it can be answered from here")
    seen: set[str] = set()
    for index, option in enumerate(asked.options):
        place = f"{_PLACE}.options[{index}].option_id"
        if not 1 <= len(option.option_id) <= MAX_OPTION_ID:
            yield _fault(place, f"must have 1 to {MAX_OPTION_ID} characters")
        if option.option_id in seen:
            yield _fault(place, "is the id of another option too")
        seen.add(option.option_id)


def _end_faults(end: ApprovalEnd) -> Iterator[dict[str, Any]]:
    if not _ID.fullmatch(end.approval_id):
        yield _fault(f"{_PLACE}.approval_id", "must be 1 to 160 of A-Z a-z 0-9 . _ : ~ -")
    for name, word in (("outcome", end.outcome), ("reason", end.reason)):
        if word is not None and not _WORD.fullmatch(word):
            yield _fault(f"{_PLACE}.{name}", "must be a word of a-z 0-9 _")


def _read(payload: dict[str, Any], kind: type[Message]) -> Message:
    """`payload.approval` as this message.

    Raises:
        Unprocessable: a field is missing, or of another type.
    """
    try:
        return msgspec.convert(payload.get("approval"), kind)
    except msgspec.ValidationError as error:
        found = _AT.search(str(error))
        field = f"{_PLACE}.{found['field']}" if found else _PLACE
        message = str(error)[: found.start()] if found else str(error)
        raise Unprocessable(f"{field} {message}", details=[_fault(field, message)]) from None


def _refuse(faults: Details) -> None:
    if faults:
        raise Unprocessable(f"{faults[0]['field']} {faults[0]['message']}", details=faults)


def _fault(field: str, message: str) -> dict[str, Any]:
    return {"reason_code": "invalid_value", "field": field, "message": message}
