"""With `--json` whatever goes wrong is one line of the contract's form, and docs/cli.md says what its words mean."""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from autopilot.cli import exits
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.main import COMMANDS, run
from autopilot.cli.terminal import Terminal
from autopilot.contract.errors import AutopilotError, Conflict, NetworkError
from autopilot.db.archive import reading
from autopilot.db.errors import BackupRefused

DOCS = Path(__file__).parents[2] / "docs/cli.md"
ROW = re.compile(r"^\| (\d+) \| (?:`(\w+)` )?\| (.+) \|$", re.MULTILINE)
NAMES = sorted(name for commands in COMMANDS.values() for name in commands)
ARGUMENTS = {
    "send": ["hello"],
    "request": ["model/list"],
    "approve": ["ap_1"],
    "deny": ["ap_1"],
    "answer": ["ap_1", "yes"],
    "trace": ["r"],
    "artifact": ["w", "0" * 32],
    "audit accept": ["1:" + "0" * 64],
    "login": ["http://127.0.0.1:9"],
    "policy set": [str(DOCS)],
    "keys rotate": ["seal"],
    "keys forget": ["seal"],
    "machine enroll": ["http://127.0.0.1:9"],
    "devices rename": ["dev_1", "Old phone"],
    "devices revoke": ["dev_1"],
    "teams show": ["crew"],
    "teams create": ["crew"],
    "teams invite": ["crew", "eve@example.org"],
    "teams withdraw": ["crew", "eve@example.org"],
    "teams role": ["crew", "eve@example.org", "viewer"],
    "teams remove": ["crew", "eve@example.org"],
    "teams leave": ["crew"],
    "policy test": ["thread/list"],
    "policy test-approval": ["command"],
    "prices set": [str(DOCS)],
    "account delete": ["--yes"],
    "admins grant": ["eve@example.org"],
    "admins owner": ["eve@example.org"],
    "admins revoke": ["eve@example.org"],
    "devices confirm": ["dev_1"],
    "guests enter": ["http://127.0.0.1:9/guest#secret"],
    "guests invite": ["Gil", "w"],
    "guests revoke": ["guest_1"],
    "machine share": ["m", "crew"],
    "machine unshare": ["m"],
    "passkeys remove": ["pk_1"],
    "push remove": ["phone"],
    "passkeys rename": ["pk_1", "Old phone"],
    "teams delete": ["crew"],
}
WITHOUT_INSTALLATION = {
    "login": Exit.USAGE,
    "logout": Exit.SIGN_IN,
    "audit verify": Exit.FAILED,  # they read the database, whether anything runs or not, and find no seals
    "audit export": Exit.FAILED,
    "audit accept": Exit.NOT_FOUND,
    "rebuild spend": Exit.FAILED,
    "admins grant": Exit.NOT_FOUND,
    "admins owner": Exit.NOT_FOUND,
    "admins revoke": Exit.NOT_FOUND,
    "keys list": Exit.NOT_FOUND,  # they read the folder of secrets, whether anything runs or not
    "keys rotate": Exit.NOT_FOUND,
    "keys forget": Exit.NOT_FOUND,
}
NOT_ASKED = {"up", "doctor", "version", "backup", "restore", "serve", "api", "runtime", "companion", "demo-model"} | {
    "audit heads",
    "admins list",
    "admins code",
}
"""They need no installation that runs, or report its absence as their result."""


def error_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one thing that was printed: a line on standard error."""
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    body = json.loads(printed.err)
    assert list(body) == ["error"]
    assert sorted(body["error"]) == ["code", "details", "message", "request_id"]
    assert body["error"]["details"][0]["reason_code"]
    return body["error"]


def printed_for(error: AutopilotError, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    Terminal(as_json=True).problem(error, exits.exit_code_of(error).word)
    return error_of(capsys)


@pytest.fixture
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without an installation, and nobody signed in."""
    for name in ("AUTOPILOT_URL", "AUTOPILOT_TOKEN", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("command", NAMES)
def test_a_command_line_without_sense_is_an_error_in_form(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command.split(), "--json", "--no-such-option"]) == Exit.USAGE
    assert error_of(capsys)["code"] == "usage"


@pytest.mark.parametrize("command", sorted(set(NAMES) - NOT_ASKED))
def test_what_this_side_refuses_is_an_error_in_form(
    command: str, nothing_here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run([*command.split(), *ARGUMENTS.get(command, []), "--json"])

    assert code == WITHOUT_INSTALLATION.get(command, Exit.UNREACHABLE)
    assert error_of(capsys)["code"] == Exit(code).word


@pytest.mark.parametrize("command", ["up", "backup", "restore"])
def test_a_folder_that_is_none_is_an_error_in_form(
    command: str, nothing_here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (nothing_here / "file").touch()
    monkeypatch.setenv("AUTOPILOT_HOME", str(nothing_here / "file"))

    code = run([command, *([] if command == "up" else [str(nothing_here / "backup")]), "--json"])

    assert error_of(capsys)["code"] == Exit(code).word


def test_a_person_reads_a_sentence_about_a_command_line_without_sense(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["send", "--", "--json", "and more"]) == Exit.USAGE
    assert "{" not in capsys.readouterr().err


def test_a_servers_refusal_keeps_its_code_details_and_x_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    error = Conflict("no", reason_code="gap", expected=3, request_id="x-1")

    printed = printed_for(error, capsys)

    assert printed == {
        "code": "conflict",
        "message": "no",
        "details": [{"reason_code": "gap", "expected": 3}],
        "request_id": "x-1",
    }


def test_what_came_of_a_call_names_that_call(capsys: pytest.CaptureFixture[str]) -> None:
    error = CommandFailed("no", Exit.UNDECIDED)
    error.__cause__ = NetworkError("cut", request_id="x-2", reason_code="connection")

    assert printed_for(error, capsys)["request_id"] == "x-2"
    assert printed_for(error.__cause__, capsys)["code"] == "unavailable"


def test_a_backup_that_is_not_there_is_said_in_words_and_no_matter_of_starting(tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match=r"^There is no file .*nowhere\.$") as caught, reading(tmp_path / "nowhere"):
        pass

    assert exits.exit_code_of(caught.value) == Exit.FAILED


def test_the_documentation_says_of_every_code_what_the_source_says() -> None:
    (source,) = [
        node
        for node in ast.parse(inspect.getsource(exits)).body
        if isinstance(node, ast.ClassDef) and node.name == "Exit"
    ]
    documented = {Exit(int(code)): (word, means) for code, word, means in ROW.findall(DOCS.read_text())}
    said = {
        Exit[name.targets[0].id]: text.value.value
        for name, text in zip(source.body, source.body[1:], strict=False)
        if isinstance(name, ast.Assign) and isinstance(text, ast.Expr)
    }

    assert {code: means for code, (_, means) in documented.items()} == {
        code: text[0].lower() * (code is not Exit.INTERRUPTED) + text[code is not Exit.INTERRUPTED :].rstrip(".")
        for code, text in said.items()
    }
    assert {code: word for code, (word, _) in documented.items() if word} == {
        code: code.word for code in Exit if code not in (Exit.OK, Exit.INTERRUPTED)
    }


LISTS = re.compile(r"for \w+ in [\w.]+:\n +terminal\.result\(")


def test_a_list_is_one_document_and_no_line_for_each_entry() -> None:
    printing = {path.name for path in Path(exits.__file__).parent.rglob("*.py") if LISTS.search(path.read_text())}

    assert printing <= {"audit.py"}, "only `audit export` prints JSON Lines, and says so"
