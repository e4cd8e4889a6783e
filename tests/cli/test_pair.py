"""`autopilot pair` and `autopilot machine enroll`: both terminals, in front of a real API."""

from __future__ import annotations

import asyncio
import io
import json
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, serving
from tests.waiting import until

from autopilot.api.settings import Limits
from autopilot.cli.connect import Target
from autopilot.cli.enroll import enroll
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import Running
from autopilot.cli.main import run
from autopilot.cli.options import Options
from autopilot.cli.pair import pair, shown_url
from autopilot.client import FileTokenStore

JSON = Options(json=True)


class Printed:
    """What was printed on standard output so far, by both sides of this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.lines: list[dict[str, Any]] = []

    def of(self, event: str) -> list[dict[str, Any]]:
        printed = self._capsys.readouterr().out.splitlines()  # the API's log is there too
        self.lines += [json.loads(line) for line in printed if line.startswith('{"event": ')]
        return [line for line in self.lines if line["event"] == event]

    async def first(self, event: str) -> dict[str, Any]:
        return (await until(lambda: self.of(event)))[0]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    return Printed(capsys)


@pytest.fixture
async def api(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServedApi]:
    async with serving(database, EchoRuntime(), limits=Limits(pairing_tries_per_minute=6000.0)) as served:
        monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("AUTOPILOT_URL", served.url)
        monkeypatch.setenv("AUTOPILOT_TOKEN", (await served.mint("ada@example.org")).token)
        yield served


def answering(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.slow
async def test_a_machine_is_enrolled_by_the_code_that_it_shows(
    api: ServedApi, tmp_path: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch
):
    answering(monkeypatch, "y\n")
    async with asyncio.timeout(60), asyncio.TaskGroup() as both:
        both.create_task(enroll(api.url, name="build box", options=JSON))
        code = (await printed.first("started"))["code"]
        both.create_task(pair(confirm=code, options=Options(json=True, url=api.url)))

    words = [line["words"] for line in printed.of("compare")]
    assert len(words) == 2
    assert words[0] == words[1]
    file = tmp_path / "home/companion/credentials.json"
    held = FileTokenStore(file).load()
    assert held is not None
    assert (stat.S_IMODE(file.stat().st_mode), held.base_url) == (0o600, api.url)
    told = (await api.client.get("/api/me", headers=bearer(held.access_token))).json()
    assert (told["scopes"], told["device"]["name"]) == (["execute"], "build box")
    assert told["machine_id"] == json.loads((tmp_path / "home/companion/machine.json").read_text())["machine_id"]
    assert held.access_token not in json.dumps(printed.lines)


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "written"), [("y\n", False), ("\n", False), ("y\n", True)])
async def test_a_computer_takes_up_a_link_and_is_signed_in_when_the_other_says_yes(
    api: ServedApi, printed: Printed, monkeypatch: pytest.MonkeyPatch, answer: str, *, written: bool
):
    """`written`: the link comes by standard input."""
    answering(monkeypatch, answer)
    options = Options(json=True, url=api.url)
    ended: list[BaseException | None] = []

    async def other_side() -> None:
        ended.extend(await asyncio.gather(pair(options=options), return_exceptions=True))

    async with asyncio.timeout(60), asyncio.TaskGroup() as both:
        both.create_task(other_side())
        link = (await printed.first("started"))["link"]
        if written:
            answering(monkeypatch, f"{link}\n{answer}")
        claim = "-" if written else link
        claimed = await asyncio.gather(pair(claim=claim, options=JSON), return_exceptions=True)

    if answer == "y\n":
        assert ended == claimed == [None]
        assert [line["email"] for line in printed.of("paired") if "email" in line] == ["ada@example.org"]
    else:
        for (failure,) in (ended, claimed):
            assert isinstance(failure, CommandFailed)
            assert failure.reason_code == "declined"
        assert printed.of("paired") == []


async def test_what_contradicts_itself_is_refused():
    with pytest.raises(CommandFailed) as refused:
        await pair(confirm="K7QM-3XF-B2D", claim="https://a.example/pair#s", options=JSON)
    assert refused.value.exit_code == Exit.USAGE
    with pytest.raises(CommandFailed, match="--url"):
        await pair(claim="K7QM-3XF-B2D", options=JSON)


def test_the_link_is_of_a_server_that_others_can_open(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AUTOPILOT_PUBLIC_URL", raising=False)
    running = Running(
        url="http://127.0.0.1:1", pid=1, database_url="", owner_email="a@b", started_at="2026", version="1"
    )
    here = Target("http://127.0.0.1:1", running=replace(running, shown_url="http://192.168.1.5:1"))
    assert shown_url(here) == "http://192.168.1.5:1"
    assert shown_url(Target("https://a.example")) == "https://a.example"
    assert shown_url(Target("http://127.0.0.1:1", running=running)) == "http://127.0.0.1:1"
    monkeypatch.setenv("AUTOPILOT_PUBLIC_URL", "https://public.example/")
    assert shown_url(here) == "https://public.example"


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("https://a.example/workers#s", Exit.USAGE),
        ("autopilot://worker/w-1", Exit.USAGE),
        ("http://a.example/pair#appair_0123456789", Exit.REFUSED),
        ("https://good.example@evil.example/pair#appair_0123456789", Exit.REFUSED),
    ],
)
def test_a_link_that_leads_elsewhere_is_refused_before_anybody_is_asked(
    link: str, code: Exit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))

    assert run(["pair", "--claim", link]) == code
