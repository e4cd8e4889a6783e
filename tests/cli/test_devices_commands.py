"""`autopilot devices`: which one is meant."""

from __future__ import annotations

import pytest

from autopilot.cli.devices import picked
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.login import this_device
from autopilot.contract import Device

FOUND = [Device(device_id=f"dev_{tail}", name=name, surface="cli") for tail, name in (("aa1", "Phone"), ("aa2", "aa1"))]


@pytest.mark.parametrize(
    ("part", "device_id"), [("dev_aa2", "dev_aa2"), ("Phone", "dev_aa1"), ("aa1", "dev_aa2"), ("a2", "dev_aa2")]
)
def test_a_device_is_named_by_its_name_its_id_or_a_part_of_that(part: str, device_id: str) -> None:
    assert picked(FOUND, part).device_id == device_id


@pytest.mark.parametrize(("part", "code"), [("aa", Exit.USAGE), ("x", Exit.NOT_FOUND)])
def test_what_could_be_several_or_is_none_is_refused(part: str, code: Exit) -> None:
    with pytest.raises(CommandFailed) as refused:
        picked(FOUND, part)
    assert refused.value.exit_code == code


def test_this_machine_is_called_something_that_fits_on_a_line() -> None:
    assert this_device().isprintable()
    assert "." not in this_device()
