"""What the server's clock says is known without believing in this machine's, which may be set at any moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from typing_extensions import override

from autopilot.companion.facts import MachineFacts
from autopilot.companion.identity import Machine
from autopilot.companion.presence import Presence
from autopilot.testing.clock import FakeClock

TRUE = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)


class SetClock(FakeClock):
    """A machine's clock, which somebody sets."""

    is_off_by = timedelta(0)

    @override
    def now(self) -> datetime:
        return super().now() + self.is_off_by


def presence(clock: FakeClock) -> Presence:
    machine = Machine(machine_id="m", name="m")
    unused = cast("Any", None)
    return Presence(unused, machine, facts=MachineFacts(), heads=unused, clock=clock, session_id="s")


@pytest.mark.parametrize("behind", [timedelta(hours=8), timedelta(days=365 * 56)])
async def test_a_clock_that_is_set_right_after_the_start_makes_no_request_too_late(behind: timedelta) -> None:
    """A machine without a battery for its clock wakes in 1970, and hears the time from the network a little later."""
    clock = SetClock(TRUE)
    clock.is_off_by = -behind
    known = presence(clock)
    known.heard_at(TRUE)
    await clock.advance(60)
    assert known.server_now() == TRUE + timedelta(seconds=60)

    clock.is_off_by = timedelta(0)

    assert known.server_now() == TRUE + timedelta(seconds=60)


async def test_a_clock_that_is_set_back_never_brings_the_servers_ahead_of_it() -> None:
    clock = SetClock(TRUE)
    clock.is_off_by = timedelta(hours=1)
    known = presence(clock)
    known.heard_at(TRUE)
    clock.is_off_by = timedelta(0)

    assert known.server_now() <= TRUE
