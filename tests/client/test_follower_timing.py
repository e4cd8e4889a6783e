"""When a follower waits, how long, and what it says meanwhile: on a clock that only moves when told."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque

import pytest

from autopilot.client import Follower
from autopilot.client.tokens import SignInAgain
from autopilot.contract.errors import Forbidden, NetworkError, RateLimited, StaleCursor, Unavailable
from autopilot.testing.clock import FakeClock

SILENCE = object()
OPEN = b'event: codex.stream.open\ndata: {"latest_seq": 5, "oldest_seq": 1}\n\n'
CAUGHT_UP = b"event: codex.stream.caught_up\ndata: {}\n\n"
HEARTBEAT = b": still here\n\n"


def event(seq: int) -> bytes:
    return f"id: {seq}\nevent: codex.worker.event\ndata: {json.dumps({'seq': seq})}\n\n".encode()


class Stream:
    def __init__(self, steps):
        self.steps = deque(steps)
        self.closed = False

    async def read(self):
        if not self.steps:
            return None
        step = self.steps.popleft()
        if step is SILENCE:
            await asyncio.Event().wait()
        if isinstance(step, Exception):
            raise step
        return step

    async def aclose(self):
        self.closed = True


class Script:
    """A source that plays one list of steps for each opening; an error in a list's place refuses the opening."""

    def __init__(self, *openings):
        self.script = deque(openings)
        self.cursors = []
        self.tails = []
        self.streams = []

    async def open(self, cursor, tail_ms):
        self.cursors.append(cursor)
        self.tails.append(tail_ms)
        steps = self.script.popleft() if self.script else [SILENCE]
        if isinstance(steps, Exception):
            raise steps
        if steps is SILENCE:
            await asyncio.Event().wait()
        self.streams.append(Stream(steps))
        return self.streams[-1]


class Watched:
    """A follower being iterated by a task, with everything it said."""

    def __init__(self, source, clock, *, rng=lambda: 1.0, cursor=0, **options):
        self.source, self.clock = source, clock
        self.follower = Follower(source, lambda value: value["seq"], cursor=cursor, clock=clock, rng=rng, **options)
        self.states, self.seen, self.error = [], [], None
        self.follower.on_state(lambda state: self.states.append(state.kind))

    async def __aenter__(self):
        self.group = await asyncio.TaskGroup().__aenter__()
        self.task = self.group.create_task(self.run())
        await self.clock.advance(0)
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await self.group.__aexit__(None, None, None)
        await self.follower.aclose()

    async def run(self):
        try:
            async for seq in self.follower:
                self.seen.append(seq)
        except Exception as error:  # noqa: BLE001 - kept for the test to look at
            self.error = error


async def settled(clock, condition):
    """Let everything that is ready run, without any time passing, until `condition` holds."""
    async with asyncio.timeout(30):
        while not condition():
            await clock.advance(0)


@pytest.fixture
def clock():
    return FakeClock()


async def test_failures_wait_longer_and_longer_and_an_event_resets_them(clock):
    down = [NetworkError("refused")] * 8
    source = Script(*down, [event(1), NetworkError("cut")], [SILENCE])
    async with Watched(source, clock) as watched:
        openings_at = []
        for _ in range(80):
            while len(openings_at) < len(source.cursors):
                openings_at.append(clock.monotonic())
            await clock.advance(0.5)

        delays = [after - before for before, after in itertools.pairwise(openings_at)]
        assert delays[:6] == [0.5, 1, 2, 4, 8, 16]
        assert watched.follower.state.kind == "waiting"
        assert watched.follower.state.retry_at is not None


async def test_a_reset_backoff_starts_at_the_beginning(clock):
    source = Script(NetworkError("x"), NetworkError("x"), [event(1), NetworkError("cut")], [SILENCE])
    async with Watched(source, clock):
        await clock.advance(0.5 + 1.0)
        assert source.cursors == [0, 0, 0]
        await clock.advance(0.499)
        assert source.cursors == [0, 0, 0]
        await clock.advance(0.001)
        assert source.cursors == [0, 0, 0, 1]


@pytest.mark.parametrize("error", [RateLimited("x", retry_after_seconds=7), Unavailable("x", retry_after_seconds=7)])
async def test_retry_after_is_waited_out_and_no_poke_shortens_it(clock, error):
    source = Script(error, [SILENCE])
    async with Watched(source, clock, rng=lambda: 0.0) as watched:
        await clock.advance(3)
        watched.follower.poke()
        await clock.advance(3.9)
        assert len(source.cursors) == 1
        await clock.advance(0.2)
        assert len(source.cursors) == 2


async def test_a_poke_ends_a_backoff_and_starts_it_over(clock):
    source = Script(*[NetworkError("x")] * 6, [SILENCE])
    async with Watched(source, clock) as watched:
        await clock.advance(0.5 + 1 + 2 + 4)
        assert len(source.cursors) == 5
        watched.follower.poke()
        await clock.advance(0)
        assert len(source.cursors) == 6
        assert watched.follower.state.attempt == 1


async def test_a_silent_connection_is_given_up_after_three_heartbeats(clock):
    source = Script([OPEN, CAUGHT_UP, SILENCE], [SILENCE])
    async with Watched(source, clock, rng=lambda: 0.0) as watched:
        await clock.advance(44.9)
        assert watched.follower.state.kind == "live"
        await clock.advance(0.2)
        assert len(source.cursors) == 2
        assert source.streams[0].closed


async def test_heartbeats_keep_a_quiet_connection(clock):
    source = Script([OPEN, *[HEARTBEAT] * 3, SILENCE])
    async with Watched(source, clock) as watched:
        await clock.advance(30)
        assert len(source.cursors) == 1
        assert watched.follower.state.kind == "live", "a heartbeat says that there is nothing for us"


async def test_a_slow_consumer_is_no_silence(clock):
    source = Script([event(1), event(2)], [SILENCE])
    follower = Follower(source, lambda value: value["seq"], cursor=0, clock=clock, rng=lambda: 0.0)
    assert await anext(follower) == 1
    await clock.advance(1000)
    assert await anext(follower) == 2
    assert len(source.cursors) == 1
    await follower.aclose()


async def test_a_poke_doubts_only_what_missed_a_heartbeat(clock):
    source = Script([OPEN, SILENCE], [SILENCE])
    async with Watched(source, clock) as watched:
        await clock.advance(14)
        watched.follower.poke()
        await clock.advance(0)
        assert len(source.cursors) == 1
        await clock.advance(2)
        watched.follower.poke()
        await clock.advance(0)
        assert len(source.cursors) == 2


async def test_a_poke_can_insist(clock):
    source = Script([OPEN, SILENCE], [SILENCE])
    async with Watched(source, clock) as watched:
        watched.follower.poke(reopen=True)
        await clock.advance(0)
        assert len(source.cursors) == 2


async def test_two_mute_openings_are_followed_by_long_polls(clock):
    source = Script([SILENCE], SILENCE, [event(1)], [OPEN], [SILENCE])
    async with Watched(source, clock, rng=lambda: 0.0) as watched:
        await clock.advance(12)
        assert watched.seen == [1]
        assert source.tails[:4] == [None, None, 3000, 3000]
        assert watched.follower.state.delivery == "long_poll"
        assert watched.states[-1] == "live"


async def test_a_mute_long_poll_means_that_nobody_is_there(clock):
    source = Script([SILENCE], [SILENCE], [SILENCE], [SILENCE])
    async with Watched(source, clock, rng=lambda: 0.0) as watched:
        await clock.advance(6 + 6 + 9)
        assert source.tails == [None, None, 3000, None]
        assert watched.follower.state.delivery == "stream"


async def test_after_its_rounds_of_polls_it_sees_whether_streaming_works_now(clock):
    polls = [[OPEN]] * 200
    source = Script([SILENCE], [SILENCE], *polls, [OPEN, CAUGHT_UP, SILENCE])
    async with Watched(source, clock, rng=lambda: 0.0) as watched:
        await clock.advance(12)
        await settled(clock, lambda: watched.follower.state.delivery == "stream")
        assert source.tails == [None, None, *[3000] * 200, None]
        assert watched.follower.state.kind == "live"
        assert watched.follower.state.delivery == "stream"


@pytest.mark.parametrize(
    "poll", [[], [OPEN, b'event: codex.stream.bye\ndata: {"reason": "unavailable", "retry_ms": 500}\n\n']]
)
async def test_a_long_poll_that_brings_nothing_or_is_turned_away_is_not_live_and_not_asked_again_at_once(clock, poll):
    source = Script([SILENCE], [SILENCE], poll, poll, [OPEN, CAUGHT_UP])
    async with Watched(source, clock, rng=lambda: 1.0) as watched:
        await clock.advance(6 + 0.5 + 6 + 1.0)
        assert (source.tails, watched.follower.state.kind) == ([None, None, 3000], "waiting")
        assert "live" not in watched.states
        await clock.advance(60)
        assert source.tails[:5] == [None, None, *[3000] * 3]
        assert "live" in watched.states


async def test_a_bye_says_when_to_come_back(clock):
    bye = b'event: codex.stream.bye\ndata: {"reason": "shutdown", "retry_ms": 2000}\n\n'
    source = Script([OPEN, bye], [SILENCE])
    async with Watched(source, clock, rng=lambda: 0.0):
        await clock.advance(1.9)
        assert len(source.cursors) == 1
        await clock.advance(0.2)
        assert len(source.cursors) == 2


async def test_what_it_says_is_never_more_than_it_knows(clock):
    source = Script(NetworkError("x"), [OPEN, event(1), CAUGHT_UP, event(2), NetworkError("cut")], [SILENCE])
    async with Watched(source, clock) as watched:
        assert watched.states == ["connecting", "waiting"]
        await clock.advance(0.5)
        await settled(clock, lambda: watched.follower.state.kind == "waiting")
        assert watched.states[2:] == ["connecting", "catching_up", "live", "waiting"]
        assert watched.follower.state.heard_at is not None
        assert watched.follower.state.latest_seq == 5


async def test_doubles_are_dropped_and_a_gap_is_read_again_from_the_cursor(clock):
    source = Script([event(1), event(1), event(2), event(4)], [event(3), event(4), SILENCE])
    async with Watched(source, clock, rng=lambda: 0.0) as watched:
        await clock.advance(1)
        assert watched.seen == [1, 2, 3, 4]
        assert source.cursors == [0, 2]


async def test_from_now_on_means_from_where_the_log_ended_at_the_opening(clock):
    source = Script([OPEN, NetworkError("cut")], [event(6), SILENCE])
    async with Watched(source, clock, cursor=None) as watched:
        await clock.advance(1)
        assert source.cursors == [None, 5]
        assert watched.seen == [6]


async def test_garbage_is_read_again_not_handed_out(clock):
    source = Script([b"id: one\ndata: {}\n\n"], [b"id: 1\ndata: {\n\n"], [event(1), SILENCE])
    async with Watched(source, clock) as watched:
        await clock.advance(10)
        assert watched.seen == [1]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StaleCursor("x", reason_code="retention", oldest_seq=90), "stale"),
        (SignInAgain("x"), "signed_out"),
        (Forbidden("x"), "refused"),
    ],
)
async def test_final_answers_are_raised_with_the_cursor_kept(clock, error, kind):
    source = Script([event(1), NetworkError("cut")], error)
    async with Watched(source, clock) as watched:
        await clock.advance(1)
        assert watched.error is error
        assert watched.follower.state.kind == kind
        assert watched.follower.cursor == 1


async def test_after_signing_in_again_it_goes_on_at_the_cursor(clock):
    source = Script([event(1), NetworkError("cut")], SignInAgain("x"), [event(2), SILENCE])
    follower = Follower(source, lambda value: value["seq"], cursor=0, clock=clock, rng=lambda: 0.0)
    assert await anext(follower) == 1
    with pytest.raises(SignInAgain):
        await anext(follower)

    assert await anext(follower) == 2
    assert source.cursors == [0, 1, 1]
    await follower.aclose()


async def test_after_a_stale_cursor_it_goes_on_where_it_is_told(clock):
    source = Script(StaleCursor("x"), [event(91), SILENCE])
    follower = Follower(source, lambda value: value["seq"], cursor=7, clock=clock)
    with pytest.raises(StaleCursor):
        await anext(follower)
    await follower.restart(90)

    assert await anext(follower) == 91
    assert source.cursors == [7, 90]
    await follower.aclose()


async def test_an_acknowledgement_moves_the_cursor_but_never_ahead_of_what_was_handed_out(clock):
    follower = Follower(Script([event(1), event(2), SILENCE]), lambda value: value["seq"], cursor=0, clock=clock)
    await anext(follower)
    assert follower.cursor == 0
    follower.ack(9)
    assert follower.cursor == 0
    follower.ack(1)
    assert follower.cursor == 1
    await follower.aclose()


async def test_a_closed_follower_is_exhausted(clock):
    follower = Follower(Script([event(1), SILENCE]), lambda value: value["seq"], cursor=0, clock=clock)
    await anext(follower)
    await follower.aclose()

    assert [seq async for seq in follower] == []
    assert follower.cursor == 0


async def test_what_it_does_not_know_is_passed_over_and_unknown_types_are_handed_out(clock):
    newer = b'event: codex.stream.weather\ndata: {"sunny": true}\n\n'
    unknown = b'id: 2\nevent: codex.worker.brand.new\nflavour: odd\ndata: {"seq": 2, "more": [1]}\n\n'
    source = Script([OPEN, newer, event(1), newer, unknown, event(3), SILENCE])
    async with Watched(source, clock) as watched:
        await clock.advance(1)
        assert watched.seen == [1, 2, 3]
        assert source.cursors == [0]
