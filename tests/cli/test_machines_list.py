from __future__ import annotations

from typing import Any

import pytest

from autopilot.cli.machines import HEADINGS, rows_of, words_of
from autopilot.contract import Machine, MachineFact


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"rateLimits": {"primary": {"usedPercent": 12}, "secondary": {"usedPercent": 3.5}}}, "primary 12 % used"),
        ({"rateLimits": {"primary": None, "secondary": None}}, "nothing used"),
        ({"summary": "an old setting\nwith details", "details": None}, "an old setting"),
        ({"message": "the disk is full"}, "the disk is full"),
        ({"status": "disabled"}, '{"status":"disabled"}'),
        ({"rateLimits": 7, "message": ""}, '{"rateLimits":7,"message":""}'),
    ],
)
def test_a_fact_is_told_in_a_few_words(params: dict[str, Any], words: str) -> None:
    assert words_of(MachineFact(method="m", params=params, occurred_at="2026-11-22T12:00:00Z")).startswith(words)


def test_a_machine_that_was_never_heard_of_is_listed_with_what_is_known() -> None:
    (row,) = rows_of([Machine(machine_id="m1", name="desk")])

    assert dict(zip(HEADINGS, row, strict=True))["LAST HEARD"] == "never"
    assert row[:2] == ("m1", "desk")
