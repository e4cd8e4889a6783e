"""What Codex says of the machine: the last of each kind, told once, and never in the way of a sign of life."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.companion.conftest import recorded
from tests.companion.installation import Installation

from autopilot.companion.codex.messages import Message
from autopilot.companion.facts import MAX_PARAMS_BYTES, MachineFacts
from autopilot.contract import Machine

SAID_BY_ALL = "remoteControl/status/changed"
"""A fact that every Codex states at its start; warnings depend on what a machine has (bubblewrap, …)."""
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def said(method: str, **params: Any) -> Message:
    return Message(method=method, params=msgspec.Raw(msgspec.json.encode(params)), emittedAtMs=1_795_335_317_836)


def test_the_last_of_each_kind_is_told_once() -> None:
    facts = MachineFacts()
    facts.take(said("warning", message="one"), NOW)
    facts.take(said("warning", message="two"), NOW)
    first = facts.pending()
    facts.take(said("account/updated", authMode="apikey"), NOW)

    facts.told(first)

    assert [(fact.method, fact.params) for fact in first] == [("warning", {"message": "two"})]
    assert [fact.method for fact in facts.pending()] == ["account/updated"]
    assert first[0].occurred_at == "2026-11-22T08:15:17.836000Z"


def test_what_was_told_before_is_told_again_to_a_runtime_that_may_have_lost_it() -> None:
    facts = MachineFacts()
    facts.take(said("warning", message="one"), NOW)
    facts.told(facts.pending())

    facts.tell_again()

    assert len(facts.pending()) == 1


def test_only_what_is_another_than_before_is_news() -> None:
    facts = MachineFacts()
    facts.take(said("warning", message="one"), NOW)
    facts.news.clear()

    facts.take(said("warning", message="one"), NOW)

    assert not facts.news.is_set()
    assert facts.pending(), "its time is told with the next sign of life"


def test_what_is_of_no_known_kind_or_too_large_is_not_carried() -> None:
    facts = MachineFacts()
    facts.take(said("fuzzyFileSearch/sessionUpdated", query="x"), NOW)
    facts.take(said("warning", message="w" * MAX_PARAMS_BYTES), NOW)

    (fact,) = facts.pending()

    assert list(fact.params) == ["truncated"]


def test_recorded_sessions_hold_facts_of_the_machine() -> None:
    facts = MachineFacts()
    for path in sorted((Path(__file__).parent / "recordings").glob("*.jsonl")):
        for message in recorded(path.stem):
            if "threadId" not in bytes(message.params).decode():
                facts.take(message, NOW)

    assert {"account/rateLimits/updated", "remoteControl/status/changed"} <= {fact.method for fact in facts.pending()}


@pytest.mark.e2e
async def test_what_codex_says_of_the_machine_is_seen_in_the_list_and_on_the_stream(installation: Installation) -> None:
    async with installation.companion():
        await installation.state(Machine, lambda machine: any(one.method == SAID_BY_ALL for one in machine.facts))
    (listed,) = await installation.owner.machines()

    told = {one.method: one.params for one in listed.facts}
    assert told.keys() >= {SAID_BY_ALL}
    assert told["machine/home"] == {"home": installation.launch.environ["HOME"]}


@pytest.mark.e2e
async def test_a_fact_that_the_runtime_does_not_take_is_in_the_way_of_nothing_not_even_of_its_neighbours(
    installation: Installation,
) -> None:
    nested: Any = {}
    for _ in range(200):
        nested = {"deeper": nested}
    async with installation.companion() as companion:
        await installation.state(Machine, lambda machine: machine.codex_version is not None)  # tells all facts anew
        companion.facts.take(said("account/updated", authMode="apikey"), NOW)
        companion.facts.take(said("warning", nested=nested), NOW)
        companion.facts.take(said("guardianWarning", message="look out"), NOW)

        await companion.leases.heartbeat()

        assert not {"warning", "guardianWarning"} & {fact.method for fact in companion.facts.pending()}
        (listed,) = await installation.owner.machines()
    told = {one.method: one.params for one in listed.facts}
    assert told["account/updated"] == {"authMode": "apikey"}
    assert told["guardianWarning"] == {"message": "look out"}
    assert "warning" not in told
