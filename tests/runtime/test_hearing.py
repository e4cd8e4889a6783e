"""A runtime judges machines only by a silence that it could have heard."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autopilot.runtime import hearing
from autopilot.runtime.hearing import Hearing
from autopilot.runtime.settings import RuntimeChoices

MINUTE = timedelta(minutes=1)


class Loop:
    """The process's clock, turned by hand."""

    seconds = 0.0


@pytest.fixture
def loop(monkeypatch) -> Loop:
    turned = Loop()
    monkeypatch.setattr(hearing, "_clock", lambda: turned.seconds)
    return turned


@pytest.fixture
async def heard(runtime, loop) -> Hearing:
    """With one look made."""
    made = Hearing(runtime.pool, RuntimeChoices(machine_away_after_ms=45_000))
    await made.look()
    return made


async def now(runtime):
    return await runtime.pool.fetchval("select clock_timestamp()")


async def test_a_machine_is_away_once_it_was_silent_for_too_long(runtime, heard):
    at = await now(runtime)

    assert heard.is_away(at, None)
    assert heard.is_away(at, at - timedelta(seconds=46))
    assert not heard.is_away(at, at - timedelta(seconds=44))


async def test_what_was_missed_while_the_runtime_was_held_up_makes_no_machine_away(runtime, heard, loop):
    at = await now(runtime)
    loop.seconds += 60
    while_held_up = heard.is_away(at, at - MINUTE)
    await heard.look()
    after = await now(runtime)

    assert not while_held_up
    assert not heard.is_away(after, at - MINUTE)
    assert heard.is_away(after + timedelta(seconds=46), at - MINUTE)


async def test_looks_in_time_are_no_interruption(runtime, heard, loop):
    loop.seconds += 2
    await heard.look()
    at = await now(runtime)

    assert heard.is_away(at, at - MINUTE)


async def test_workers_that_are_stale_sooner_make_their_machine_away_sooner():
    assert RuntimeChoices(heartbeat_stale_after_ms=2000).away_after_ms == 2000
    assert RuntimeChoices(heartbeat_stale_after_ms=300_000).away_after_ms == 45_000
