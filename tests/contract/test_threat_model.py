"""A lane or surface whose section of the threat model nobody has reviewed is not enabled."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from autopilot.runtime import policy_builtin

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security/threat-model.md").read_text()
CORE = ["API", "Runtime", "Companion", "Pairing", "Push"]
ROOMS = {
    "Surface: `web`": ["src/autopilot/web"],
    "Surface: `ios`": ["ios"],
    "Surface: `convex`": ["src/autopilot/convex"],
    "Push": ["src/autopilot/web/push.py", "src/autopilot/web/push", "src/autopilot/api/push.py"],
    "Lane: `gateway`": ["src/autopilot/tailnet"],
    **{
        f"Lane: `{lane}`": [f"src/autopilot/backends/{lane}.py", f"src/autopilot/backends/{lane.split('_', 1)[0]}.py"]
        for lane in policy_builtin.LANES
        if lane not in {policy_builtin.DESKTOP, policy_builtin.GATEWAY}
    },
}
"""Where each will live (ARCHITECTURE.md); what is not there can't be enabled by anybody."""


def reviewed_of(section: str) -> str:
    """What its line says."""
    found = re.search(rf"^## {re.escape(section)}\n\nreviewed: (.+)\n", PAGE, re.MULTILINE)
    assert found is not None, f"the threat model has no section {section!r} that begins with a line `reviewed:`"
    return found[1]


def is_reviewed(section: str) -> bool:
    said = reviewed_of(section)
    if said == "not yet":
        return False
    date.fromisoformat(said)
    return True


@pytest.mark.parametrize("section", [*CORE, *(f"Lane: `{lane}`" for lane in policy_builtin.LANES), *ROOMS])
def test_each_part_and_lane_has_a_section_that_says_whether_it_was_reviewed(section: str) -> None:
    assert isinstance(is_reviewed(section), bool)


@pytest.mark.parametrize("lane", policy_builtin.OPEN_LANES)
def test_a_lane_that_is_open_by_itself_is_reviewed(lane: str) -> None:
    assert is_reviewed(f"Lane: `{lane}`")


@pytest.mark.parametrize("section", ["API", "Runtime", "Companion", "Pairing"])
def test_what_runs_is_reviewed(section: str) -> None:
    assert is_reviewed(section)


@pytest.mark.parametrize("section", ROOMS)
def test_what_is_not_reviewed_does_not_exist(section: str) -> None:
    there = [room for room in ROOMS[section] if (ROOT / room).exists()]

    assert is_reviewed(section) or there == []
