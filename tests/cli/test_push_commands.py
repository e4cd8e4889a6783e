"""`autopilot push`: what of one's own is listed, tried, removed and set."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.contract.world import Person
from tests.api.push import PushWorld, again, pushing, state_of, subscribed

from autopilot.cli import push
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import Options
from autopilot.testing.postgres import TestCluster


@pytest.fixture
async def at(cluster: TestCluster) -> AsyncIterator[PushWorld]:
    async with pushing(cluster) as made:
        yield made


@pytest.fixture
async def ada(at: PushWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    person = await at.person("ada")
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    monkeypatch.setenv("AUTOPILOT_TOKEN", person.token)
    return person


def said(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith(("{", "[{"))]


async def test_a_terminal_lists_tries_and_removes_what_a_browser_subscribed(
    at: PushWorld, ada: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(url=at.world.api.url, json=True)
    browser, made = await subscribed(at, await again(at, ada))

    await push.listed(options=options)
    assert await push.attempt(made["subscription_id"][-8:], options=options) == Exit.OK
    at.service.forget(browser)
    assert await push.attempt(options=options) == Exit.FAILED
    (listed,), tried, failed = said(capsys)
    assert listed["subscription_id"] == made["subscription_id"]
    assert (tried["results"][0]["sent"], failed["results"][0]["failure"]) == (True, "ended")
    with pytest.raises(CommandFailed, match="No device"):
        await push.attempt(options=options)

    _, other = await subscribed(at, ada)
    await push.remove(other["subscription_id"], options=options)
    assert (await state_of(ada))["subscriptions"] == []


async def test_settings_are_shown_and_changed_by_what_is_said(
    at: PushWorld, ada: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(url=at.world.api.url, json=True)
    await push.settings(turns=False, quiet="23:00-06:30", time_zone="Europe/Berlin", options=options)
    await push.settings(quiet="off", options=options)
    await push.settings(options=options)

    first, second, third = said(capsys)
    assert (first["turns"], first["quiet_hours"], first["quiet_from"], first["quiet_to"]) == (
        False,
        True,
        "23:00",
        "06:30",
    )
    assert second == third == {**first, "quiet_hours": False}
    await push.settings(options=Options(url=at.world.api.url))
    assert "You are told of: approvals, failures, requests." in capsys.readouterr().out
    with pytest.raises(CommandFailed, match="two times"):
        await push.settings(quiet="night", options=options)
