"""Delays: bounds, growth, reset, and the server's word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autopilot.client.backoff import Backoff, BackoffPolicy, is_transient
from autopilot.contract.errors import (
    Conflict,
    Forbidden,
    NetworkError,
    RateLimited,
    StaleCursor,
    Unauthorized,
    Unavailable,
    from_response,
)


def test_the_ceilings_double_up_to_the_cap():
    backoff = Backoff(BackoffPolicy(base_seconds=0.5, factor=2, cap_seconds=30), rng=lambda: 1.0)

    assert [backoff.next_delay() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_the_jitter_is_full():
    assert Backoff(rng=lambda: 0.0).next_delay() == 0.0


def test_a_reset_starts_over():
    backoff = Backoff(rng=lambda: 1.0)
    backoff.next_delay()
    backoff.next_delay()
    backoff.reset()

    assert backoff.next_delay() == 0.5


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_no_delay_leaves_its_bounds(attempt, random):
    backoff = Backoff(rng=lambda: random)
    backoff.attempt = attempt

    assert 0 <= backoff.next_delay() <= 30


@given(st.floats(0, 100), st.floats(0, 1, exclude_max=True))
def test_the_servers_delay_is_a_floor_with_a_little_jitter_on_top(told, random):
    delay = Backoff(rng=lambda: random).next_delay(told)

    assert told <= delay <= told + 0.5


def test_a_delay_without_end_is_believed_for_an_hour():
    assert Backoff(rng=lambda: 0.0).next_delay(10**9) == 3600


def test_what_may_work_later_is_told_from_what_will_not():
    transient = [NetworkError("x"), Unavailable("x"), RateLimited("x"), from_response(502, None)]
    final = [Unauthorized("x"), Forbidden("x"), Conflict("x"), StaleCursor("x"), from_response(418, None)]

    assert [is_transient(error) for error in transient + final] == [True] * 4 + [False] * 5
