"""What names an approval."""

from __future__ import annotations

import re

import pytest

from autopilot.contract.approval_ids import approval_id

QUESTION = ("desktopw:0199a3c2", "app-1", 0, "call_1")


def test_the_same_question_has_the_same_id() -> None:
    assert approval_id(*QUESTION) == approval_id(*QUESTION)


@pytest.mark.parametrize(
    "other",
    [
        ("desktopw:0199a3c3", "app-1", 0, "call_1"),
        ("desktopw:0199a3c2", "app-2", 0, "call_1"),
        ("desktopw:0199a3c2", "app-1", 1, "call_1"),
        ("desktopw:0199a3c2", "app-1", "0", "call_1"),
        ("desktopw:0199a3c2", "app-1", 0, "call_2"),
        ("desktopw:0199a3c2", "app-1", 0, None),
        ("desktopw:0199a3c2app-1", "", 0, "call_1"),
    ],
)
def test_another_question_has_another_id(other: tuple[str, str, str | int, str | None]) -> None:
    assert approval_id(*other) != approval_id(*QUESTION)


def test_an_id_fits_into_a_path() -> None:
    assert re.fullmatch(r"ap_[0-9a-f]{32}", approval_id("w", "i", "ä/\ud800", None))
