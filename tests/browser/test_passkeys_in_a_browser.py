"""Passkeys in a real browser, against the served API: what WebAuthn says, not what we think that it says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.api.passkeys import ADA, BASE, Passkeyed, asked_to_sign_in, expire_step_ups, lines, origin, reason, served
from tests.api.served import ServedApi
from tests.browser.chromium import Page, PageRefused, chromium

POST = """async (path, body, token) => {
    const headers = {"content-type": "application/json", "x-autopilot-surface": "web"};
    if (token) headers.authorization = `Bearer ${token}`;
    const answer = await fetch(path, {method: "POST", headers, body: JSON.stringify(body)});
    return {status: answer.status, body: await answer.json()};
}"""
CREATE = """async (options) => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    return (await navigator.credentials.create({publicKey})).toJSON();
}"""
GET = """async (options) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return (await navigator.credentials.get({publicKey})).toJSON();
}"""


@pytest.fixture
async def api(database: str) -> AsyncIterator[ServedApi]:
    async with served(database) as made:
        yield made


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Page]:
    """Started once: that is what takes long."""
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def page(browser: Page, api: ServedApi) -> AsyncIterator[Page]:
    """At a page of this server, with an authenticator that holds nothing yet."""
    await browser.open(f"{origin(api)}/pair")
    await browser.plug_in()
    yield browser
    await browser.unplug()


async def post(page: Page, path: str, body: Any = None, token: str = "") -> Any:
    answer = await page.run(POST, path, body or {}, token)
    assert answer["status"] == 200, answer
    return answer["body"]


async def register(page: Page, token: str) -> Any:
    asked = (await post(page, f"{BASE}/register/options", token=token))["data"]
    credential = await page.run(CREATE, asked["options"])
    body = {"ceremony": asked["ceremony"], "credential": credential, "name": "Browser"}
    return (await post(page, f"{BASE}/register", body, token))["data"]


async def test_it_registers_signs_in_without_a_name_and_steps_up(api: ServedApi, page: Page):
    ada = await Passkeyed.sign_in(api)
    kept = await register(page, ada.token)
    assert (kept["name"], kept["rp_id"], kept["transports"]) == ("Browser", "localhost", ["internal"])

    asked = (await post(page, f"{BASE}/sign-in/options"))["data"]
    body = {"ceremony": asked["ceremony"], "credential": await page.run(GET, asked["options"])}
    signed = await post(page, f"{BASE}/sign-in", body)
    assert signed["user"]["email"] == ADA
    token = signed["token"]
    await expire_step_ups(api)
    asked = await post(page, "/api/auth/step-up", {"method": "passkey"}, token)
    proof = {"ceremony": asked["ceremony"], "credential": await page.run(GET, asked["options"])}
    assert (await post(page, "/api/auth/step-up", {"method": "passkey", **proof}, token))["stepped_up"] is True
    asked = (await post(page, f"{BASE}/register/options", token=token))["data"]
    with pytest.raises(PageRefused, match="InvalidStateError"):  # it is excluded: this authenticator has one
        await page.run(CREATE, asked["options"])


async def test_it_gives_nothing_where_its_user_is_not_known_or_the_page_is_another_sites(api: ServedApi, page: Page):
    await register(page, (await Passkeyed.sign_in(api)).token)
    await page.verifies(its_user=False)
    asked = await asked_to_sign_in(api)
    with pytest.raises(PageRefused, match="NotAllowedError"):
        await page.run(GET, {**asked["options"], "timeout": 1000})
    await page.verifies(its_user=True)
    await page.open(f"{api.url}/pair")  # our address is not our name
    with pytest.raises(PageRefused, match="SecurityError"):
        await page.run(GET, asked["options"])


async def test_a_page_on_another_port_of_this_machine_gets_an_answer_that_is_worth_nothing(
    api: ServedApi, page: Page, database: str
):
    """To a browser both are `localhost`: what keeps them apart is the origin that it writes down."""
    await register(page, (await Passkeyed.sign_in(api)).token)
    asked = await asked_to_sign_in(api)
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(served(database))
        await page.open(f"{origin(other)}/pair")
        body = {"ceremony": asked["ceremony"], "credential": await page.run(GET, asked["options"])}

    assert reason(await api.client.post(f"{BASE}/sign-in", json=body)) == (401, "passkey_refused")


async def test_a_copy_of_its_passkey_is_found_by_the_counter(api: ServedApi, page: Page):
    ada = await Passkeyed.sign_in(api)
    await register(page, ada.token)
    (copied,) = await page.credentials()
    for expected in (200, 200, 401):
        if expected != 200:  # somebody who made a copy of it before these uses
            await page.put_back(copied)
        asked = await asked_to_sign_in(api)
        body = {"ceremony": asked["ceremony"], "credential": await page.run(GET, asked["options"])}
        assert (await api.client.post(f"{BASE}/sign-in", json=body)).status_code == expected
    assert len(await lines(api, "passkey_cloned")) == 1
    assert [one["suspected_at"] is not None for one in await ada.list()] == [True]
