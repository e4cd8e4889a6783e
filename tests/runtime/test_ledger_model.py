"""The ledger against a model of a dozen lines, over random histories of everything that can happen to one log."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count

import anyio
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from autopilot.contract import worker_facts
from autopilot.contract.port import Claims
from autopilot.runtime.app import build
from autopilot.testing.runtime import OWNER, call

MACHINE = Claims(user_id=1, machine_id="m", scopes=frozenset({"execute"}), surface="companion")
CONTENTS = [
    {"method": "turn/started", "params": {}},
    {"method": "turn/completed", "params": {"turn": {"status": "failed"}}},
    {"method": "thread/name/updated", "params": {"threadName": "Title"}},
    {"method": "thread/started", "params": {"thread": {"cwd": "/p", "preview": "Hello", "status": {"type": "idle"}}}},
    {"source": "autopilot-ios", "method": "note"},
    {"method": "item/agentMessage/delta", "params": {"delta": "some"}},
    {"method": "item/agentMessage/delta", "params": {"delta": "more"}},
    {"method": "item/agentMessage/delta", "params": {"delta": "words"}},
]
items = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, len(CONTENTS) - 1)), min_size=1, max_size=5)
numbers = count(1)


@dataclass
class Event:
    event_id: str
    content: int | None
    """None: written by an executor or the runtime, whose ids alone identify."""


class Ledger(RuleBasedStateMachine):
    """One worker's log and what it should be."""

    runtimes = ()
    """Two processes of one installation."""

    def __init__(self):
        super().__init__()
        self.here = 0
        self.worker = f"w{next(numbers)}"
        self.log: list[Event] = []
        self.open = True
        self.generation = 0
        self.held = False
        self.producer = 0
        self.earlier = (0, {})

    def call(self, method, path="", body=None, claims=OWNER, query=""):
        target = f"/workers/{self.worker}{path}" if path != "/workers" else path
        return anyio.from_thread.run(
            partial(call, self.runtimes[self.here], method, target, body, claims=claims, query=query)
        )

    def grow(self, *events: Event):
        self.log += events

    @initialize()
    def create(self):
        assert self.call("POST", "/workers", {"worker_id": self.worker}).status == 202
        self.grow(Event("started", None))

    @rule()
    def go_to_the_other_process(self):
        self.here = 1 - self.here

    @rule(items=items)
    def append_as_owner(self, items):
        self.append(items)

    def append(self, items):
        events = [{"event_type": "worker.event", "event_id": name, "payload": CONTENTS[n]} for name, n in items]

        answer = self.call("POST", "/events", {"events": events})

        expected, fresh, problem = self.expect(items, executor=False)
        if problem is None and fresh and not self.open:
            problem = "worker_stopped"
        self.settle(answer, expected, fresh, problem)

    @precondition(lambda self: self.generation)
    @rule(batches=st.lists(st.tuples(items, st.sampled_from([0, 0, 0, 1]), st.sampled_from([0, 0, 0, 1])), max_size=4))
    def append_as_executor(self, batches):
        for items, behind, skipped in batches:
            self.execute(items, behind, skipped)

    def execute(self, items, behind, skipped):
        first = self.producer + 1 + skipped
        events = [
            {"event_type": "worker.event", "event_id": name, "payload": CONTENTS[n], "producer_seq": first + place}
            for place, (name, n) in enumerate(items)
        ]
        body = {"events": events, "generation": max(1, self.generation - behind)}

        answer = self.call("POST", "/events", body, MACHINE)

        expected, fresh, problem = self.expect(items, executor=True)
        if skipped:
            problem = "gap"
        elif fresh and (body["generation"] != self.generation or not self.held):
            problem = "fenced"
        self.settle(answer, expected, fresh, problem)
        if problem is None:
            self.producer += len(items)

    @precondition(lambda self: self.held)
    @rule()
    def beat(self):
        self.producer += 1
        beat = {"event_type": "worker.heartbeat", "producer_seq": self.producer}
        assert self.call("POST", "/events", {"event": beat, "generation": self.generation}, MACHINE).status == 202

    def expect(self, items, *, executor):
        """Places of the items, those that are new, and the conflict among them."""
        known = {event.event_id: (seq, event.content) for seq, event in enumerate(self.log, 1)}
        expected, fresh = [], []
        for name, content in items:
            if name not in known:
                known[name] = (len(self.log) + len(fresh) + 1, None if executor else content)
                fresh.append(Event(*[name, known[name][1]]))
                expected.append((known[name][0], False))
                continue
            seq, was = known[name]
            if not executor and was is not None and was != content:
                return [], fresh, "different_content"
            expected.append((seq, True))
        return expected, fresh, None

    def settle(self, answer, expected, fresh, problem):
        if problem is not None:
            assert (answer.status, answer.reason) == (409, problem)
            return
        assert answer.status == 202
        assert [(item["seq"], item["duplicate"]) for item in answer.data] == expected
        self.grow(*fresh)

    @precondition(lambda self: self.open)
    @rule()
    def claim(self):
        answer = self.call("POST", "/lease", {"machine_id": "m", "ttl_ms": 60_000}, MACHINE)

        assert answer.status == 200
        self.generation += 1
        self.held = True
        assert answer.data["generation"] == self.generation
        self.grow(Event("claimed", None))

    @precondition(lambda self: self.open and (self.held or not self.generation))
    @rule()
    def stop(self):
        body = {"event": {"event_type": "worker.stopped", "payload": {"reason": "done"}}}

        answer = self.call("POST", "/events", body, MACHINE if self.held else OWNER)

        assert answer.status == 202
        if self.held:
            self.grow(Event("released", None))
        self.grow(Event(answer.data["event_id"], None))
        assert answer.data["seq"] == len(self.log)
        self.open = self.held = False

    @rule()
    def reattach(self):
        answer = self.call("POST", "/workers", {"worker_id": self.worker})

        assert (answer.status, answer.data["idempotentReplay"]) == ((200, True) if self.open else (202, False))
        if not self.open:
            self.grow(Event("reattached", None))
        self.open = True
        assert answer.data["latestSeq"] == len(self.log)

    @rule(share=st.floats(0, 1), limit=st.integers(1, 7))
    def read(self, share, limit):
        place = int(share * len(self.log))

        after = self.call("GET", "/events", query=f"after={place}&limit={limit}")
        before = self.call("GET", "/events", query=f"before={place + 1}&limit={limit}")

        seqs = list(range(1, len(self.log) + 1))
        assert [envelope["seq"] for envelope in after.data] == seqs[place : place + limit]
        assert [envelope["seq"] for envelope in before.data] == seqs[max(0, place - limit) : place]

        stream = self.call("GET", "/stream", query=f"cursor={place}&tail_ms=1")
        ids = [int(line[4:]) for line in stream.body.decode().split("\n") if line.startswith("id: ")]
        assert ids == seqs[place:]

    @rule()
    def fold_what_came_since_the_last_snapshot_onto_it(self):
        seq, facts = self.earlier
        while page := self.call("GET", "/events", query=f"after={seq}").data:
            for envelope in page:
                seq = envelope["seq"]
                facts = worker_facts.fold(facts, seq, envelope["eventType"], envelope["payload"])

        found = self.call("GET", "/snapshot").data
        assert facts == self.facts(found)
        self.earlier = (found["latest_seq"], facts)

    def facts(self, found):
        return {name: found[name] for name in worker_facts.NAMES if found[name] is not None}

    @invariant()
    def the_head_is_where_the_log_ends(self):
        if self.log:
            found = self.call("GET", "/snapshot").data
            assert (found["latest_seq"], found["status"]) == (len(self.log), "running" if self.open else "stopped")


@pytest.mark.slow
@pytest.mark.endurance
@pytest.mark.timeout(900)  # all 200 histories of 40 steps; a change runs a tenth of them
async def test_every_history_leaves_the_log_that_the_model_says(runtime, database, settings):
    async with await build(settings, dsn=database) as other:
        await run_histories(runtime, other)


async def run_histories(runtime, other):
    registered = await call(runtime, "POST", "/machines", {"machine_id": "m", "name": "desk"}, claims=MACHINE)
    assert registered.status in {200, 202}
    machine = type("LedgerHere", (Ledger,), {"runtimes": (runtime, other)})
    few = settings.default.max_examples // 5  # 20, and 200 with --endurance
    limits = settings(max_examples=few, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))

    await anyio.to_thread.run_sync(partial(run_state_machine_as_test, machine, settings=limits))
