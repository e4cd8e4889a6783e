from __future__ import annotations

from dataclasses import replace

from autopilot.client.presenters import recoveries
from autopilot.contract import Device, StateRecovery

TOLD = StateRecovery(
    state="held",
    device_id="d1",
    device_name="Somewhere",
    surface="web",
    address="192.0.2.7",
    began_at="2026-11-22T10:00:00Z",
    held_until="2026-11-23T10:00:00Z",
)
LISTED = Device(
    device_id="d1",
    name="Somewhere",
    surface="web",
    address="192.0.2.7",
    created_at="2026-11-22T10:00:00Z",
    held_until="2026-11-23T10:00:00Z",
)


def test_the_stream_and_the_list_of_devices_say_the_same():
    assert recoveries.of_frames([TOLD], None) == recoveries.of_devices([LISTED])


def test_who_came_in_is_told_with_where_from_and_what_to_do():
    (hold,) = recoveries.of_frames([TOLD], "another")

    assert hold.title == "Somebody recovered access to this account without a passkey"
    assert (hold.name, hold.about) == ("Somewhere", "web, from 192.0.2.7")
    assert "Refuse it" in hold.advice


def test_the_device_itself_is_told_how_it_is_held_no_longer():
    for hold in (*recoveries.of_frames([TOLD], "d1"), *recoveries.of_devices([replace(LISTED, current=True)])):
        assert hold.title == "You came in here without a passkey"
        assert "Refuse" not in hold.advice


def test_what_is_over_is_told_no_more_and_the_latest_comes_first():
    over = replace(TOLD, device_id="d2", state="over")
    later = replace(TOLD, device_id="d3", device_name=None, platform="Linux", began_at="2026-11-22T11:00:00Z")

    assert [hold.name for hold in recoveries.of_frames([TOLD, over, later], None)] == ["Linux", "Somewhere"]
    assert recoveries.of_devices([replace(LISTED, held_until=None)]) == ()
