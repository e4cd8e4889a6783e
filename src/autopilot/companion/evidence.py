"""What a question about an item will need: Codex tells it once, in `item/started`, and not again with the question.

Pure. Kept with the open item until that is completed (threads.py), so that a companion that is started in between has
it: as its event has it, large diffs with head and tail, and with what refers to the whole of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from autopilot.companion.codex import large
from autopilot.companion.codex.translate import Event

TYPES = frozenset({"commandExecution", "fileChange", "mcpToolCall"})


class _Params(msgspec.Struct, frozen=True):
    item: msgspec.Raw = msgspec.Raw(b"")


class _Payload(msgspec.Struct, frozen=True):
    params: _Params = _Params()
    artifacts: list[dict[str, Any]] = []


def kept(event: Event) -> bytes | None:
    """What to keep of an `item/started`; None: nothing."""
    if event.item_type not in TYPES:
        return None
    payload = msgspec.json.decode(event.payload, type=_Payload)
    if not payload.artifacts or not payload.params.item:
        return bytes(payload.params.item) or None
    item = msgspec.json.decode(payload.params.item)
    named(item.get("changes"), payload.artifacts, "/params/item/changes")
    return msgspec.json.encode(item)


def named(changes: Any, refs: Sequence[Mapping[str, Any]], path: str) -> None:
    """Put into changes what refers to the whole of each: its own artifact, or that of everything."""
    entries = changes.items() if isinstance(changes, dict) else enumerate(changes if isinstance(changes, list) else ())
    whole = next((ref for ref in refs if ref.get("path") == "/params"), None)
    own = {rest.partition("/")[0]: ref for rest, ref in large.below(refs, path)}
    for key, change in entries:
        ref = own.get(large.escaped(str(key)), whole)
        if isinstance(change, dict) and ref is not None:
            change["artifact"] = ref
