"""The app as it is installed, from its first start on, with a real Codex at the other end; and a browser that looks on.

What the phone does is seen in a web timeline that was open before, and the other way round. Everything that the app
asks for is asked of `/api/`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import Browser, expect
from tests.browser import screens
from tests.browser.screens import visiting
from tests.e2e.installation import Up, running_up
from tests.e2e.test_health import processes_of
from tests.phone.glass import Glass, glass, served
from tests.waiting import until

from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy
from autopilot_ios.app import main
from autopilot_ios.device.device import STORAGE_VARIABLE

pytestmark = pytest.mark.e2e
DAY_MS = "86400000"


@pytest.fixture(scope="module")
async def up(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    """The demo: a session that has asked its question."""
    home = tmp_path_factory.mktemp("installation") / "home"
    async with running_up(home, "--demo", AUTOPILOT_APPROVAL_TTL_MS=DAY_MS) as made:

        async def asked() -> bool:
            return bool((await made.cli("approvals", "--json")).json)

        await until(asked, within_seconds=60)
        yield made


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """What this process, which is the app's, asks the server for."""
    found: set[str] = set()
    send = httpx2.AsyncHTTPTransport.handle_async_request

    async def noted(transport: httpx2.AsyncHTTPTransport, request: httpx2.Request) -> httpx2.Response:
        found.add(request.url.path)
        return await send(transport, request)

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", noted)
    return found


async def printed_code(up: Up) -> str:
    """The code that the server prints on its console, having no mail."""
    assert up.process.stdout is not None
    async with asyncio.timeout(30):
        while line := await up.process.stdout.readline():
            if found := re.search(rb"\b(\d{4} \d{4})\b", line):
                return found[1].decode()
    raise AssertionError("it printed no code")


async def sign_in(held: Glass, up: Up, url: str = "") -> None:
    """From the very first screen to the list; `url`: another way to the server."""
    await held.type("autopilot.example.com", url or up.url)
    await held.button("Continue").click()
    await held.type("E-mail", up.ready["owner_email"])
    await held.button("Send me a code").click()
    await held.sees("Enter the code")
    await held.type("Code", await printed_code(up))
    await held.button("Sign in").click()
    await held.sees("Filters")


@pytest.fixture
async def phone(
    launched: Browser, up: Up, paths: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Glass]:
    """A phone that was never used, with the app on it."""
    monkeypatch.setenv(STORAGE_VARIABLE, str(tmp_path / "app"))
    async with served(main, tmp_path / "assets") as url, glass(launched) as held:
        await held.switch_on(url)
        yield held


async def test_what_the_phone_does_is_seen_in_a_browser_that_was_open_and_the_other_way_round(
    launched: Browser, up: Up, phone: Glass, paths: set[str]
):
    async with visiting(launched, up.url) as visit:
        await screens.sign_in(visit, up.ready["owner_email"], up.ready["code"])
        worker_id = (await up.cli("workers", "--json")).json[0]["worker_id"]
        web = await visit.open(f"/w/{worker_id}")
        timeline = web.get_by_role("feed", name="Timeline")

        await sign_in(phone, up)
        await phone.picture("whole-workers")
        await phone.button("Needs approval").first.click()
        await phone.sees("More about this session")
        await phone.picture("whole-worker")
        await phone.button("More about this session").click()
        await phone.button("Connect").last.click()
        await phone.sees("Not asked yet.")
        await phone.button("Connect").last.click()
        await phone.sees("Connected.")
        await expect(timeline.get_by_text("iPhone app").first).to_be_attached()

        await phone.button("Back").first.click()
        await web.get_by_role("textbox", name="Message").fill("A word from the web.")
        await web.get_by_role("button", name=re.compile("Steer|Send|Queue")).first.click()
        await phone.sees("A word from the web.")
    assert phone.complaints == []
    assert all(path.startswith("/api/") for path in paths), paths


async def test_a_network_that_goes_away_or_stands_still_leaves_what_was_known_on_the_screen(up: Up, phone: Glass):
    at = urlsplit(up.url)
    fault = HEALTHY
    async with FaultProxy(at.hostname or "", at.port or 0, lambda _number: fault) as proxy:
        await sign_in(phone, up, proxy.url)
        await phone.button("Needs approval").first.wait_for()
        fault = Fault("refuse")
        proxy.cut_all()
        await phone.sees("showing what was known")
        await phone.picture("whole-offline")
        await expect(phone.button("Needs approval").first).to_be_attached()
        for next_fault in (HEALTHY, Fault("stall"), HEALTHY):
            fault = next_fault
            proxy.cut_all()
            unwell = phone.page.get_by_text(re.compile("Reconnecting|Connecting|showing what was known|stalled"))
            await (expect(unwell).to_have_count(0) if fault is HEALTHY else expect(unwell.first).to_be_attached())
        await expect(phone.button("Needs approval").first).to_be_attached()
        assert phone.complaints == []


async def test_a_turn_is_steered_and_interrupted_a_killed_server_comes_back_and_the_worker_is_stopped(
    up: Up, phone: Glass, paths: set[str]
):
    worker_id = (await up.cli("workers", "--json")).json[0]["worker_id"]
    answer = phone.page.get_by_role("button", name="Answer", exact=True).first
    await sign_in(phone, up)
    await phone.button("Needs approval").first.click()
    await phone.type("Message", "And say what you did.")
    await phone.button("Steer").click()
    await answer.click()
    await phone.button("Yes").click()
    await phone.button("Yes, I am sure").click()
    await phone.sees("Approved by you")
    await phone.button("Back").first.click()
    await phone.button("Workers").last.click()
    await phone.sees("And say what you did.")
    await answer.wait_for()  # what it was steered to takes another yes
    await phone.button("Interrupt").click()
    await phone.sees("Interrupted")

    (server,) = processes_of(up, "server")
    server.kill()
    await phone.type("Message", "Once more from the start.")
    await phone.button("Send").click()
    await answer.wait_for()  # asked in a turn that the new server took up, and told by its stream
    await phone.picture("whole-again")

    await phone.button("More about this session").click()
    await phone.button("Stop").last.click()
    await phone.type("Why (optional, for the record)", "Enough for today")
    await phone.button("Stop it").click()
    await phone.sees("Stopped")
    stopped = (await up.cli("show", worker_id, "--json")).json
    assert stopped["status"] == "stopped"
    assert phone.complaints == []
    assert all(path.startswith("/api/") for path in paths), paths
