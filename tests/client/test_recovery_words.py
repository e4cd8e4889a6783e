from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

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


NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_the_banner_tells_of_the_latest_and_how_many_more_there_are():
    more = replace(TOLD, device_id="d2", device_name="Elsewhere", began_at="2026-11-22T09:00:00Z")
    shown = recoveries.banner(recoveries.of_frames([more, TOLD], None))

    assert shown is not None
    assert shown.detail == "Somewhere (web, from 192.0.2.7)."
    assert (shown.more, shown.refusable) == ("1 more device is held.", "d1")
    assert recoveries.banner(recoveries.of_frames([TOLD], None)).more == ""
    assert recoveries.banner(()) is None


def test_no_device_is_offered_to_refuse_itself():
    assert recoveries.banner(recoveries.of_frames([TOLD], "d1")).refusable is None


def test_when_the_hold_ends_by_itself_is_said_exactly_and_how_long_that_is():
    (hold,) = recoveries.of_frames([TOLD], None)

    assert dict(recoveries.facts(hold, NOW)) == {
        "Device": "Somewhere",
        "What, and from where": "web, from 192.0.2.7",
        "Came in": "2 h ago",
        "Held until": "2026-11-23 10:00:00 UTC, 22 h from now",
    }
