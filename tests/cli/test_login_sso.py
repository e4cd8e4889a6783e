"""`autopilot login --sso`: the link is printed, the browser's code read, and the device signs its writes."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.api.issuer import Browser, Issuer, code_on, settings_for
from tests.api.served import EchoRuntime, ServedApi, serving

from autopilot.cli import login
from autopilot.cli.exits import CommandFailed
from autopilot.cli.options import Options
from autopilot.client import MemoryTokenStore, Session
from autopilot.client.session import SsoSignIn
from autopilot.contract.errors import Conflict, NotFound, Unauthorized


@pytest.fixture
async def api(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServedApi]:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    async with Issuer().running() as issuer, serving(database, EchoRuntime(), settings=settings_for(issuer)) as served:
        yield served


async def test_the_sdk_signs_in_with_the_provider(api: ServedApi):
    async with Session(api.url, MemoryTokenStore()) as session:
        begun = await session.begin_sso()
        assert (begun.name, begun.expires_in) == ("Example Corp", 600)
        assert begun.verifier not in repr(begun)
        with pytest.raises(Conflict) as caught:
            await session.finish_sso(begun, "00000000")
        assert caught.value.reason_code == "not_confirmed"
        async with Browser(api) as browser:
            page = await browser.open(await browser.way_back(begun.url, "ada"))
        with pytest.raises(Unauthorized):
            await session.finish_sso(begun, "00000000")

        user = await session.finish_sso(begun, code_on(page), device_name="phone", with_key=True)

        assert (user.email, session.state.kind) == ("ada@example.org", "signed_in")
        assert await api.pool.fetchval("select public_key is not null from api.device") is True
        await session.sign_out()


async def test_the_sdk_says_where_there_is_no_provider(database: str):
    async with serving(database, EchoRuntime()) as api, Session(api.url, MemoryTokenStore()) as session:
        with pytest.raises(NotFound) as caught:
            await session.begin_sso()
        assert caught.value.reason_code == "sso_off"


async def test_the_command_prints_the_link_and_takes_the_code(
    api: ServedApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    said: list[str] = []

    class Typed(io.StringIO):
        def readline(self, *_: object) -> str:
            """Whoever reads the link goes to a browser with it."""
            said.append(capsys.readouterr().err)
            return in_a_browser(api, said[0].split()[-1]) + "\n"

    monkeypatch.setattr("sys.stdin", Typed())
    await login.login(api.url, sso=True, name="my laptop", options=Options(json=True))

    printed = json.loads(capsys.readouterr().out.splitlines()[-1])  # before it: the server's log
    assert (printed["url"], printed["email"]) == (api.url, "ada@example.org")
    assert "Sign in with Example Corp" in said[0]
    row = await api.pool.fetchrow("select name, surface, public_key is not null as signs from api.device")
    assert dict(row or {}) == {"name": "my laptop", "surface": "cli", "signs": True}


def in_a_browser(api: ServedApi, url: str) -> str:
    """The browser, in the thread that reads the terminal; the code on its page."""
    import asyncio

    import httpx2
    from tests.api.served import ServedApi as Served

    async def browse() -> str:
        async with httpx2.AsyncClient(base_url=api.url, trust_env=False, timeout=30) as client:
            elsewhere = Served(api.url, client, api.pool, api.runtime, api.post, api.server, api.app)
            async with Browser(elsewhere) as browser:
                return code_on(await browser.open(await browser.way_back(url, "ada")))

    return asyncio.run(browse())


@pytest.mark.parametrize(
    "url", ["file:///bin/sh", "--help", "https://id.example.org/\x1b]0;x\x07", "https://id.example.org/ x"]
)
async def test_a_server_has_nothing_opened_or_printed_but_a_page_of_the_web(
    api: ServedApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
):
    async def begun(_self: Session) -> SsoSignIn:
        return SsoSignIn(url=url, name="Example Corp", expires_in=600, verifier="0" * 64)

    monkeypatch.setattr(Session, "begin_sso", begun)
    monkeypatch.setattr("webbrowser.open", lambda link: pytest.fail(f"opened {link}"))

    with pytest.raises(CommandFailed, match="no page"):
        await login.login(api.url, sso=True)

    assert url not in capsys.readouterr().err


async def test_an_address_or_a_code_beside_sso_is_a_usage_error(api: ServedApi):
    with pytest.raises(CommandFailed):
        await login.login(api.url, sso=True, email="ada@example.org")
