"""The timeline over logs that retention went through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autopilot.client import Timeline
from autopilot.contract import Actor, Envelope
from autopilot.runtime.retention_spent import PREVIEWS

RECORDINGS = sorted((Path(__file__).parent / "recordings").glob("*.jsonl"))


def logged(path: Path, *, pruned: frozenset[str] = frozenset()) -> list[Envelope]:
    messages = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    done = {
        message["params"]["item"]["id"]: seq
        for seq, message in enumerate(messages)
        if message["method"] == "item/completed"
    }
    return [
        Envelope(
            workerId="w",
            seq=seq + 1,
            eventType="worker.error" if method == "error" else "worker.event",
            payload={"method": method, "pruned": True}
            if method in pruned and seq < done.get(params.get("itemId"), 0)
            else {"method": method, "params": params},
            occurredAt=f"t{seq}",
            actor=Actor(surface="companion", machine_id="m"),
            xRequestId="x",
        )
        for seq, message in enumerate(messages)
        for method, params in [(message["method"], message["params"])]
    ]


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_without_its_previews_a_turn_ends_the_same(path):
    def shown(events):
        return [
            (item.key, item.kind, item.status, item.preview, getattr(item, "text", ""), getattr(item, "output", ""))
            for item in Timeline().fold(events).items
        ]

    assert shown(logged(path, pruned=PREVIEWS)) == shown(logged(path))
