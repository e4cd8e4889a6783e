"""`autopilot spend` and every block of docs/guide/budget.md, against a real server."""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from tests.api.served import serving

from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.main import make_app
from autopilot.cli.options import Options
from autopilot.cli.spend import money_of, rows_of, spend
from autopilot.cli.spend_table import print_report
from autopilot.client import RuntimeCodexClient
from autopilot.contract import (
    MachineRateLimits,
    RateLimitWindow,
    SpendGroup,
    SpendMoney,
    SpendReport,
    TokenCounts,
    UnpricedModel,
)
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
    admin: str
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
        monkeypatch.setenv("DATABASE_URL", database)
        admin = await api.mint("ada@example.org", "admin")
        yield Desk(api.url, minted.token, admin.token, companion)


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
    heading, day, total = capsys.readouterr().out.splitlines()[-3:]
    assert (heading.split()[0], day.split()[-1], total.split()[-1]) == ("DAY", "1600", "1600")


async def test_what_was_used_is_listed_by_user_and_team_with_their_names(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    async with RuntimeCodexClient(desk.url, desk.token) as client:
        team = await client.create_team("crew")
    await desk.use(thread(), turn("turn-1"), usage(16))
    await desk.companion.runtime.pool.execute("update worker set team_id = $1", team.team_id)
    answer = await desk.companion.append("w", "worker.event", "after", **usage(1616))
    assert answer.status == 202

    for by, rows in (("user", [("ada@example.org", "1616")]), ("team", [("crew", "1600"), ("(no team)", "16")])):
        await spend(by=by, options=desk.options())
        heading, *shown, _total = capsys.readouterr().out.splitlines()[-len(rows) - 2 :]
        assert heading.split()[0] == by.upper()
        assert [(line.rsplit(maxsplit=5)[0].strip(), line.split()[-1]) for line in shown] == rows


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


@pytest.mark.parametrize(
    ("width", "columns", "bar"),
    [
        (90, ["INPUT", "CACHED", "OUTPUT", "REASONING", "TOTAL"], 25),
        (70, ["INPUT", "OUTPUT", "TOTAL"], 24),
        (40, ["TOTAL"], 15),
        (30, ["TOTAL"], 5),
        (24, ["TOTAL"], 0),
    ],
)
def test_where_there_is_little_room_columns_give_way_before_bars_and_the_total_stays_whole(
    width: int, columns: list[str], bar: int
) -> None:
    group = SpendGroup(day="2026-11-22", tokens=counts(123_456_789))

    lines = printed(report("day", group), terminal=True, width=width)
    heading, day, total = lines

    assert heading.split() == ["DAY", *columns]
    assert (day.split()[0], day.count("123,456,789"), day.count("█")) == ("2026-11-22", min(2, len(columns)), bar)
    assert total.split()[-1] == "123,456,789"
    assert max(map(len, lines)) <= width


def test_only_the_days_between_the_first_and_the_last_use_are_shown_and_long_gaps_are_one_row() -> None:
    groups = [SpendGroup(day=day, tokens=counts(1)) for day in ("2026-11-01", "2026-11-04", "2026-11-09")]
    said = replace(report("day", *groups), first_day="2026-10-01", last_day="2026-11-30")

    seen, plain = (printed(said, terminal=terminal) for terminal in (True, False))

    days = ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04", "(4", "2026-11-09"]
    assert [line.split()[0] for line in seen[1:-1]] == days
    assert [line.split()[0] for line in plain[1:-1]] == [f"2026-11-0{number}" for number in range(1, 10)]


@pytest.mark.parametrize("width", [40, 60, 100])
@pytest.mark.parametrize("by", ["worker", "thread"])
def test_a_long_id_keeps_its_end_and_leaves_the_bar_its_room(by: str, width: int) -> None:
    worker_id = f"desktopw:{'0' * 60}7f3a9c"
    group = SpendGroup(worker_id=worker_id, thread_id=worker_id[9:], tokens=counts(1_000_000))

    lines = printed(report(by, group), terminal=True, width=width)

    assert "7f3a9c" in lines[1]
    assert lines[1].count("█") >= 4
    assert max(map(len, lines)) <= width


def test_money_stands_beside_tokens_and_what_has_no_price_is_named() -> None:
    groups = (
        SpendGroup(model="gpt-5", tokens=counts(900), money=SpendMoney(micros=1_234_565, unpriced_tokens=0)),
        SpendGroup(model="old", tokens=counts(90), money=SpendMoney(micros=500_000, unpriced_tokens=60)),
        SpendGroup(model="o9", tokens=counts(9), money=SpendMoney(micros=None, unpriced_tokens=9)),
    )
    said = replace(
        report("model", *groups),
        money=SpendMoney(micros=1_734_565, unpriced_tokens=69),
        currency="USD",
        prices_version=3,
        unpriced=(UnpricedModel(model="old", tokens=60), UnpricedModel(tokens=9)),
    )

    assert [line.split()[-3] for line in printed(said, terminal=False)[1:]] == ["900", "90", "9", "999"]
    assert [line.split()[-2:] for line in printed(said, terminal=False)] == [
        ["COST", "UNPRICED"],
        ["1.234565", "0"],
        ["0.500000", "60"],
        ["-", "9"],
        ["1.734565", "69"],
    ]
    seen = printed(said, terminal=True, width=40)
    assert [line.split()[2] for line in seen] == ["COST", "1.2346", "0.5000+", "-", "1.7346+"]
    assert money_of(said) == [
        "In all 1.734565 USD, by version 3 of the price table.",
        "Without a price, and not in it: old (60 tokens), (not said) (9 tokens).",
    ]


def test_rate_limits_are_listed_machine_by_machine_and_never_added() -> None:
    window = RateLimitWindow(name="primary", used_percent=42, window_minutes=300, resets_at="2026-11-23T02:00:00Z")
    weekly = RateLimitWindow(name="secondary", used_percent=7)
    now = datetime.now(UTC).isoformat()
    limits = [
        MachineRateLimits(machine_id=name, machine_name=name, as_of=now, limit_id="codex", windows=(window, weekly))
        for name in ("desk", "lap")
    ]

    rows = rows_of([*limits, MachineRateLimits(machine_id="mute", machine_name="", as_of=now)])

    assert [row[:5] for row in rows] == [
        (name, "codex", *said)
        for name in ("desk", "lap")
        for said in (("5 h", "42 %", "2026-11-23T02:00:00Z"), ("secondary", "7 %", "(not said)"))
    ]


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
    for name, text in zip(("prices.toml", "policy.toml", "team.toml"), blocks("toml"), strict=True):
        (tmp_path / name).write_text(text, "utf-8")
    looking, curl, pricing, setting, left, of_team, counting = blocks("sh")
    await run(looking, desk.url)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["totals"]["total_tokens"] == 2_000_000

    environ = {"BASE": desk.url, "TOKEN": desk.token, "PATH": "/usr/bin:/bin"}
    process = await asyncio.create_subprocess_exec("sh", "-euc", curl, env=environ, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    assert json.loads(out)["data"]["by"] == "thread"

    by_admin, by_everybody = pricing.split("\n", 1)
    with monkeypatch.context() as environment:
        environment.setenv("AUTOPILOT_TOKEN", desk.admin)
        await run(by_admin.removeprefix("AUTOPILOT_TOKEN=$(autopilot token --scope admin) "), desk.url)
    await run(by_everybody, desk.url)
    assert "In all 5.750000 USD, by version 1 of the price table." in capsys.readouterr().out

    await run(setting, desk.url)
    capsys.readouterr()
    await run(left, desk.url)
    assert "2,000,000" in capsys.readouterr().out
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

    async with RuntimeCodexClient(desk.url, desk.token) as client:
        team = await client.create_team("crew")
        await run(of_team, desk.url)
        assert [one.subject for one in (await client.policies(team.team_id)).documents] == ["team", "user"]
    assert "(no team)" in capsys.readouterr().out

    await run(counting, desk.url)
    assert "Counted 1 log: 0 changed." in capsys.readouterr().out
