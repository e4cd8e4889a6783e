"""What events say of artifacts: checked before an event gets its place, announced in the transaction that records it.

Only an executor's events refer to artifacts (`payload.artifacts`, source `autopilot-desktop`). A reference that is none
is 422, one detail for each field. Relies on the worker's lock being held. Never looks at content.
Source: docs/protocol.md, "Artifacts".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from autopilot.contract import ArtifactMedia, ArtifactRef
from autopilot.contract.errors import Details, Unprocessable
from autopilot.db.queries import load
from autopilot.runtime.ledger_rows import Draft, Row
from autopilot.runtime.permissions import DESKTOP_SOURCE

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx

SQL = load("autopilot.runtime", "artifacts")

ARTIFACT_ID = re.compile(r"[0-9a-f]{32}")
MAX_REFERENCES = 1000
MAX_PATH = 1024
MAX_INTEGER = 2**53 - 1

_SHA256 = re.compile(r"[0-9a-f]{64}")
_KINDS = frozenset(ArtifactMedia)
_PLACE = "payload.artifacts"


def refers(draft: Draft) -> bool:
    """Whether this event stands for more than it holds."""
    return "artifacts" in draft.value and draft.value.get("source") == DESKTOP_SOURCE


def check(draft: Draft) -> None:
    """Refuse references that are none.

    Raises:
        Unprocessable: one detail for each field.
    """
    if refers(draft) and (faults := list(_faults(draft.value["artifacts"]))):
        raise Unprocessable(f"{faults[0]['field']} {faults[0]['message']}", details=faults)


async def after(tx: LedgerTx, rows: Sequence[Row]) -> None:
    """Announce what these events refer to."""
    said = [
        (row.worker.worker_no, row.seq, *_columns(ref))
        for row in rows
        if refers(row.draft)
        for ref in row.draft.value["artifacts"]
    ]
    if said:
        await tx.conn.execute(SQL.announce, *(list(column) for column in zip(*said, strict=True)))


def _columns(ref: dict[str, Any]) -> tuple[str, str, str, int, bytes, bool]:
    sha256 = bytes.fromhex(ref["sha256"])
    return ref["artifact_id"], ref["path"], ref["media_type"], ref["bytes"], sha256, bool(ref.get("left_out_bytes"))


def _faults(references: object) -> Iterator[dict[str, Any]]:
    if not isinstance(references, list) or len(references) > MAX_REFERENCES:
        yield _fault(_PLACE, f"must be a list of at most {MAX_REFERENCES}")
        return
    for index, given in enumerate(references):
        place = f"{_PLACE}[{index}]"
        try:
            ref = msgspec.convert(given, ArtifactRef)
        except msgspec.ValidationError as error:
            yield _fault(place, str(error).replace("`", ""))
        else:
            yield from _reference_faults(place, ref)


def _reference_faults(place: str, ref: ArtifactRef) -> Details:
    wrong = {
        "sha256": None if _SHA256.fullmatch(ref.sha256) else "must be 64 hexadecimal digits",
        "artifact_id": None if ref.artifact_id == ref.sha256[:32] else "must be the first 32 digits of sha256",
        "path": None if 1 <= len(ref.path) <= MAX_PATH and "\x00" not in ref.path else "is too long, or empty",
        "bytes": None if 1 <= ref.bytes <= MAX_INTEGER else "must be positive",
        "media_type": None if ref.media_type in _KINDS else "is none of those known",
    }
    return [_fault(f"{place}.{name}", message) for name, message in wrong.items() if message is not None]


def _fault(field: str, message: str) -> dict[str, Any]:
    return {"reason_code": "invalid_value", "field": field, "message": message}
