"""What lies behind More, over a real server: spend, policy, audit and trace, devices, settings, diagnostics."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.api.contract.test_spend import use
from tests.api.contract.world import Person, World
from tests.ios.apps import running, signed_in
from tests.ios.phone import Phone, phone
from tests.waiting import until

from autopilot.client.keychain import Kept
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy

pytestmark = pytest.mark.slow


@asynccontextmanager
async def at(place: str, world: World, ada: Person, storage: Path, url: str | None = None) -> AsyncIterator[Phone]:
    """The app, with this place open."""
    held = phone(secrets=await signed_in(world, ada.email, storage, url))
    async with running(held, storage):
        await until(lambda: bool(held.page.views) and held.page.views[-1].navigation_bar is not None)
        await to(held, place)
        yield held


async def to(held: Phone, place: str) -> None:
    """To the last tab, and on to a place."""
    bar = held.page.views[0].navigation_bar
    bar.selected_index = 3
    await held.fire(bar, "change")
    await until(lambda: held.has(f"more-{place}"), within_seconds=30)
    await held.tap(f"more-{place}")


def keys(held: Phone, start: str) -> list[str]:
    return [str(one.key) for one in held.controls() if isinstance(one.key, str) and one.key.startswith(start)]


# Spend.


async def test_nobody_who_used_nothing_is_shown_a_plot(world: World, ada: Person, tmp_path: Path):
    async with at("spend", world, ada, tmp_path) as held:
        await held.waits_for("Nothing was used on these days.")
        await held.waits_for("No budget binds you.")
        assert not held.has("plot")


async def test_what_was_used_is_shown_by_day_by_what_and_as_a_table(world: World, ada: Person, tmp_path: Path):
    await use(ada, 1234)
    text = '[[budget]]\nname = "daily"\nper = "user"\nperiod = "day"\ntokens = 1000000\n'
    policy = {"subject": "user", "format": "toml", "text": text, "expected_version": 0}
    assert (await ada.post("/policies", policy)).status_code == 200
    async with at("spend", world, ada, tmp_path) as held:
        await until(lambda: held.has("plot") and held.has("group-0"), within_seconds=30)
        await held.waits_for("daily")
        await held.waits_for("left of 1 M, a day")
        await held.tap("by-machine")
        await held.waits_for("laptop")
        await held.tap("days-7")
        await until(lambda: held.has("group-0"))
        await held.tap("as-table")
        await held.waits_for("tokens")


async def test_models_are_compared_where_there_are_two_and_told_in_numbers(world: World, ada: Person, tmp_path: Path):
    await use(ada, 1000)
    async with at("spend", world, ada, tmp_path) as held:
        await until(lambda: held.has("plot"), within_seconds=30)
        assert not held.has("models"), "with one there is nothing to compare"
        await use(ada, 3000, "gpt-5-codex")
        await held.tap("days-7")
        await until(lambda: held.has("models"), within_seconds=30)
        assert held.shows("gpt-5-codex 75 %, gpt-5 25 %")
        await held.tap("models-as-table")
        await held.waits_for("3,000 tokens")
        await held.waits_for("gpt-5-codex 3,000, gpt-5 1,000")


# Policy.


async def test_what_binds_is_said_in_words_and_can_be_tried(world: World, ada: Person, tmp_path: Path):
    text = '[methods]\ndeny = ["thread/fork"]\n'
    policy = {"subject": "user", "format": "toml", "text": text, "expected_version": 0}
    assert (await ada.post("/policies", policy)).status_code == 200
    async with at("policy", world, ada, tmp_path) as held:
        await held.waits_for("but not thread/fork")
        await held.waits_for("Your own policy, version 1")
        await held.waits_for("changed in the web app")
        await held.type("try-method", "thread/fork")
        await held.tap("try")
        await held.waits_for("Refused")
        await held.type("try-method", "turn/start")
        await held.tap("try")
        await held.waits_for("Allowed")


# Audit and trace.


async def is_told(ada: Person) -> bool:
    """Whether the audit knows of both sign-ins."""
    return len((await ada.get("/audit?action=signed_in")).json()["data"]) > 0


async def test_acts_are_listed_narrowed_and_followed_to_every_hop(world: World, ada: Person, tmp_path: Path):
    await until(lambda: is_told(ada))
    async with at("audit-and-trace", world, ada, tmp_path) as held:
        await until(lambda: keys(held, "line-"), within_seconds=30)
        await held.waits_for("Signed in")
        await held.type("search", "nothing of this")
        await held.waits_for("Nothing that fits")
        await held.tap("show-all")
        await until(lambda: keys(held, "line-"))
        await held.tap("filters")
        await held.tap("outcome-refused")
        await held.waits_for("Nothing that fits")
        await held.tap("show-all")
        await until(lambda: keys(held, "line-"))
        await held.tap(keys(held, "line-")[0])
        await until(lambda: held.has("follow"))
        await held.tap("follow")
        await until(lambda: held.has("hop-0"), within_seconds=30)
        await held.waits_for("Known as")


async def test_a_request_that_nobody_knows_is_said_to_be_missing(world: World, ada: Person, tmp_path: Path):
    async with at("audit-and-trace", world, ada, tmp_path) as held:
        await held.tap("trace")
        await held.waits_for("Which request?")
        await held.type("trace-id", "no-such-request")
        await held.tap("trace-go")
        await held.waits_for("Nothing that you may see has this name")


# Devices.


async def test_devices_are_renamed_and_signed_out_and_asked_about_twice(world: World, ada: Person, tmp_path: Path):
    async with at("devices", world, ada, tmp_path) as held:
        await held.waits_for("This device")
        others = len(keys(held, "device-dev_"))
        assert others == 2
        await held.tap(keys(held, "device-dev_")[0])
        await held.type("device-name", "Pocket")
        await held.tap("rename")
        await held.waits_for("It is called Pocket now.")
        await held.tap(keys(held, "device-dev_")[1])
        await held.tap("revoke")
        assert len((await _devices(ada)).json()["data"]) == 2
        await held.tap("sure-yes")
        await held.waits_for("It is signed out.")
        await held.waits_for("You are signed in nowhere else.")
    assert (await ada.get("/api/me")).status_code == 401


async def _devices(ada: Person):
    return await ada.get("/api/devices")


async def test_all_others_are_signed_out_only_when_it_is_meant(world: World, ada: Person, tmp_path: Path):
    async with at("devices", world, ada, tmp_path) as held:
        await until(lambda: held.has("revoke-others"), within_seconds=30)
        await held.tap("revoke-others")
        await held.tap("sure-no")
        assert (await _devices(ada)).status_code == 200
        await held.tap("revoke-others")
        await held.tap("sure-yes")
        await held.waits_for("1 device is signed out.")


async def test_a_phone_that_does_not_recognise_its_owner_signs_nobody_out(world: World, ada: Person, tmp_path: Path):
    secrets = await signed_in(world, ada.email, tmp_path)
    secrets[Kept.SETTINGS] = '{"asks_for_owner": true}'
    held = phone(secrets=secrets)
    held.wire.answers["authenticate"] = lambda _said: False
    async with running(held, tmp_path):
        await until(lambda: bool(held.page.views) and held.page.views[-1].navigation_bar is not None)
        await to(held, "devices")
        await until(lambda: held.has("revoke-others"), within_seconds=30)
        await held.tap("revoke-others")
        await held.tap("sure-yes")
        await held.waits_for("did not recognise its owner")
    assert (await _devices(ada)).status_code == 200


# Settings.


async def test_face_id_is_chosen_by_its_owner_only_and_kept(world: World, ada: Person, tmp_path: Path):
    async with at("settings", world, ada, tmp_path) as held:
        await held.waits_for(ada.email)
        await until(lambda: not held.find("asks-for-owner").disabled, within_seconds=30)
        await _switch(held, to=True)
        await until(lambda: Kept.SETTINGS in held.secrets)
        held.wire.answers["authenticate"] = lambda _said: False
        await _switch(held, to=False)
        await held.waits_for("did not recognise its owner")
        assert held.find("asks-for-owner").value is True
        assert "true" in held.secrets[Kept.SETTINGS]


async def _switch(held: Phone, *, to: bool) -> None:
    switch = held.find("asks-for-owner")
    switch.value = to
    await held.fire(switch, "change", to)


async def test_it_is_explained_how_one_is_told_and_what_the_app_is_made_of(world: World, ada: Person, tmp_path: Path):
    async with at("settings", world, ada, tmp_path) as held:
        await held.tap("told")
        await held.waits_for("Add it to the home screen")
        await held.tap("sheet-done")
        await held.tap("licences")
        await held.waits_for("Apache License 2.0")


async def test_signing_out_wipes_the_phone(world: World, ada: Person, tmp_path: Path):
    async with at("settings", world, ada, tmp_path) as held:
        await held.tap("sign-out")
        await held.tap("sure-yes")
        await held.waits_for("Where is your Autopilot server?")
    assert held.secrets == {}


async def test_signing_out_without_a_server_wipes_and_says_that_it_was_not_told(
    world: World, ada: Person, tmp_path: Path
):
    address = urlsplit(world.api.url)
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(FaultProxy(address.hostname or "", address.port or 0))
        async with at("settings", world, ada, tmp_path, proxy.url) as held:
            await until(lambda: held.has("sign-out"), within_seconds=30)
            await stack.aclose()
            await held.tap("sign-out")
            await held.tap("sure-yes")
            await held.waits_for("Where is your Autopilot server?")
            await held.waits_for("could not be told")
    assert held.secrets == {}


# Diagnostics.


async def test_diagnostics_say_how_things_stand_and_are_shared_without_a_secret(
    world: World, ada: Person, tmp_path: Path
):
    async with at("diagnostics", world, ada, tmp_path) as held:
        await held.waits_for("Live")
        await held.waits_for("The same as this phone's")
        await held.waits_for("kept")
        held.wire.answers["share_text"] = lambda _said: {"status": "success", "raw": ""}
        await held.tap("copy")
        await held.tap("share")
        said = [str(arguments) for name, arguments in held.wire.asked if name in ("set_data", "set", "share_text")]
        exported = [one for one in said if "Autopilot diagnostics" in one]
        assert len(exported) == 2
        for one in exported:
            assert "client.call" in one
            for secret in secrets_in(held):
                assert secret not in one


def secrets_in(held: Phone) -> list[str]:
    """Every value in the Keychain, and every part of the session."""
    parts = json.loads(held.secrets[Kept.CREDENTIALS])
    kept = [held.secrets[one] for one in (Kept.CREDENTIALS, Kept.CACHE_KEY)]
    tokens = [parts[name] for name in ("access_token", "refresh_token", "device_key")]
    assert all(tokens)
    return [*kept, *tokens]


# Without a server.


@pytest.mark.parametrize("place", ["spend", "policy", "audit-and-trace", "devices"])
async def test_a_place_without_network_says_so_and_is_there_when_the_network_is(
    world: World, ada: Person, tmp_path: Path, place: str
):
    fault = HEALTHY
    address = urlsplit(world.api.url)
    async with FaultProxy(address.hostname or "", address.port or 0, lambda _number: fault) as proxy:
        secrets = await signed_in(world, ada.email, tmp_path, proxy.url)
        fault = Fault("refuse")
        held = phone(secrets=secrets)
        async with running(held, tmp_path):
            await until(lambda: bool(held.page.views) and held.page.views[-1].navigation_bar is not None)
            await to(held, place)
            await until(lambda: held.has("offline"), within_seconds=60)
            fault = HEALTHY
            await held.fire(held.page, "app_lifecycle_state_change", {"state": "resume"})
            await until(lambda: not held.has("offline") and not held.has("loading"), within_seconds=60)
            assert not held.has("failed")
