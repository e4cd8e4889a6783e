"""Which state of a receipt may follow which (docs/runtime-contract.md, "Receipts")."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autopilot.runtime.receipts_states import ENDED, STATES, may_follow, outcome

states = st.sampled_from(sorted(STATES))


def _rank(state: str) -> int:
    steps = ["accepted", "delivered", "acknowledged"]
    if state in steps:
        return steps.index(state)
    return 3 if state == "indeterminate" else 4


@given(states, states)
def test_a_receipt_never_goes_back(current: str, new: str) -> None:
    if may_follow(current, new):
        assert _rank(new) > _rank(current)


@given(states, states)
def test_what_ended_stays_ended_and_only_an_unknown_outcome_may_become_known(current: str, new: str) -> None:
    if current in ENDED and may_follow(current, new):
        assert current == "indeterminate"
        assert new in {"completed", "failed", "rejected"}


def test_nothing_expires_or_is_cancelled_once_a_machine_was_handed_it() -> None:
    assert may_follow("accepted", "cancelled")
    assert not may_follow("delivered", "cancelled")
    assert not may_follow("delivered", "expired")
    assert not may_follow("indeterminate", "expired")


def test_an_indeterminate_outcome_is_neither_ok_nor_not_ok() -> None:
    assert outcome("completed") is True
    assert outcome("failed") is False
    assert outcome("rejected") is False
    assert outcome("indeterminate") is None
    assert outcome("delivered") is None
