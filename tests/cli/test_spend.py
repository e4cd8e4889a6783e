"""`autopilot spend` and every block of docs/guide/budget.md, against a real server."""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from tests.api.served import serving

from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.main import make_app
from autopilot.cli.options import Options
from autopilot.cli.spend import print_report, spend
from autopilot.client import RuntimeCodexClient
from autopilot.contract import SpendGroup, SpendReport, TokenCounts
from autopilot.contract.errors import Forbidden
from autopilot.contract.port import Claims
from autopilot.runtime.app import build
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.machines import Companion
from autopilot.testing.runtime import insert_worker
from autopilot.testing.spend import thread, turn, usage

SETTINGS = RuntimeSettings(digest_key=b"digest" * 6, delivery_key=b"d" * 32, seal_key=b"s" * 32, notify_interval_ms=1)
GUIDE = Path(__file__).parents[2] / "docs/guide/budget.md"


@dataclass
class Desk:
    """A server, a person with a token, and a machine whose Codex used tokens."""

    url: str
    token: str
    companion: Companion

    def options(self, *, as_json: bool = False) -> Options:
        return Options(url=self.url, json=as_json)

    async def use(self, *payloads: dict) -> None:
        for number, payload in enumerate(payloads):
            answer = await self.companion.append("w", "worker.event", f"e{number}", **payload)
            assert answer.status == 202, answer.body


@pytest.fixture
async def desk(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    async with await build(SETTINGS, dsn=database) as runtime, serving(database, runtime) as api:
        minted = await api.mint("ada@example.org")
        monkeypatch.setenv("AUTOPILOT_TOKEN", minted.token)
        owner = Claims(user_id=minted.userId, scopes=frozenset({"administer"}), surface="ios")
        await insert_worker(runtime, "w", owner)
        companion = Companion(runtime, "m1", minted.userId)
        await companion.register(name="laptop")
        await companion.claim("w")
        yield Desk(api.url, minted.token, companion)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


async def run(block: str, url: str) -> None:
    """Each command of a block, in this process."""
    for line in block.splitlines():
        words = line.partition("#")[0].split()
        command, bound, _ = make_app().parse_args([*words[1:], "--url", url])
        assert not await command(*bound.args, **bound.kwargs)


def counts(total: int) -> TokenCounts:
    return TokenCounts(
        input_tokens=total,
        cached_input_tokens=0,
        output_tokens=0,
        reasoning_output_tokens=0,
        total_tokens=total,
    )


def report(by: str, *groups: SpendGroup) -> SpendReport:
    total = counts(sum(group.tokens.total_tokens for group in groups))
    return SpendReport(first_day="2026-11-20", last_day="2026-11-22", by=by, groups=groups, left_out=0, totals=total)


def printed(said: SpendReport, *, terminal: bool, width: int = 120) -> list[str]:
    console = Console(file=io.StringIO(), force_terminal=terminal, color_system=None, width=width, soft_wrap=True)
    print_report(console, said)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


async def test_what_was_used_is_listed_plainly_where_no_person_looks(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.use(thread(), turn("turn-1"), usage(1600))
    for by, first in (("worker", "w"), ("model", "gpt-5")):
        await spend(by=by, options=desk.options())
        *_, heading, row, total = capsys.readouterr().out.splitlines()
        assert heading.split() == [by.upper(), "INPUT", "CACHED", "OUTPUT", "REASONING", "TOTAL"]
        assert row.split() == [first, "1200", "800", "400", "200", "1600"]
        assert total.split() == ["total", "1200", "800", "400", "200", "1600"]

    await spend(by="day", days=7, options=desk.options())
    lines = capsys.readouterr().out.splitlines()[-9:]
    assert lines[0].startswith("DAY")
    assert [int(line.split()[-1]) for line in lines[1:8]][:5] == [0, 0, 0, 0, 0]
    assert lines[8].split()[-1] == "1600"


async def test_with_json_the_report_is_printed_as_it_came(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await desk.use(thread(), turn("turn-1"), usage(1600))

    await spend(by="thread", options=desk.options(as_json=True))

    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [(one["worker_id"], one["thread_id"]) for one in said["groups"]] == [("w", "t")]
    assert said["totals"]["total_tokens"] == 1600


async def test_where_nothing_was_used_that_is_said(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await spend(days=1, options=desk.options())

    assert re.search(r"^Nothing was used from (\S+) to \1\.$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("days", [0, -1, 367])
async def test_too_many_days_or_none_are_refused_here(days: int) -> None:
    with pytest.raises(CommandFailed) as refused:
        await spend(days=days)
    assert refused.value.exit_code == Exit.USAGE


def test_a_person_sees_a_bar_for_each_day_and_a_gap_where_nothing_was_used() -> None:
    groups = (SpendGroup(day="2026-11-20", tokens=counts(500)), SpendGroup(day="2026-11-22", tokens=counts(1000)))

    heading, *days, total = printed(report("day", *groups), terminal=True)

    assert heading.split()[0] == "DAY"
    assert [line.split()[0] for line in days] == ["2026-11-20", "2026-11-21", "2026-11-22"]
    assert [line.count("█") for line in days] == [15, 0, 30]
    assert "1,000" in days[2]
    assert "1,500" in total


@pytest.mark.parametrize(("width", "bar"), [(90, 25), (70, 5), (68, 0)])
def test_where_there_is_little_room_the_numbers_stay_whole_and_the_bars_give_way(width: int, bar: int) -> None:
    group = SpendGroup(day="2026-11-22", tokens=counts(123_456_789))

    *_, day, total = printed(report("day", group), terminal=True, width=width)

    assert (day.split()[0], day.count("123,456,789"), day.count("█")) == ("2026-11-22", 2, bar)
    assert total.split() == ["total", "123,456,789", "0", "0", "0", "123,456,789"]


@pytest.mark.parametrize("terminal", [True, False])
def test_names_can_t_move_the_cursor_and_an_unknown_model_is_said(terminal: bool) -> None:  # noqa: FBT001 - a case
    groups = (SpendGroup(model="\x1b[2Jbad [red]", tokens=counts(2)), SpendGroup(tokens=counts(1)))

    lines = printed(report("model", *groups), terminal=terminal)

    assert "\x1b" not in "".join(lines)
    assert "[red]" in lines[1]
    assert lines[2].startswith("(not said)")


async def test_every_block_of_the_guide_runs(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.use(thread(), turn("turn-1"), usage(2_000_000))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(*blocks("toml"), "utf-8")
    looking, curl, setting = blocks("sh")
    await run(looking, desk.url)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["totals"]["total_tokens"] == 2_000_000

    environ = {"BASE": desk.url, "TOKEN": desk.token, "PATH": "/usr/bin:/bin"}
    process = await asyncio.create_subprocess_exec("sh", "-euc", curl, env=environ, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(20):
        out, _ = await process.communicate()
    assert json.loads(out)["data"]["by"] == "thread"

    await run(setting, desk.url)
    async with RuntimeCodexClient(desk.url, desk.token) as client:
        for block in blocks("python"):
            running = eval(compile(block, str(GUIDE), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {"client": client})
            if inspect.isawaitable(running):
                await running
        assert "in all 2000000\n" in capsys.readouterr().out
        with pytest.raises(Forbidden) as refused:
            await client.request("w", "turn/start", {"input": []}, request_id="r", wait_ms=0)
    assert (refused.value.reason_code, refused.value.fact("limit")) == (
        "policy_denied.budget_exhausted",
        2_000_000,
    )
    assert datetime.fromisoformat(str(refused.value.fact("resets_at"))) > datetime.now(UTC)
