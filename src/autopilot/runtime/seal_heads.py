"""What others are shown of the chain of seals: its head, and what it has in the place of a head that they keep.

Only reads. A machine that keeps the head finds a chain that was cut back, or made anew with a stolen key, which the
database alone can't tell. Source: docs/protocol.md, "Tamper evidence".
"""

from __future__ import annotations

from typing import Any

from autopilot.contract import SealHead
from autopilot.db.queries import load
from autopilot.runtime.seal_chain import Head

SQL = load("autopilot.runtime", "seal")


async def shown(conn: Any, kept: SealHead | None) -> dict[str, Any]:
    """The latest seal, and the one at the number of `kept`, of one moment, as the contract shows them."""
    number = None if kept is None else kept.seal_no
    found = [Head(record["seal_no"], record["digest"]) for record in await conn.fetch(SQL.heads, number)]
    there = next((head for head in found if head.seal_no == number), None)
    return {"latest_seal": _shown(next(iter(found), None)), "seal_there": _shown(there)}


def _shown(head: Head | None) -> dict[str, Any] | None:
    return None if head is None else {"seal_no": head.seal_no, "digest": head.digest.hex()}
