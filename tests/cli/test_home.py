from __future__ import annotations

import stat
from pathlib import Path

import pytest

from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import Home, Running, checkout, home_for_up, homes, running_home, write_private

RUNNING = Running(
    url="http://127.0.0.1:8787",
    pid=1,
    database_url="postgresql:///x",
    owner_email="owner@localhost",
    started_at="2026-11-22T07:16:00Z",
    version="0.1.0",
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").make()


def test_every_folder_of_a_home_is_for_its_owner_only(home: Home) -> None:
    folders = [home.path, home.run, home.secrets, home.companion, home.logs, home.cli]

    assert {0o700} == {stat.S_IMODE(folder.stat().st_mode) for folder in folders}


def test_a_private_file_is_never_readable_by_others_also_when_it_replaces_one_that_was(home: Home) -> None:
    path = home.run / "x.json"
    path.write_text("old")
    path.chmod(0o644)

    write_private(path, "new")

    assert (stat.S_IMODE(path.stat().st_mode), path.read_text()) == (0o600, "new")


def test_a_second_up_on_the_same_home_is_refused_in_a_sentence_that_says_where_the_first_is(home: Home) -> None:
    with home.held():
        home.announce(RUNNING)

        with pytest.raises(
            CommandFailed, match=r"already runs from .* at http://127.0.0.1:8787 \(process 1\)"
        ) as refused:
            Home(home.path).held().__enter__()

    assert refused.value.exit_code == Exit.CANNOT_START


def test_a_home_can_be_held_again_once_it_was_let_go(home: Home) -> None:
    with home.held():
        pass
    with home.held():
        assert home.is_running()


def test_what_a_killed_installation_left_is_not_believed(home: Home) -> None:
    home.announce(RUNNING)

    assert not home.is_running()
    assert home.announced() is None


def test_a_running_installation_is_found_by_commands_of_the_same_user(home: Home) -> None:
    with home.held():
        home.announce(RUNNING)

        assert (home, RUNNING) == running_home({"AUTOPILOT_HOME": str(home.path)})


def test_nothing_is_found_where_nothing_runs(home: Home) -> None:
    assert running_home({"AUTOPILOT_HOME": str(home.path)}) is None


def test_the_home_named_in_the_environment_is_the_only_one_looked_at(tmp_path: Path) -> None:
    assert [Home(tmp_path)] == homes({"AUTOPILOT_HOME": str(tmp_path)})


def test_up_and_restore_in_a_checkout_use_the_data_of_make_run() -> None:
    root = checkout()
    assert root is not None

    assert home_for_up({}) == Home(root / ".autopilot")
    assert homes({})[0] == home_for_up({})


def test_a_relative_home_means_the_same_folder_wherever_a_child_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    assert [Home(tmp_path / "here")] == homes({"AUTOPILOT_HOME": "here"})


def test_looking_whether_a_home_runs_leaves_no_lock_behind(home: Home) -> None:
    for _ in range(3):
        home.is_running()

    with home.held():
        assert home.is_running()
