"""`autopilot passkeys`: which one is meant, and what is done with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.api.passkeys import Passkeyed, served
from tests.api.served import ServedApi

from autopilot.cli import passkeys
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import Options
from autopilot.contract import Passkey

FOUND = [
    Passkey(
        passkey_id=f"pk_{tail}",
        name=name,
        created_at="2026-11-22T07:16:00.000000Z",
        backup_eligible=False,
        backed_up=False,
        rp_id="localhost",
    )
    for tail, name in (("aa1", "Phone"), ("aa2", "aa1"))
]


@pytest.fixture
async def api(database: str) -> AsyncIterator[ServedApi]:
    async with served(database) as made:
        yield made


async def test_a_terminal_lists_renames_and_removes_them(
    api: ServedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    ada = await Passkeyed.sign_in(api)
    await ada.registered(name="Phone")
    monkeypatch.setenv("AUTOPILOT_TOKEN", ada.token)
    options = Options(url=api.url, json=True)

    await passkeys.passkeys(options=options)
    await passkeys.rename("Phone", "Old phone", options=options)
    await passkeys.remove("Old phone", options=options)
    said = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith(("{", "[{"))
    ]  # beside the server's log
    (listed,), renamed, gone = [json.loads(line) for line in said]
    assert (listed["name"], listed["rp_id"], renamed["name"], gone["name"]) == (
        "Phone",
        "localhost",
        "Old phone",
        "Old phone",
    )
    assert await ada.list() == []


def test_for_people_a_copied_one_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    copied = Passkey(**{**{name: getattr(FOUND[0], name) for name in FOUND[0].__slots__}, "suspected_at": "2026"})
    assert passkeys._row(copied)[-1] == "copied: remove it"
    assert passkeys._row(FOUND[0])[-2:] == ("never", "")


@pytest.mark.parametrize(
    ("part", "passkey_id"), [("pk_aa2", "pk_aa2"), ("Phone", "pk_aa1"), ("aa1", "pk_aa2"), ("a2", "pk_aa2")]
)
def test_one_is_named_by_its_name_its_id_or_a_part_of_that(part: str, passkey_id: str) -> None:
    assert passkeys.picked(FOUND, part).passkey_id == passkey_id


@pytest.mark.parametrize(("part", "code"), [("aa", Exit.USAGE), ("x", Exit.NOT_FOUND)])
def test_what_could_be_several_or_is_none_is_refused(part: str, code: Exit) -> None:
    with pytest.raises(CommandFailed) as refused:
        passkeys.picked(FOUND, part)
    assert refused.value.exit_code == code
