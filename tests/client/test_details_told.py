"""What the details of a worker say: one set of facts and words for the web and the phone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autopilot.client.presenters import details
from autopilot.client.presenters.people import Names
from autopilot.contract import HealthFact
from autopilot.testing.principal import blank

MOMENT = "2026-01-01T00:00:00Z"


def test_nothing_is_said_of_what_is_not_known():
    facts = (*details.about(blank("w"), Names()), *details.identity(blank("w")), *details.lease(blank("w"), Names()))
    assert all(fact.value for fact in facts)
    assert "Folder" not in {fact.name for fact in facts}


@pytest.mark.parametrize(
    ("layer", "state", "words", "tone"),
    [
        ("data", "ok", "OK", "good"),
        ("data", "stale", "Quiet", "quiet"),
        ("codex", "down", "Down", "warn"),
        ("codex", "unknown", "Unknown", "quiet"),
        ("machine", "of_tomorrow", "Of tomorrow", "warn"),
    ],
)
def test_each_layer_of_health_says_its_own_state_and_a_log_without_news_is_no_trouble(
    layer: str, state: str, words: str, tone: str
):
    worker = blank("w")
    health = replace(
        worker.health, **{layer: HealthFact(state=state, as_of=MOMENT, detail={"age_ms": 5, "since": "x"})}
    )
    name = dict(details.LAYERS)[layer]
    told = next(one for one in details.health(replace(worker, health=health)) if one.name == name)
    assert (told.state.text, told.state.tone, told.as_of) == (words, tone, MOMENT)
    assert [(fact.name, fact.value) for fact in told.details] == [("since", "x")]
