from __future__ import annotations

import asyncio

import pytest

from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.lan import listening_socket, only_here, outward_addresses, url_of
from autopilot.cli.up import free_at_last, listening
from autopilot.testing.clock import FakeClock


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "0.0.0.0", "", "169.254.1.1"])
def test_addresses_that_only_this_machine_can_open_are_known(host: str) -> None:
    assert only_here(host)


@pytest.mark.parametrize("host", ["192.168.1.20", "10.0.0.1", "example.com", "2001:db8::1"])
def test_addresses_that_others_can_open_are_known(host: str) -> None:
    assert not only_here(host)


def test_no_address_that_only_this_machine_can_open_is_offered_to_others() -> None:
    assert not any(only_here(address) for address in outward_addresses())


def test_an_ipv6_address_gets_its_brackets() -> None:
    assert url_of("2001:db8::1", 8787) == "http://[2001:db8::1]:8787"


def test_a_port_in_use_is_a_sentence_that_names_another() -> None:
    with listening_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(
            CommandFailed, match=f"Port {port} on 127.0.0.1 is already in use.*AUTOPILOT_PORT={port + 1}"
        ) as refused:
            listening("127.0.0.1", port)

    assert refused.value.exit_code == Exit.CANNOT_START


async def test_a_port_that_is_let_go_of_soon_is_waited_for() -> None:
    clock = FakeClock()
    taken = listening_socket("127.0.0.1", 0)
    port = taken.getsockname()[1]

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(free_at_last("127.0.0.1", port, clock))
        await clock.until_sleeping()
        taken.close()
        await clock.advance(1)

    with waiting.result() as sock:
        assert sock.getsockname()[1] == port
