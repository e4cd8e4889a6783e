"""The way in, as a phone that was never used finds it: over a real server, with the app's own code and a Keychain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from tests.api.contract.world import World, person
from tests.ios.phone import Phone, phone
from tests.waiting import until

from autopilot.client import RuntimeCodexClient
from autopilot.client.keychain import Kept
from autopilot.client.pairing import app_link
from autopilot.client.pairing_words import words_of
from autopilot.client.tokens import Credentials
from autopilot_ios import app
from autopilot_ios.device.device import Device
from autopilot_ios.device.keychain import Keychain

pytestmark = pytest.mark.slow


@asynccontextmanager
async def started(storage: Path, held: Phone) -> AsyncIterator[Phone]:
    """The app, on this phone."""
    device = Device(held.page, keychain=Keychain(), storage=storage)
    task = asyncio.ensure_future(app.App(held.page, device).run())  # noqa: TID251 - what Flet does with a main function
    await held.waits_for("Autopilot")
    yield held
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def signed_in(held: Phone) -> Credentials:
    await until(lambda: Kept.CREDENTIALS in held.secrets and Kept.SERVER in held.secrets)
    credentials = Credentials.from_json(held.secrets[Kept.CREDENTIALS])
    assert credentials is not None
    return credentials


async def test_a_server_an_address_and_a_code_sign_this_phone_in_with_a_key_of_its_own(world: World, tmp_path: Path):
    async with started(tmp_path, phone()) as held:
        await held.type("server", world.api.url)
        await held.tap("continue")
        await held.type("email", "ada@example.org")
        await held.tap("send-code")
        await held.waits_for("It was sent to ada@example.org")
        await held.type("code", await world.api.code_for("ada@example.org"))
        await held.tap("sign-in")
        credentials = await signed_in(held)
    assert credentials.device_key is not None
    assert set(held.secrets) <= set(Kept)
    answer = await world.api.client.get("/api/me", headers={"authorization": f"Bearer {credentials.access_token}"})
    assert set(answer.json()["scopes"]) == {"observe", "administer"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("http://autopilot.example.com", "use https"),
        ("ftp://autopilot.example.com", "speaks https"),
        ("", "Write the address"),
    ],
)
async def test_an_address_that_is_none_is_refused_in_words_and_stays_typed(tmp_path: Path, written: str, said: str):
    async with started(tmp_path, phone()) as held:
        await held.type("server", written)
        await held.tap("continue")
        assert held.shows(said)
        assert held.find("server").value == written


async def test_a_wrong_code_is_said_and_the_right_one_still_works(world: World, tmp_path: Path):
    async with started(tmp_path, phone()) as held:
        await held.type("server", world.api.url)
        await held.tap("continue")
        assert held.has("warning")  # of a connection that is not encrypted
        await held.type("email", "bea@example.org")
        await held.tap("send-code")
        await held.type("code", "0000 0000")
        await held.tap("sign-in")
        assert held.has("problem")
        await held.type("code", await world.api.code_for("bea@example.org"))
        await held.tap("sign-in")
        await signed_in(held)


async def test_a_server_that_is_away_is_said_and_can_be_tried_again(tmp_path: Path):
    async with started(tmp_path, phone()) as held:
        await held.type("server", "http://127.0.0.1:9")
        await held.tap("continue")
        await held.type("email", "ada@example.org")
        await held.tap("send-code")
        assert held.shows("The server can't be reached.")
        assert not held.find("send-code").disabled


async def test_a_pairing_link_signs_in_once_the_other_device_said_yes(world: World, tmp_path: Path):
    ada = await person(world, "ada")
    async with RuntimeCodexClient(world.api.url, ada.token) as client, started(tmp_path, phone()) as held:
        approver = client.approver()
        offered = await approver.offer("device")
        await held.type("server", app_link(world.api.url, offered.secret))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(held.tap("continue"))

            async def both_sides_spoke() -> tuple[str, ...] | None:
                return words_of(await approver.step())

            words = await until(both_sides_spoke)
            await until(lambda: held.has("words"))
            assert held.find("words").value.split() == list(words)
            await approver.accept(words)
        credentials = await signed_in(held)
    assert credentials.user_id == ada.user_id
    assert credentials.device_key is not None


async def test_a_pairing_link_is_taken_up_also_where_the_app_was_open_already(world: World, tmp_path: Path):
    ada = await person(world, "ada")
    async with RuntimeCodexClient(world.api.url, ada.token) as client, started(tmp_path, phone()) as held:
        approver = client.approver()
        offered = await approver.offer("device")
        await held.opens(app_link(world.api.url, offered.secret))
        assert held.find("invited-server").value == world.api.url, "whoever wrote the link, nothing is joined unasked"
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(held.tap("accept"))

            async def both_sides_spoke() -> tuple[str, ...] | None:
                return words_of(await approver.step())

            words = await until(both_sides_spoke)
            await until(lambda: held.has("words"))
            tasks.create_task(held.opens(app_link("https://elsewhere.example", offered.secret)))
            await approver.accept(words)
        credentials = await signed_in(held)
    assert credentials.user_id == ada.user_id
    assert held.secrets[Kept.SERVER] == world.api.url, "a link that came meanwhile changed nothing"


async def test_what_the_keychain_holds_of_a_deleted_app_is_wiped(world: World, tmp_path: Path):
    secrets = {Kept.CREDENTIALS: Credentials("token").to_json(), Kept.SERVER: world.api.url}
    async with started(tmp_path / "new", phone(secrets=secrets)) as held:
        await held.waits_for("Where is your Autopilot server?")
    assert held.secrets == {}
