"""What a person is told to type works where they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autopilot.cli.ask import with_way_out
from autopilot.cli.workers import health_words
from autopilot.contract import HealthFact
from autopilot.contract.errors import Conflict
from autopilot.ops.program import autopilot


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that was set up, and a shell that stands in it and knows no `autopilot`."""
    folder = tmp_path / "check out" / ".venv/bin"
    folder.mkdir(parents=True)
    for name in ("python", "autopilot"):
        (folder / name).touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path / "check out")
    return tmp_path / "check out"


def test_in_a_checkout_it_is_called_by_its_path_from_there(checkout: Path) -> None:
    assert autopilot("watch") == ".venv/bin/autopilot watch"


def test_elsewhere_it_is_called_by_its_whole_path(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert autopilot() == f"'{checkout}/.venv/bin/autopilot'"


def test_where_the_shell_finds_it_its_name_is_enough(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout / ".venv/bin"))

    assert autopilot("up") == "autopilot up"


def test_another_program_of_that_name_is_not_meant(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "autopilot").touch(mode=0o755)

    assert autopilot("up") == ".venv/bin/autopilot up"


def test_whoever_sends_to_a_stopped_worker_hears_how_to_open_it(checkout: Path) -> None:
    refused = Conflict("it is stopped.", reason_code="worker_stopped", request_id="x-1")

    said = with_way_out(refused)

    assert said.message == "it is stopped. To open it again first: .venv/bin/autopilot send --resume …"
    assert (said.details, said.request_id) == (refused.details, "x-1")
    assert with_way_out(other := Conflict("no", reason_code="gap")) is other


def test_an_age_is_told_once_and_in_words() -> None:
    words = health_words(HealthFact(state="ok", as_of="2020-01-01T00:00:00Z", detail={"age_ms": 26910, "since": "x"}))

    assert "26910" not in words
    assert words.endswith(" d ago; since x)")
