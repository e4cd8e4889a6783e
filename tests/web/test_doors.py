"""Every path of the web app, as the app itself lists them: none without a cookie, no form without its proof."""

from __future__ import annotations

import asyncio
import json
import re
from urllib.parse import quote

import httpx2
import pytest
from tests.api.contract.world import World, ask, lease
from tests.web.browser import Browser, parsed

from autopilot.web.app import Web

OPEN = {
    *("/static/{name}", "/manifest.webmanifest", "/sw.js", "/offline", "/favicon.ico"),
    *("/sign-in", "/sign-in/email", "/sign-in/code", "/sign-in/passkey/options", "/sign-in/passkey"),
    *("/sign-in/sso", "/sign-in/sso/code"),
    *("/pair", "/pair/claim", "/pair/request", "/pair/step", "/guest", "/guest/enter", "/teams/join"),
}
"""What one may open who is not signed in: to sign in, to come in by a link, and what browsers load by themselves."""
NO_FORM = {"/notifications/answer"}
"""Takes the cookie and a token that is good once, in place of a form's proof (test_notification_answers.py)."""
SEARCHES = {"/audit", "/spend", "/trace"}
"""What is looked for there is in the address, to be shared."""
LIVE = "/live"
ROUTES = [
    (method, route.path)
    for route in Web(stopping=asyncio.Event()).routes
    for method in sorted(route.methods or ())
    if method != "HEAD"
]


@pytest.fixture
async def asked(ada: Browser) -> Browser:
    """Whose machine asks something."""
    assert ada.person is not None
    machine = await ada.person.machine()
    await lease(machine, ada.person.worker_id)
    await ask(machine, ada.person.worker_id, 1, title="Push?", risk="high", evidence={"command_line": "git push"})
    return ada


def filled(path: str) -> str:
    """The path with something in it."""
    return re.sub(r"\{[^}]*:int\}", "1", re.sub(r"\{\w+(:path)?\}", "x", path))


def test_what_is_open_is_there():
    assert {path for _, path in ROUTES} >= OPEN | NO_FORM


@pytest.mark.parametrize(("method", "path"), [one for one in ROUTES if one[1] not in {*OPEN, LIVE}], ids=" ".join)
async def test_nobody_gets_in_without_a_cookie(world: World, method: str, path: str):
    async with httpx2.AsyncClient(base_url=world.api.url, trust_env=False) as http:
        answer = await http.request(method, filled(path), json={} if path in NO_FORM else None)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")
    assert answer.text == ""


async def test_a_stream_without_a_cookie_says_so_since_no_script_sees_where_it_is_led(world: World):
    async with httpx2.AsyncClient(base_url=world.api.url, trust_env=False) as http:
        answer = await http.get(LIVE)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    kind, data = answer.text.splitlines()[:2]
    assert (kind, json.loads(data.removeprefix("data: "))["why"]) == ("event: over", "signed_out")


@pytest.mark.parametrize(
    "path", [path for method, path in ROUTES if method == "POST" and path not in OPEN | NO_FORM], ids=str
)
async def test_no_form_counts_without_its_proof(ada: Browser, path: str):
    answer = await ada.http.post(filled(path), data={"csrf": "0" * 64})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        *("/new", "/inbox", "/devices", "/devices/pair", "/devices/guests", "/devices/delete", "/step-up/page"),
        *("/policy", "/teams", "/machines", "/settings", "/more", "/stop-all", "/spend", "/audit", "/trace"),
        *("/w/{worker}", "/w/{worker}/request", "/w/{worker}/stop", "/w/{worker}/details"),
    ],
)
async def test_no_form_puts_what_was_typed_into_an_address(asked: Browser, path: str):
    assert asked.person is not None
    path = path.format(worker=asked.person.worker_id)
    answer = await asked.http.get(path, headers={"hx-request": "true"} if path.endswith(("/stop", "/stop-all")) else {})
    assert answer.status_code == 200
    for form in parsed(answer.text).all("form"):
        method, action = (form.attributes.get(name) for name in ("method", "action"))
        assert method == "post" or (method == "get" and action in SEARCHES), form.attributes
        assert action, form.attributes


@pytest.mark.parametrize(
    ("dialog", "screen"),
    [("/stop-all", "/"), ("/w/{worker}/stop", "/w/{worker}"), ("/w/{worker}/connect", "/w/{worker}")],
)
async def test_who_goes_to_a_dialog_by_its_address_is_led_to_the_screen_under_it(
    ada: Browser, dialog: str, screen: str
):
    assert ada.person is not None
    worker = quote(ada.person.worker_id, safe="")
    answer = await ada.http.get(dialog.format(worker=worker))
    assert (answer.status_code, answer.headers["location"]) == (303, screen.format(worker=worker))
    assert (await ada.http.get(answer.headers["location"])).text.startswith("<!doctype html>")
