"""Letting a device in, as screens have it: over the real API, with the other side there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from autopilot.client import MemoryTokenStore, letting_in
from autopilot.client.http import Http
from autopilot.client.letting_in import LettingIn
from autopilot.client.pairing import Joiner
from autopilot.client.pairing_words import PairingTampered, words_of
from autopilot.client.presenters import pairings
from autopilot.contract import Pairing, PairingDevice
from autopilot.contract.errors import NetworkError

pytestmark = pytest.mark.slow
STEPS = 6


@pytest.fixture
async def joiner(installation) -> AsyncIterator[Joiner]:
    http = Http(installation.url, tokens=None, surface="cli")
    yield Joiner(http, PairingDevice(device_name="Laptop", device_platform="Debian"))
    await http.aclose()


async def compared(store: LettingIn, joiner: Joiner) -> None:
    """Both go on until there are words here, and the same there."""
    for _ in range(STEPS):
        there = words_of(await joiner.step())
        await store.look()
        if store.view.step == "comparing" and there:
            assert store.view.words == there
            return
    raise AssertionError(store.view)


async def test_what_shows_a_code_is_let_in_when_the_words_are_the_same(installation, joiner):
    store = LettingIn(await installation.client())
    started = await joiner.request("device")
    assert not await store.find("nothing shows this")
    assert (store.view.step, store.view.error.status) == ("choose", 404)
    assert await store.find(f" {started.code} ")
    await compared(store, joiner)
    assert pairings.who(store.view.pairing) == "Laptop"
    assert pairings.about(store.view.pairing).startswith("Debian, ")
    assert pairings.warnings(store.view.pairing) == ()
    assert await store.accept()
    assert store.view.step == "confirmed"
    await joiner.step()
    await joiner.collect(MemoryTokenStore())
    await store.look()
    assert (store.view.step, store.view.end.text, store.view.end.tone) == ("over", "It is in.", "good")


async def test_a_code_that_is_shown_here_lets_in_and_words_that_differ_do_not(installation, joiner):
    store = LettingIn(await installation.client())
    assert not await store.accept(), "there are no words to say yes to"
    assert await store.offer()
    assert store.view.code
    await joiner.claim(store.view.code)
    await compared(store, joiner)
    assert await store.decline()
    assert (store.view.step, store.view.end.tone) == ("over", "bad")
    assert (await joiner.step()).state == "declined"
    store.begin_anew()
    assert store.view == letting_in.LettingInView()


async def test_a_look_that_fails_is_said_until_one_does_not_and_what_does_not_add_up_ends_it(
    installation, joiner, monkeypatch
):
    client = await installation.client()
    store = LettingIn(client)
    assert await store.offer()
    step = letting_in.Approver.step

    async def cut(_self):
        raise NetworkError("no network", reason_code="connection")

    async def tampered(_self):
        raise PairingTampered("it does not add up")

    monkeypatch.setattr(letting_in.Approver, "step", cut)
    await store.look()
    assert (store.view.step, store.view.error.code) == ("waiting", "network")
    monkeypatch.setattr(letting_in.Approver, "step", step)
    await store.look()
    assert store.view.error is None
    monkeypatch.setattr(letting_in.Approver, "step", tampered)
    await store.look()
    assert store.view.end.text == pairings.TAMPERED


def test_who_came_too_late_and_who_guessed_are_told():
    told = Pairing(
        pairing_id="p",
        way="show",
        kind="device",
        state="answered",
        commitment="c",
        expires_at="2026-11-22T10:00:00Z",
        wrong_codes=0,
        contested=False,
    )
    assert pairings.warnings(told) == ()
    assert pairings.who(told) == "A device"
    assert pairings.about(told) == ""
    assert len(pairings.warnings(replace(told, contested=True, wrong_codes=2))) == 2
