"""Guests, as screens have them: over the real API."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from autopilot.client.guest_store import GuestStore
from autopilot.client.presenters import guests
from autopilot.contract import Guest
from autopilot.contract.errors import NetworkError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVE = Guest(
    guest_id="g",
    name="Eve",
    worker_ids=("gone",),
    created_at="2026-11-22T10:00:00Z",
    expires_at="2026-11-23T10:00:00Z",
    entered_at=None,
)


def test_it_is_said_whether_somebody_came_and_how_long_they_may_stay():
    assert guests.stay(EVE, NOW) == "Has not come yet · for 22 h more"
    came = replace(EVE, entered_at="2026-11-22T11:00:00Z")
    assert guests.stay(came, NOW) == "Came 1 h ago · for 22 h more"


def test_a_session_that_is_listed_no_more_is_an_older_one():
    assert guests.shown(EVE, []) == "an older session"


def test_an_invitation_says_for_whom_it_is_and_what_it_shows():
    assert guests.can_be_made("Eve", {"w"})
    assert not guests.can_be_made("  ", {"w"})
    assert not guests.can_be_made("Eve", set())


@pytest.mark.slow
async def test_a_link_is_made_shown_once_and_taken_back(installation, monkeypatch):
    client = await installation.client()
    await client.create_worker("w")
    store = GuestStore(client)
    await store.look()
    assert store.view.asked.value.guests == ()
    assert [one.worker_id for one in store.view.asked.value.workers] == ["w"]
    assert not await store.invite("Eve", ["nothing-of-this"], 3600)
    assert store.link is None
    assert await store.invite(" Eve ", ["w"], 3600)
    assert (store.link.name, "/guest#" in store.link.url) == ("Eve", True)
    assert store.link.url not in repr(store.link)
    (eve,) = store.view.asked.value.guests
    assert guests.shown(eve, store.view.asked.value.workers)
    assert await store.revoke(eve)
    assert store.view.said == guests.ENDED
    assert store.view.asked.value.guests == ()
    assert not await store.revoke(eve)
    assert store.view.error.status == 404

    async def cut():
        raise NetworkError("no network", reason_code="connection")

    monkeypatch.setattr(client, "guests", cut)
    await store.look()
    assert isinstance(store.view.asked.error, NetworkError)
    assert store.view.asked.value is not None
