from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from autopilot.cli import lan
from autopilot.cli.checks import database as database_check
from autopilot.cli.checks import machine, server
from autopilot.cli.checks.codex import codex, companion
from autopilot.cli.checks.finding import Verdict
from autopilot.cli.home import Home
from autopilot.client import RuntimeCodexClient
from autopilot.companion import standing
from autopilot.companion.codex import process
from autopilot.companion.gate import DriftStanding
from autopilot.testing.fault_proxy import Fault, FaultProxy
from autopilot.testing.scaled_clock import ScaledClock
from autopilot.testing.streaming_server import StreamingServer


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").make()


@asynccontextmanager
async def answering(status: str, *headers: str, contract: bool = True) -> AsyncIterator[str]:
    """A server that says the same to everybody; its URL."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        ours = ["x-autopilot-contract: 1"] if contract else []
        head = [f"HTTP/1.1 {status}", *ours, *headers, "Content-Length: 0", "", ""]
        writer.write("\r\n".join(head).encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        yield lan.url_of(*listening.sockets[0].getsockname()[:2])


async def test_a_home_that_only_its_owner_can_read_is_fine(home: Home) -> None:
    assert [finding.verdict for finding in await machine.permissions(home)] == [Verdict.OK]


async def test_a_secret_that_others_can_read_is_a_problem_with_its_remedy(home: Home) -> None:
    secret = home.secrets / "digest.key"
    secret.write_text("x")
    secret.chmod(0o644)

    (finding,) = await machine.permissions(home)

    assert finding.verdict is Verdict.PROBLEM
    assert str(secret) in finding.says
    assert finding.advice == f"chmod -R go= {home.path}"


@pytest.mark.parametrize(
    ("free", "verdict"), [(5 << 30, Verdict.OK), (500 << 20, Verdict.WARNING), (1 << 20, Verdict.PROBLEM)]
)
async def test_a_disk_that_gets_full_is_told_in_time(
    home: Home, monkeypatch: pytest.MonkeyPatch, free: int, verdict: Verdict
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10 << 30, 0, free))

    assert [verdict] == [finding.verdict for finding in await machine.disk(home)]


async def test_a_port_that_another_program_has_is_a_problem_and_a_free_one_is_not() -> None:
    with lan.listening_socket("127.0.0.1", 0) as taken:
        number = taken.getsockname()[1]
        (while_taken,) = await machine.port(None, number)
    (when_free,) = await machine.port(None, number)

    assert (while_taken.verdict, when_free.verdict) == (Verdict.PROBLEM, Verdict.OK)


async def test_a_server_that_does_not_answer_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ANSWER_SECONDS", 0.2)
    with lan.listening_socket("127.0.0.1", 0) as unheard:
        url = lan.url_of(*unheard.getsockname())

    assert [finding.verdict for finding in await server.answers(url)] == [Verdict.PROBLEM]


async def test_a_proxy_of_the_environment_is_not_asked_about_this_machines_own_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with answering("200 OK") as url:
        assert [finding.verdict for finding in await server.answers(url)] == [Verdict.OK]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "garbage::", "http://127.0.0.1:1"])
async def test_a_proxy_that_can_not_be_used_is_named(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)

    (finding,) = await server.answers("http://autopilot.example")

    assert finding.verdict is Verdict.PROBLEM
    assert "proxy" in f"{finding.says} {finding.advice}"


async def test_something_else_that_answers_there_is_told_from_a_server_that_is_not_ready() -> None:
    async with answering("404 Not Found", contract=False) as url:
        (finding,) = await server.answers(url)

    assert finding.verdict is Verdict.PROBLEM
    assert "no Autopilot" in finding.says


async def test_a_database_folder_of_another_version_is_found_while_nothing_runs(home: Home) -> None:
    (absent,) = await database_check.database(None, home, {})
    home.postgres.mkdir()
    (home.postgres / "PG_VERSION").write_text("9\n")
    (other,) = await database_check.database(None, home, {})

    assert (absent.verdict, other.verdict) == (Verdict.NOTE, Verdict.PROBLEM)
    assert "made by Postgres 9" in other.says


async def test_a_server_that_is_not_ready_is_a_problem() -> None:
    async with answering("503 Service Unavailable") as url:
        assert [finding.verdict for finding in await server.answers(url)] == [Verdict.PROBLEM]


@pytest.mark.parametrize(("minutes", "verdict"), [(0, Verdict.OK), (10, Verdict.WARNING)])
async def test_a_clock_that_is_wrong_is_found_by_the_servers(minutes: int, verdict: Verdict) -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(minutes=minutes), usegmt=True)
    async with answering("200 OK", f"Date: {date}") as url:
        ready, clock = await server.answers(url)

    assert (ready.verdict, clock.verdict) == (Verdict.OK, verdict)


async def test_a_database_with_everything_applied_is_fine(database: str, home: Home) -> None:
    assert {Verdict.OK} == {finding.verdict for finding in await database_check.database(database, home, {})}


async def test_a_database_that_lacks_a_migration_is_a_problem(empty_database: str, home: Home) -> None:
    (finding, *_) = await database_check.database(empty_database, home, {})

    assert finding.verdict is Verdict.PROBLEM
    assert "not applied" in finding.says


async def test_a_machine_without_codex_is_told_how_to_get_one(home: Home, tmp_path: Path) -> None:
    (finding,) = await codex({"AUTOPILOT_CODEX": str(tmp_path / "none"), "HOME": str(tmp_path)}, home)

    assert finding.verdict is Verdict.PROBLEM
    assert finding.advice


async def test_a_codex_that_is_too_old_is_told_from_one_that_is_only_silent(home: Home, tmp_path: Path) -> None:
    old = tmp_path / "codex"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "codex-cli 0.20.0" || exit 2\n')
    old.chmod(0o755)

    *_, finding = await codex({"AUTOPILOT_CODEX": str(old), "HOME": str(tmp_path)}, home)

    assert (finding.verdict, finding.about) == (Verdict.PROBLEM, "protocol")
    assert "too old" in finding.says
    assert finding.advice


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("same", [Verdict.OK]),
        ("additive", [Verdict.OK]),
        ("unknown_questions", [Verdict.OK, Verdict.WARNING]),
        ("breaking", [Verdict.OK, Verdict.PROBLEM]),
        ("unchecked", [Verdict.OK, Verdict.NOTE]),
    ],
)
async def test_a_codex_whose_protocol_has_changed_is_told_where_it_matters(
    home: Home, verdict: str, said: list[Verdict]
) -> None:
    shared = standing.CodexStanding("Codex 0.170.0, on the user's shared daemon", "shared", version="0.170.0")
    drift = DriftStanding("in words", verdict, "0.170.0")
    pid = os.getpid()
    companion_says(
        home,
        standing.Status(pid, process.start_time(pid) or "", shared, standing.OwnersStanding("none"), drift),
    )

    found = await companion(home)

    assert [one.verdict for one in found] == said
    assert [one.says for one in found[1:]] == ["in words"] * (len(said) - 1)


@asynccontextmanager
async def streaming_through(fault: Fault) -> AsyncIterator[RuntimeCodexClient]:
    async with StreamingServer() as upstream, FaultProxy(*upstream.address, plan=lambda _number: fault) as proxy:
        upstream.append("w", {"reason": "create"}, event_type="worker.started")
        async with RuntimeCodexClient(proxy.url, "token", clock=ScaledClock(1)) as client:
            yield client


async def test_a_stream_that_comes_at_once_is_fine() -> None:
    async with streaming_through(Fault()) as client, asyncio.timeout(30):
        (finding,) = await server.first_frame(client, "w")

    assert finding.verdict is Verdict.OK


@pytest.mark.slow
async def test_a_proxy_that_holds_streams_back_is_found() -> None:
    async with streaming_through(Fault("buffer")) as client, asyncio.timeout(30):
        (finding,) = await server.first_frame(client, "w")

    assert finding.verdict is Verdict.WARNING
    assert "holds streams back" in finding.says


def companion_says(home: Home, status: standing.Status) -> None:
    (home.companion / standing.FILE).write_bytes(msgspec.json.encode(status))


async def test_the_companion_tells_which_codex_it_works_on_and_what_others_own(home: Home) -> None:
    (silent,) = await companion(home)
    here = (os.getpid(), process.start_time(os.getpid()) or "")
    shared = standing.CodexStanding("Codex 0.163.0, on the user's shared daemon", "shared", version="0.163.0")
    other = standing.SpokenFor("desktopw:t", "machine-2", "2026-11-22T08:00:00Z")
    nobody, somebody = standing.OwnersStanding("none"), standing.OwnersStanding("one, by machine-2", [other])
    companion_says(home, standing.Status(*here, shared, nobody))
    (works,) = await companion(home)
    companion_says(home, standing.Status(*here, shared, somebody))
    _, owners = await companion(home)
    companion_says(home, standing.Status(*here, standing.CodexStanding("it does not start", "none"), nobody))
    (broken,) = await companion(home)
    companion_says(home, standing.Status(here[0], "of an earlier process", shared, nobody))
    (gone,) = await companion(home)

    assert (works.verdict, works.says) == (Verdict.OK, "Codex 0.163.0, on the user's shared daemon")
    assert (owners.verdict, owners.says) == (Verdict.NOTE, "one, by machine-2")
    assert (broken.verdict, broken.says) == (Verdict.PROBLEM, "it does not start")
    assert silent.says == gone.says == "does not run"
