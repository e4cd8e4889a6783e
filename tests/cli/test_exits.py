from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from autopilot.cli.exits import CommandFailed, Exit, exit_code_of
from autopilot.cli.main import first_of_ours, run
from autopilot.contract import errors

DOCS = Path(__file__).parents[2] / "docs/cli.md"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.Unauthorized, Exit.SIGN_IN),
        (errors.Forbidden, Exit.FORBIDDEN),
        (errors.NotFound, Exit.NOT_FOUND),
        (errors.Conflict, Exit.CONFLICT),
        (errors.StaleCursor, Exit.CONFLICT),
        (errors.Unprocessable, Exit.REFUSED),
        (errors.InvalidRequest, Exit.REFUSED),
        (errors.RateLimited, Exit.RATE_LIMITED),
        (errors.Unavailable, Exit.UNREACHABLE),
        (errors.NetworkError, Exit.UNREACHABLE),
        (errors.UnknownError, Exit.FAILED),
    ],
)
def test_every_kind_of_error_has_its_exit_code(kind: type[errors.AutopilotError], code: Exit) -> None:
    assert code == exit_code_of(kind("why"))


def test_every_exit_code_stands_in_the_documentation_and_no_other() -> None:
    documented = {int(found) for found in re.findall(r"^\| (\d+) \|", DOCS.read_text(), re.MULTILINE)}

    assert set(Exit) == documented


def test_an_error_from_within_tasks_is_still_a_sentence() -> None:
    ours = CommandFailed("no", Exit.CANNOT_START)

    assert first_of_ours(ExceptionGroup("tasks", [ExceptionGroup("inner", [ours])])) is ours


def test_an_error_beside_a_defect_is_not_taken_for_the_whole_story() -> None:
    assert first_of_ours(ExceptionGroup("tasks", [CommandFailed("no"), ZeroDivisionError()])) is None


def test_an_option_nobody_knows_is_a_usage_error() -> None:
    assert run(["version", "--nope"]) == Exit.USAGE


def test_a_command_nobody_knows_is_a_usage_error() -> None:
    assert run(["no-such-command"]) == Exit.USAGE


def test_the_version_as_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version", "--json"]) == Exit.OK

    assert "version" in json.loads(capsys.readouterr().out)
