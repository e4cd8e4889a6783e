"""The limiter's arithmetic, on a clock that tests turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.api.limits import Limit
from autopilot.contract.errors import RateLimited
from autopilot.testing.clock import FakeClock


async def test_a_burst_is_admitted_at_once_and_then_the_rate():
    clock = FakeClock()
    limit = Limit(2.0, 3.0, clock.monotonic)

    assert [limit.wait_seconds("a") for _ in range(4)] == [0, 0, 0, pytest.approx(0.5)]
    await clock.advance(0.5)
    assert limit.wait_seconds("a") == 0
    assert limit.wait_seconds("a") == pytest.approx(0.5)


def test_keys_do_not_share():
    limit = Limit(1.0, 1.0, FakeClock().monotonic)

    assert limit.wait_seconds("a") == 0
    assert limit.wait_seconds("b") == 0
    assert limit.wait_seconds("a") > 0


def test_being_refused_costs_nothing_and_says_when_again():
    limit = Limit(0.1, 1.0, FakeClock().monotonic)
    limit.admit("a", reason_code="x")

    for _ in range(5):
        with pytest.raises(RateLimited) as caught:
            limit.admit("a", reason_code="x")
        assert caught.value.retry_after_seconds == pytest.approx(10.0)
        assert caught.value.reason_code == "x"


async def test_memory_is_bounded_and_who_is_back_in_the_rate_is_forgotten_first():
    clock = FakeClock()
    limit = Limit(1.0, 1.0, clock.monotonic, keys=10)
    for number in range(10):
        limit.wait_seconds(number)
    await clock.advance(5)
    limit.wait_seconds("busy")
    for number in range(100):
        limit.wait_seconds(f"flood{number}")
        assert len(limit._full_at) <= 10

    limit = Limit(1.0, 1.0, clock.monotonic, keys=10)
    for number in range(10):
        limit.wait_seconds(number)
    await clock.advance(5)
    limit.wait_seconds("busy")
    limit.wait_seconds("other")
    assert limit.wait_seconds("busy") > 0


class Moment(float):
    """A time that counts how often it is compared."""

    compared = 0

    def __lt__(self, other):
        Moment.compared += 1
        return float(self) < other

    def __ge__(self, other):
        Moment.compared += 1
        return float(self) >= other


def test_a_flood_of_keys_makes_no_call_dearer():
    limit = Limit(0.001, 1.0, lambda: Moment(1.0), keys=1000)
    for number in range(1000):
        limit.wait_seconds(number)
    Moment.compared = 0
    for number in range(1000):
        limit.wait_seconds(f"flood{number}")
    assert Moment.compared <= 10 * 1000
    assert len(limit._full_at) == 1000


def test_what_is_given_back_was_not_spent():
    limit = Limit(1.0, 1.0, FakeClock().monotonic)
    limit.give_back("nobody")
    assert limit.wait_seconds("a") == 0
    limit.give_back("a")
    assert limit.wait_seconds("a") == 0
    assert limit.wait_seconds("a") > 0


@given(
    rate=st.floats(0.1, 1000),
    burst=st.floats(1, 100),
    steps=st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_never_more_than_burst_and_rate_allow(rate: float, burst: float, steps: list[float]):
    now = 0.0
    limit = Limit(rate, burst, lambda: now)
    admitted = 0
    for step in steps:
        now += step
        admitted += limit.wait_seconds("a") == 0
        assert admitted <= burst + now * rate + 1e-6
