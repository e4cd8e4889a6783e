"""What a repeated event is compared with, where that is the stored payload itself.

Owns the reading of payloads for the sake of comparison: in pages, since few ids can stand for gigabytes. Relies on the
workers' locks. Takes no decision: it puts the digest of what is stored into the `Reading`, where a kept one would be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg

from autopilot.db.queries import load
from autopilot.runtime.append_identity import AS_STORED, Digests
from autopilot.runtime.append_plan import Reading
from autopilot.runtime.ledger_rows import Draft, payload_bounds

SQL = load("autopilot.runtime", "ledger")
PAGE_BYTES = 8 * 1024 * 1024
"""What is read at once: so many bytes, or one event."""


async def read(conn: asyncpg.Connection, found: Sequence[Any], drafts: Sequence[Draft], reading: Reading) -> None:
    """Digest what is recorded under the ids of `drafts` (`found`, rows of `find_events`) as it was sent."""
    makers = {draft.event_id: draft.digests for draft in drafts if draft.digests is not None}
    asked = [record for record in found if record["digest"] == AS_STORED and record["event_id"] in makers]
    for page in _pages(asked):
        numbers, seqs = [record["worker_no"] for record in page], [record["seq"] for record in page]
        for record in await conn.fetch(SQL.find_contents, numbers, seqs):
            known = reading.known[record["worker_no"]][record["event_id"]]
            known.said = _digest(record, makers[record["event_id"]])


def _digest(record: Any, digests: Digests) -> bytes:
    """That of the content; one that retention has kept where it took the payload in the meantime."""
    if record["digest"] != AS_STORED:
        return record["digest"]
    begin, end = payload_bounds(record["frame"])
    return digests.of_stored(record["event_type"], record["frame"][begin:end])


def _pages(records: Sequence[Any]) -> Iterator[Sequence[Any]]:
    begin = size_bytes = 0
    for place, record in enumerate(records):
        if place > begin and size_bytes + record["frame_bytes"] > PAGE_BYTES:
            yield records[begin:place]
            begin, size_bytes = place, 0
        size_bytes += record["frame_bytes"]
    if records:
        yield records[begin:]
