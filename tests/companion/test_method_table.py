"""The table that requests are written by says what a companion does, and what the newest recorded schema has."""

from __future__ import annotations

from typing import Any

import pytest

from autopilot.client import methods
from autopilot.companion import methods as done
from autopilot.companion.codex import drift

NEWEST = drift.recorded()[-1]
TURNS = {"turn/start", "turn/steer", "turn/interrupt"}
NEW_WORKERS = {"thread/start", "thread/resume", "thread/fork"}
LEFT_OUT = {
    "clientUserMessageId",
    "ephemeral",
    "experimentalDisablePredictionMcp",
    "experimentalPredictionMode",
    "experimentalRawEvents",
    "mockExperimentalField",
    "threadId",
    "threadSource",
}
"""The companion says these itself, refuses them, or they are nobody's."""


def test_it_has_the_methods_that_a_companion_does():
    assert set(methods.METHODS) == TURNS | NEW_WORKERS | done.READS | done.THREAD_ACTS.keys()


@pytest.mark.parametrize("name", methods.METHODS)
def test_its_params_are_those_of_the_recorded_schema(name: str):
    recorded = {
        field.removeprefix("params."): types
        for field, types in NEWEST.fields[name].items()
        if field.startswith("params.") and field.count(".") == 1
    }
    told = {param.name: param for param in methods.METHODS[name].params}
    assert {key: "|".join(param.types) for key, param in told.items()} == {
        key: recorded[key] for key in recorded if key not in LEFT_OUT or key in told
    }
    required = set(NEWEST.required[name]) - LEFT_OUT
    assert {key for key, param in told.items() if param.is_required} == required


@pytest.mark.parametrize("name", methods.METHODS)
def test_its_examples_are_in_order(name: str):
    assert list(methods.problems(name, methods.METHODS[name].example)) == []
    assert methods.unknown(name, methods.METHODS[name].example) == []


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [
        ("turn/start", {}, ["input is missing."]),
        ("turn/start", {"input": "Hello"}, ["input has to be a list."]),
        ("turn/start", {"input": [], "approvalPolicy": 3}, ["approvalPolicy has to be an object or a string."]),
        ("turn/start", {"input": None}, ["input is missing."]),
        (
            "thread/list",
            {"limit": True, "archived": 1},
            ["archived has to be true or false.", "limit has to be a whole number."],
        ),
        ("thread/delete", {}, ["thread/delete is none of the methods that a companion does."]),
    ],
)
def test_what_codex_would_refuse_is_said(method: str, params: dict[str, Any], said: list[str]):
    assert list(methods.problems(method, params)) == said


def test_a_name_that_the_schema_does_not_have_is_told_and_no_fault():
    assert methods.unknown("turn/start", {"input": [], "threadId": "t", "later": 1}) == ["later"]
    assert list(methods.problems("turn/start", {"input": [], "later": 1})) == []
