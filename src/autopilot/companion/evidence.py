"""What a question about an item will need: Codex tells it once, in `item/started`, and not again with the question.

Pure. Kept with the open item until that is completed (threads.py), so that a companion that is started in between has
it; big diffs are cut, and say so.
"""

from __future__ import annotations

from typing import Any

import msgspec

from autopilot.companion.codex.forms_actions import ALL_DIFFS_CHARACTERS, DIFF_CHARACTERS, FILES
from autopilot.companion.codex.translate import Event

TYPES = frozenset({"commandExecution", "fileChange", "mcpToolCall"})
MAX_BYTES = 1024 * 1024


class _Payload(msgspec.Struct, frozen=True):
    params: msgspec.Raw = msgspec.Raw(b"{}")


class _Params(msgspec.Struct, frozen=True):
    item: msgspec.Raw = msgspec.Raw(b"")


def kept(event: Event) -> bytes | None:
    """What to keep of an `item/started`; None: nothing."""
    if event.item_type not in TYPES:
        return None
    item = bytes(msgspec.json.decode(msgspec.json.decode(event.payload, type=_Payload).params, type=_Params).item)
    if len(item) <= MAX_BYTES:
        return item or None
    cut = msgspec.json.encode(_cut(msgspec.json.decode(item)))
    return cut if len(cut) <= MAX_BYTES else None


def _cut(item: dict[str, Any]) -> dict[str, Any]:
    changes = item.get("changes")
    if not isinstance(changes, list):
        return item
    room = ALL_DIFFS_CHARACTERS
    fewer: list[Any] = []
    for change in changes[:FILES]:
        diff = change.get("diff") if isinstance(change, dict) else None
        if isinstance(diff, str) and len(diff) > min(room, DIFF_CHARACTERS):
            change["diff"] = diff = diff[: min(room, DIFF_CHARACTERS)]
            change["truncated"] = True
        room -= len(diff or "")
        fewer.append(change)
    return {**item, "changes": fewer}
