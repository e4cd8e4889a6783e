"""A bounded queue with one reader, who takes all there is."""

from __future__ import annotations

import asyncio

from autopilot.web.pieces import Pieces


async def settled() -> None:
    """Let whoever can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_reader_is_given_all_there_is_in_order():
    pieces: Pieces[int] = Pieces(4)
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(pieces.take())
        await settled()
        await pieces.put(1)
        await pieces.put(2)
    assert (reading.result(), pieces.is_empty) == ([1, 2], True)


async def test_who_writes_more_than_there_is_room_for_waits_until_it_is_read():
    pieces: Pieces[int] = Pieces(2)
    async with asyncio.TaskGroup() as tasks:
        writing = [tasks.create_task(pieces.put(number)) for number in range(5)]
        await settled()
        assert [one.done() for one in writing] == [True, True, False, False, False]
        read = []
        while len(read) < 5:
            taken = await pieces.take()
            assert len(taken) <= 2
            read += taken
    assert read == [0, 1, 2, 3, 4]


async def test_a_writer_that_gives_up_takes_nobody_along():
    pieces: Pieces[int] = Pieces(1)
    await pieces.put(0)
    async with asyncio.TaskGroup() as tasks:
        gone, stays = (tasks.create_task(pieces.put(number)) for number in (1, 2))
        await settled()
        gone.cancel()
        await settled()
        assert pieces.take_now() == [0]
        await stays
    assert pieces.take_now() == [2]


async def test_a_reader_that_gives_up_loses_nothing():
    pieces: Pieces[int] = Pieces(1)
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(pieces.take())
        await settled()
        await pieces.put(1)
        reading.cancel()
    assert reading.cancelled()
    assert await pieces.take() == [1]
