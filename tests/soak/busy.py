"""The other side of the soak: a machine with a busy worker, whose network is well."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

from autopilot.client import RuntimeCodexClient
from autopilot.client.clock import SYSTEM_CLOCK
from autopilot.contract import AppendEvent
from autopilot.testing import approvals
from autopilot.testing.approvals import question

RECORDINGS = Path(__file__).parents[1] / "client" / "recordings"
SCENES = ("s01_basic_turn", "s06_patch_auto", "s15_background_command", "s11_provider_errors")
MACHINE, WORKER = "machine-1", "w"


class Machine:
    """Appends what Codex said, asks questions, carries out what it is fed; each request once."""

    def __init__(self, client: RuntimeCodexClient, generation: int, rng: random.Random) -> None:
        self.carried_out: list[str] = []
        self.asked: list[str] = []
        self._client = client
        self._generation = generation
        self._rng = rng
        self._numbers = itertools.count(1)

    async def append(self, event_type: str, payload: dict, event_id: str | None = None) -> None:
        """One event, under the lease."""
        event = AppendEvent(event_type=event_type, payload=payload, event_id=event_id or f"e{next(self._numbers)}")
        await self._client.append_events(WORKER, [event], generation=self._generation)

    async def work(self) -> None:
        """Say what was recorded, over and over, a few events at a time."""
        messages = [
            json.loads(line)
            for name in SCENES
            for line in (RECORDINGS / f"{name}.jsonl").read_text("utf-8").splitlines()
        ]
        source = itertools.cycle(messages)
        while True:
            batch = [self._said(next(source)) for _ in range(self._rng.randrange(1, 6))]
            await self._client.append_events(WORKER, batch, generation=self._generation)
            await SYSTEM_CLOCK.sleep(self._rng.random() * 0.3)

    async def ask(self) -> None:
        """Ask a question now and then, and see to its end."""
        while True:
            await SYSTEM_CLOCK.sleep(2 + self._rng.random() * 4)
            asked = question(WORKER, next(self._numbers))
            self.asked.append(asked["approval_id"])
            await self.append("worker.approval.requested", approvals.asked(asked))

    async def carry_out(self) -> None:
        """Do what it is fed, and report the end through the log."""
        async with self._client.follow_feed(MACHINE, cursor=0) as feed:
            async for entry in feed:
                if entry.kind == "request" and entry.request_id not in self.carried_out:
                    self.carried_out.append(entry.request_id)
                    said = {"source": "autopilot-desktop", "request_id": entry.request_id, "method": "turn/start"}
                    await self.append(
                        "worker.response", {**said, "ok": True, "response": {}}, f"end:{entry.request_id}"
                    )
                elif entry.kind == "decision":
                    approval_id = (entry.body or {})["approval_id"]
                    ended = approvals.ended(approval_id, "accepted")
                    await self.append("worker.approval.applied", ended, f"end:{approval_id}")
                await self._client.ack_feed(MACHINE, entry.feed_seq)

    def _said(self, message: dict) -> AppendEvent:
        kind = "worker.error" if message["method"] == "error" else "worker.event"
        payload = {"source": "autopilot-desktop", "method": message["method"], "params": message["params"]}
        return AppendEvent(event_type=kind, payload=payload, event_id=f"e{next(self._numbers)}")
