"""Snapshots and events in any order: the state is always the true one of its seq, and never an older one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autopilot.client.reconcile import Reconciler
from autopilot.client.worker_state import fold
from autopilot.contract import Actor, Envelope
from autopilot.testing.streaming_server import blank_snapshot


def envelope(seq: int, event_type: str, **payload) -> Envelope:
    actor = Actor(surface="companion", machine_id="m")
    return Envelope(workerId="w", seq=seq, eventType=event_type, payload=payload, occurredAt=f"t{seq:04}", actor=actor)


def told(method: str, **params):
    return ("worker.event", {"method": method, "params": params})


changes = st.sampled_from(
    [
        ("worker.started", {"reason": "reattach"}),
        ("worker.stopped", {"verified": False}),
        ("worker.request.received", {"method": "worker/stop", "request_id": "s"}),
        ("worker.request.received", {"method": "turn/start", "request_id": "r"}),
        ("worker.lease.claimed", {"machine_id": "m", "generation": 2}),
        ("worker.lease.released", {"machine_id": "m", "generation": 2}),
        told("thread/name/updated", threadName="a name"),
        told("thread/name/updated", threadName="another"),
        told("turn/started", turn={"id": "t"}),
        told("turn/completed", turn={"id": "t", "status": "failed"}),
        told("thread/status/changed", status={"type": "active", "activeFlags": ["waitingOnApproval"]}),
        told("item/agentMessage/delta", delta="x"),
    ]
)
logs = st.lists(changes, min_size=1, max_size=25)


def truth(log, seq):
    return fold(blank_snapshot("w"), log[:seq])


@given(logs, st.integers(0, 25), st.integers(0, 25))
def test_a_snapshot_moved_on_equals_a_fresh_one(drawn, one, other):
    log = [envelope(seq, event_type, **payload) for seq, (event_type, payload) in enumerate(drawn, 1)]
    early, late = sorted((min(one, len(log)), min(other, len(log))))

    assert fold(truth(log, early), log[:late]) == truth(log, late)


@given(logs, st.integers(0, 25), st.data())
def test_in_any_order_the_state_is_the_true_one_of_its_seq_and_never_goes_back(drawn, start, data):
    log = [envelope(seq, event_type, **payload) for seq, (event_type, payload) in enumerate(drawn, 1)]
    reconciler = Reconciler(recent=data.draw(st.sampled_from([3, 1000])))
    next_event, highest, ticket = min(start, len(log)), 0, 0
    for _ in range(40):
        if next_event < len(log) and data.draw(st.booleans()):
            reconciler.event(log[next_event])
            next_event += 1
        else:
            seq = data.draw(st.integers(0, len(log)))
            ticket += 1
            reconciler.merge(truth(log, seq), ticket)
        state = reconciler.snapshot
        if state is not None:
            assert state == truth(log, state.latest_seq)
            assert state.latest_seq >= highest
            highest = state.latest_seq


def test_an_answer_that_was_overtaken_changes_nothing():
    reconciler = Reconciler()
    reconciler.merge(blank_snapshot("w"), 2)
    before = reconciler.snapshot
    reconciler.merge(fold(blank_snapshot("w"), [envelope(1, "worker.stopped")]), 1)

    assert reconciler.snapshot is before
