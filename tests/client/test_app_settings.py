"""What a person chose for the app: kept in the Keychain, and careful where that can't be read."""

from __future__ import annotations

import json

import pytest
from tests.client.secret_storage import Keychain as Storage

from autopilot.client.app_settings import AppSettings
from autopilot.client.keychain import Kept, Keychain, StorageFailed


async def test_nobody_is_asked_for_until_somebody_wants_it_and_then_also_after_a_start():
    storage = Storage()
    settings = AppSettings(await Keychain.opened(storage))
    assert not settings.asks_for_owner
    await settings.ask_for_owner(wanted=True)
    assert settings.asks_for_owner
    assert AppSettings(await Keychain.opened(storage)).asks_for_owner
    assert json.loads(storage.held[Kept.SETTINGS]) == {"asks_for_owner": True}


async def test_a_choice_that_cant_be_kept_holds_for_now_and_that_is_told():
    storage = Storage()
    settings = AppSettings(await Keychain.opened(storage))
    storage.refuses = True
    with pytest.raises(StorageFailed):
        await settings.ask_for_owner(wanted=True)
    assert settings.asks_for_owner


@pytest.mark.parametrize("damaged", ["", "{", "[]", "{}", '{"asks_for_owner": "no"}'])
async def test_a_choice_that_cant_be_read_is_the_careful_one(damaged):
    storage = Storage()
    storage.held[Kept.SETTINGS] = damaged
    assert AppSettings(await Keychain.opened(storage)).asks_for_owner
