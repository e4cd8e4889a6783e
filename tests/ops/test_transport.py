"""What is written in one turn of the loop goes out together, and nothing is held any longer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from typing_extensions import override

from autopilot.ops.transport import GATHERED_BYTES, GatheringTransport


class Outlet(asyncio.Transport):
    """Keeps what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.is_gone = False

    @override
    def writelines(self, list_of_data: Any) -> None:
        self.told.append(b"".join(list_of_data))

    @override
    def write(self, data: Any) -> None:
        self.told.append(data)

    @override
    def write_eof(self) -> None:
        self.told.append("eof")

    @override
    def close(self) -> None:
        self.told.append("close")

    @override
    def is_closing(self) -> bool:
        return self.is_gone


@pytest.fixture
def outlet() -> Outlet:
    return Outlet()


@pytest.fixture
async def transport(outlet: Outlet) -> GatheringTransport:
    return GatheringTransport(outlet, asyncio.get_running_loop())


async def test_writes_of_one_turn_are_one_write_at_its_end(outlet: Outlet, transport: GatheringTransport) -> None:
    transport.write(b"head ")
    transport.write(b"body")
    assert outlet.told == []
    await asyncio.sleep(0)
    assert outlet.told == [b"head body"]

    transport.write(b"more")
    await asyncio.sleep(0)
    assert outlet.told == [b"head body", b"more"]


async def test_much_is_written_at_once(outlet: Outlet, transport: GatheringTransport) -> None:
    transport.write(b"x" * GATHERED_BYTES)
    transport.write(b"y")
    transport.write(b"z")
    assert outlet.told == [b"x" * GATHERED_BYTES + b"y"]

    await asyncio.sleep(0)
    assert outlet.told[1:] == [b"z"]


async def test_what_is_written_at_once_comes_after_what_was_gathered(
    outlet: Outlet, transport: GatheringTransport
) -> None:
    transport.write(b"head")
    transport.write_at_once(b"piece")
    transport.write_at_once(b"another")

    assert outlet.told == [b"head", b"piece", b"another"]


@pytest.mark.parametrize(("end", "told"), [("close", "close"), ("write_eof", "eof")])
async def test_an_end_comes_after_what_was_written(
    outlet: Outlet, transport: GatheringTransport, end: str, told: str
) -> None:
    transport.write(b"last words")
    getattr(transport, end)()
    await asyncio.sleep(0)

    assert outlet.told == [b"last words", told]


async def test_what_is_written_after_the_end_is_dropped(outlet: Outlet, transport: GatheringTransport) -> None:
    transport.write_eof()
    transport.write(b"gathered")
    transport.write_at_once(b"at once")
    await asyncio.sleep(0)

    assert outlet.told == ["eof"]


async def test_nothing_is_written_to_a_connection_that_is_gone(outlet: Outlet, transport: GatheringTransport) -> None:
    transport.write(b"too late")
    outlet.is_gone = True
    await asyncio.sleep(0)

    assert outlet.told == []
