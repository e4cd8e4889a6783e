"""The body of `POST /workers`: each value checked, credentials taken out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from autopilot.contract.errors import Details, Unprocessable
from autopilot.contract.redaction import redact, redact_text
from autopilot.runtime.workers_ids import WORKER_ID

MAX_METADATA_BYTES = 64 * 1024
MAX_CHARACTERS = {"workspace_ref": 255, "codex_home_ref": 255, "adapter": 120}


@dataclass(frozen=True, slots=True)
class CreateWorker:
    """What a caller says of the worker it wants open; None where it says nothing."""

    worker_id: str | None
    workspace_ref: str | None
    codex_home_ref: str | None
    adapter: str | None
    metadata: str | None
    """JSON text of an object, redacted."""


def read_create(body: dict[str, Any]) -> CreateWorker:
    """The body, checked.

    Raises:
        Unprocessable: one detail for each field that is wrong.
    """
    faults: Details = []
    worker_id = body.get("worker_id")
    if worker_id is not None and not (isinstance(worker_id, str) and WORKER_ID.fullmatch(worker_id)):
        faults.append(_fault("worker_id", "must be 1 to 160 of A-Z a-z 0-9 . _ : ~ -"))
    texts = {name: body.get(name) for name in MAX_CHARACTERS}
    for name, value in texts.items():
        if value is not None and not _is_text(value, MAX_CHARACTERS[name]):
            faults.append(_fault(name, f"must be a string of at most {MAX_CHARACTERS[name]} characters"))
    metadata = body.get("metadata")
    encoded: str | None = None
    if metadata is not None:
        encoded = msgspec.json.encode(redact(metadata)).decode()
        if not isinstance(metadata, dict) or len(encoded) > MAX_METADATA_BYTES:
            faults.append(_fault("metadata", f"must be an object of at most {MAX_METADATA_BYTES} bytes"))
    if faults:
        raise Unprocessable(f"{faults[0]['field']} {faults[0]['message']}", details=faults)
    said = {name: None if value is None else redact_text(value) for name, value in texts.items()}
    return CreateWorker(worker_id=worker_id, metadata=encoded, **said)


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and "\0" not in value


def _fault(field: str, message: str) -> dict[str, Any]:
    return {"reason_code": "invalid_value", "field": field, "message": message}
