"""ios/docs/codex-connection-roadmap.md says nothing of a test that isn't there, and nothing is done without one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.ios import bundle

PAGE = (bundle.ROOT / "ios/docs/codex-connection-roadmap.md").read_text("utf-8")
SECTIONS = ["Phases", "Lanes", "Security model", "Test matrix", "Risks", "Definition of done"]
STATES = {"done", "begun", "not begun"}


def rows(section: str) -> Iterator[dict[str, str]]:
    """The rows of a section's table, by the names of its columns."""
    body = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines() if line[:1] == "|"]
    head, _, *table = lines
    for cells in table:
        yield dict(zip(head, cells, strict=True))


@pytest.mark.parametrize("section", SECTIONS)
def test_every_row_has_its_state_and_what_is_done_names_the_test_that_shows_it(section):
    table = list(rows(section))

    assert table
    for row in table:
        assert row["state"] in STATES, row
        assert re.search(r"`tests/[\w/]+\.py`", row["shown by"]) or row["state"] != "done", row


def test_every_test_that_is_named_exists():
    named = set(re.findall(r"`(tests/[\w/.-]+)`", PAGE))

    assert len(named) > 20
    assert {name for name in named if not (bundle.ROOT / name).is_file()} == set()
