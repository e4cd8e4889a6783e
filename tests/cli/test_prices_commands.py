"""`autopilot prices show`, `set`, against a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.served import serving

from autopilot.cli import prices
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import Options
from autopilot.client.presenters.money import amount
from autopilot.contract.errors import Conflict, Unprocessable
from autopilot.runtime.app import build
from autopilot.runtime.settings import RuntimeSettings

SETTINGS = RuntimeSettings(digest_key=b"digest" * 6, delivery_key=b"d" * 32, seal_key=b"s" * 32)
TABLE = """\
# ours
currency = "USD"
[[price]]
model = "gpt-5"
from = 2026-01-01
input = 1.25
cached_input = 0.125
output = 10
"""


@dataclass
class Desk:
    """A server, and an admin with files at a terminal."""

    folder: Path
    options: Options
    json: Options

    def file(self, text: str, name: str = "prices.toml") -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)


@pytest.fixture
async def desk(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    async with await build(SETTINGS, dsn=database) as runtime, serving(database, runtime) as api:
        admin = await api.mint("ada@example.org", "observe", "admin")
        monkeypatch.setenv("AUTOPILOT_TOKEN", admin.token)
        yield Desk(tmp_path, Options(url=api.url), Options(url=api.url, json=True))


async def test_a_table_is_set_and_shown_as_it_was_read_and_as_it_was_written(desk, capsys):
    await prices.show(options=desk.options)
    assert "There is no price table: spend is shown in tokens alone." in capsys.readouterr().out
    with pytest.raises(CommandFailed, match="no price table"):
        await prices.show(text=True, options=desk.options)

    await prices.put(desk.file(TABLE), options=desk.options)
    await prices.show(options=desk.options)
    *_, heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["MODEL", "FROM", "INPUT", "CACHED", "OUTPUT"]
    assert row.split() == ["gpt-5", "2026-01-01", "1.250000", "0.125000", "10.000000"]
    await prices.show(text=True, options=desk.options)
    assert capsys.readouterr().out.endswith(TABLE)
    await prices.show(options=desk.json)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["prices"][0]["input_micros"] == 1_250_000


async def test_the_past_is_repriced_only_when_that_is_meant(desk, capsys):
    await prices.put(desk.file(TABLE), options=desk.options)
    dearer = desk.file(TABLE.replace("output = 10", "output = 20"))

    with pytest.raises(CommandFailed, match=r"else: gpt-5 from 2026-01-01\. If you mean that, say --reprice") as told:
        await prices.put(dearer, options=desk.options)
    assert told.value.exit_code == Exit.CONFLICT
    with pytest.raises(Conflict):
        await prices.put(dearer, options=desk.json)
    await prices.put(dearer, reprice=True, options=desk.json)

    assert json.loads(capsys.readouterr().out.splitlines()[-1])["version"] == 2
    with pytest.raises(Conflict) as conflict:
        await prices.put(dearer, expected=1, options=desk.options)
    assert conflict.value.reason_code == "version"


async def test_faults_are_told_one_a_line(desk, capsys):
    faulty = desk.file(TABLE.replace("1.25", "'dear'").replace("USD", "dollars"))

    with pytest.raises(CommandFailed) as refused:
        await prices.put(faulty, options=desk.options)

    assert refused.value.exit_code == Exit.REFUSED
    assert capsys.readouterr().err.splitlines() == [
        f'{faulty}:2: currency must be three capital letters: "USD"',
        f"{faulty}:6: price[0].input must be what a million tokens cost: a number from 0 to 10000, as 1.25",
    ]
    with pytest.raises(Unprocessable):
        await prices.put(faulty, options=desk.json)


@pytest.mark.parametrize(
    ("micros", "decimals", "separator", "text"),
    [
        (1_234_567_890_123, 6, "", "1234567.890123"),
        (1_234_567_890_123, 2, ",", "1,234,567.89"),
        (5_000, 2, "", "0.01"),
        (0, 2, "", "0.00"),
        (10**24, 2, "", "1000000000000000000.00"),
    ],
)
def test_money_is_written_as_a_decimal_number(micros, decimals, separator, text):
    assert amount(micros, decimals, separator) == text
