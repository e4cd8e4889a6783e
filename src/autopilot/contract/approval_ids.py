"""What names an approval: the same question of the same Codex process gets the same id, on every side.

Codex's own ids restart at 0 in every process, so an id is made of worker, app-server incarnation, Codex's id and item
(docs/protocol.md, "Approvals"). Pure.
"""

from __future__ import annotations

import hashlib
import json

PREFIX = "ap_"
DIGITS = 32
"""Hexadecimal digits: 128 bits."""


def approval_id(worker_id: str, incarnation: str, codex_request_id: str | int, item_id: str | None) -> str:
    """The id of one question."""
    identity = json.dumps([worker_id, incarnation, codex_request_id, item_id], ensure_ascii=True, separators=(",", ":"))
    return PREFIX + hashlib.sha256(identity.encode()).hexdigest()[:DIGITS]
