"""The way in of a phone: who goes back is nowhere else a moment later, and nothing is kept that was not looked at."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest
from tests.client.secret_storage import Keychain as Storage

from autopilot.client.addresses import PairLink, server_address
from autopilot.client.keychain import Kept, Keychain, KeychainTokenStore
from autopilot.client.signing_in import SigningIn

HOME = "https://home.example"


class Server:
    """Answers the calls of a sign-in; those that are held wait."""

    def __init__(self) -> None:
        self.scopes = ["administer", "observe"]
        self.held: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.came = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append((request.url.host, request.url.path))
        self.came.set()
        if request.url.path in self.held:
            await self.go_on.wait()
        match request.url.path:
            case "/api/auth/verify":
                user = {"id": 7, "email": "ada@example.com"}
                tokens = {"token": "access", "refresh_token": "refresh", "expires_in": 900}
                return httpx2.Response(200, json={"ok": True, "userId": 7, "user": user, **tokens})
            case "/api/me":
                said = {"user": {"id": 7, "email": "ada@example.com"}, "scopes": self.scopes, "surface": "ios"}
                return httpx2.Response(200, json=said)
        return httpx2.Response(200, json={"ok": True})

    async def came_to(self, path: str) -> None:
        async with asyncio.timeout(30):
            while path not in [asked for _host, asked in self.asked]:
                self.came.clear()
                await self.came.wait()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def keychain() -> Keychain:
    return await Keychain.opened(Storage())


async def at_the_code(server: Server, keychain: Keychain) -> SigningIn:
    made = SigningIn(keychain, device_name="Phone", platform="ios", transport=httpx2.MockTransport(server))
    await made.choose_server(HOME)
    await made.ask_code("ada@example.com")
    assert (made.view.step, made.view.is_busy) == ("code", False)
    return made


async def test_a_code_signs_in_and_what_is_kept_names_its_server(server, keychain):
    made = await at_the_code(server, keychain)
    await made.give_code("123456")
    held = KeychainTokenStore(keychain).load()
    assert (made.view.step, held.base_url, keychain.get(Kept.SERVER)) == ("done", HOME, HOME)
    assert json.loads(keychain._storage.held[Kept.CREDENTIALS])["access_token"] == "access"


async def test_a_session_that_may_do_more_is_kept_at_no_moment_and_given_back(server, keychain):
    server.scopes, server.held = ["admin", "administer", "observe"], {"/api/me"}
    made = await at_the_code(server, keychain)
    async with asyncio.TaskGroup() as group:
        group.create_task(made.give_code("123456"))
        await server.came_to("/api/me")
        assert Kept.CREDENTIALS not in keychain._storage.held, "an app that ends here has nothing of it"
        server.go_on.set()
    assert "may do more" in made.view.problem
    assert KeychainTokenStore(keychain).load() is None
    assert keychain._storage.held == {}
    assert server.asked[-1][1] == "/api/auth/signout"


@pytest.mark.parametrize("where", ["/api/auth/email", "/api/auth/verify", "/api/me"])
async def test_who_goes_back_is_where_they_went_whatever_is_answered_then(server, keychain, where):
    made = await at_the_code(server, keychain)
    server.held = {where}
    if where == "/api/auth/email":
        made.back()
        server.asked.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(made.ask_code("b@example.com") if where == "/api/auth/email" else made.give_code("123456"))
        await server.came_to(where)
        made.back()
        made.back()
        assert (made.view.step, made.view.is_busy) == ("server", False)
        await made.choose_server("https://other.example")
        server.go_on.set()
    assert (made.view.step, made.view.server.host, made.view.problem) == ("email", "other.example", None)
    assert keychain._storage.held == {}
    assert {host for host, _path in server.asked} == {"home.example"}
    if where == "/api/me":
        assert server.asked[-1] == ("home.example", "/api/auth/signout")


async def test_a_link_that_is_not_wanted_leads_back_to_where_one_was(server, keychain):
    made = await at_the_code(server, keychain)
    made.invited(PairLink(server_address("https://elsewhere.example"), "appair_somebodys"))
    made.invited(PairLink(server_address("https://elsewhere.example"), "appair_once_more"))
    assert (made.view.step, made.view.server.host) == ("invited", "elsewhere.example")
    made.back()
    assert (made.view.step, made.view.server.url, made.view.email) == ("code", HOME, "ada@example.com")
    await made.give_code("123456")
    assert KeychainTokenStore(keychain).load().base_url == HOME
