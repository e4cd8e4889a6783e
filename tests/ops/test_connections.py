"""Who makes room when too many are connected: arithmetic, without a socket."""

from __future__ import annotations

import asyncio
import itertools
import resource

import pytest

from autopilot.ops import connections
from autopilot.ops.connections import Connections, files_for_clients


class Held:
    """A connection that remembers whether it was told to go."""

    def __init__(self) -> None:
        self.gone = False

    def make_room(self) -> None:
        self.gone = True


def entered(among: Connections, *addresses: str) -> list[Held]:
    held = [Held() for _ in addresses]
    assert all(among.enter(one, (address, 1)) for one, address in zip(held, addresses, strict=True))
    return held


def test_the_one_that_waited_longest_makes_room_and_those_who_asked_stay() -> None:
    among = Connections(most=3)
    asked, slow, slower = entered(among, "a", "b", "c")
    among.asks(asked)

    entered(among, "d", "e")

    assert [one.gone for one in (asked, slow, slower)] == [False, True, True]
    assert len(among) == 3


def test_who_had_an_answer_waits_again_behind_those_who_wait_already() -> None:
    among = Connections(most=2)
    first, second = entered(among, "a", "b")
    among.asks(first)
    among.waits(first)

    entered(among, "c")

    assert (first.gone, second.gone) == (False, True)


def test_where_everybody_asks_the_newcomer_is_refused() -> None:
    among = Connections(most=2)
    for one in entered(among, "a", "b"):
        among.asks(one)

    assert not among.enter(Held(), ("c", 1))


def test_an_address_over_its_limit_is_refused_until_one_of_its_own_leaves() -> None:
    among = Connections(most_of_address=2)
    first, _ = entered(among, "a", "a")

    assert not among.enter(Held(), ("a", 1))
    among.leave(first)
    among.leave(first)
    entered(among, "a", "b")
    assert not among.enter(Held(), ("a", 1))


def test_what_counts_as_no_address_has_no_limit_of_its_own() -> None:
    among = Connections(most_of_address=1, address_of=lambda _: None)

    entered(among, "proxy", "proxy", "proxy")


async def test_those_that_are_late_together_are_ended_a_few_at_a_time_and_all_in_order() -> None:
    among, ended, looks = Connections(), [], []
    for number in range(3 * connections.ENDED_AT_ONCE + 1):
        among.end_in_turn(lambda number=number: ended.append(number))
    async with asyncio.timeout(30):
        while len(ended) < 3 * connections.ENDED_AT_ONCE + 1:
            looks.append(len(ended))
            await asyncio.sleep(0)  # each turn of the loop

    assert ended == list(range(3 * connections.ENDED_AT_ONCE + 1))
    assert looks[0] == connections.ENDED_AT_ONCE, "at once, where only a few are late"
    steps = sorted({*looks, len(ended)})
    assert max(later - earlier for earlier, later in itertools.pairwise(steps)) <= connections.ENDED_AT_ONCE


def test_the_files_a_process_may_open_are_raised_and_some_kept_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    was = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: was.append(limits))

    assert files_for_clients() == 4096 - connections.SPARE_FILES
    assert was == [(4096, 4096)]
