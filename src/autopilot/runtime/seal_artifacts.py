"""Whether what is stored beside a log is what its events say: part of a verification. Only reads.

An event names the digest of the whole, and the event is sealed. So an artifact that was neither redacted when it was
stored nor cut off must have that digest; of one that was, only the digest that was made then is known, and it is proved
no more than the row that holds it. What retention took is not there to be looked at.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import msgspec

from autopilot.runtime.artifacts_events import SQL
from autopilot.runtime.artifacts_store import digest_of


class _Ref(msgspec.Struct, frozen=True):
    artifact_id: Any = None
    sha256: Any = None


class _Payload(msgspec.Struct, frozen=True):
    artifacts: tuple[_Ref, ...] = ()


class _Frame(msgspec.Struct, frozen=True):
    payload: _Payload = _Payload()


class Broken(NamedTuple):
    """An artifact that is not what it should be."""

    seq: int
    what: str
    """Begins with a verb."""


async def broken(conn: Any, worker_id: str) -> AsyncIterator[Broken | None]:
    """For each artifact that is stored for this log, None where it is sound."""
    for record in await conn.fetch(SQL.of_log, worker_id):
        what = await _trouble(conn, record)
        name = f"refers to the artifact {record['artifact_id']}, which"
        yield None if what is None else Broken(record["last_seq"], f"{name} {what}")


async def _trouble(conn: Any, record: Any) -> str | None:
    said = None if record["frame"] is None or record["pruned"] else _said(record["frame"], record["artifact_id"])
    if said is not None and said != record["sha256"].hex():
        return "is noted as another one"
    if said is None and record["frame"] is not None and not record["pruned"]:
        return "it does not name"
    found = await digest_of(conn, record)
    whole = not record["redacted"] and record["stored_bytes"] == record["bytes"]
    if found != (record["sha256"] if whole else record["stored_sha256"]):
        return "is not what was stored"
    return None


def _said(frame: str, artifact_id: str) -> str | None:
    try:
        refs = msgspec.json.decode(frame, type=_Frame).payload.artifacts
    except msgspec.DecodeError:
        return None
    return next((str(ref.sha256) for ref in refs if ref.artifact_id == artifact_id), None)
