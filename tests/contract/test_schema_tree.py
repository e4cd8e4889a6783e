"""What is checked in is what the generator writes, again and again; and the profile's rules are enforced."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from autopilot_schema import __main__, tree

HEAD = 'syntax = "proto3";\npackage autopilot.v1;\nimport "autopilot/v1/profile.proto";\n'


def service(http: str) -> str:
    return f'message A {{}} service S {{ rpc Do(A) returns (A) {{ option (http) = {{method: "GET" {http}}}; }} }}'


@pytest.fixture
def copy_of_generated(tmp_path: Path) -> Path:
    return Path(shutil.copytree(tree.GENERATED, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__")))


def test_generating_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    tree.generate(tmp_path / "a")
    tree.generate(tmp_path / "b")

    first, second = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("a", "b"))

    assert first == second
    assert "openapi.json" in first


def test_the_checked_in_tree_is_up_to_date() -> None:
    assert tree.stale() == []


def test_a_stale_file_a_missing_one_and_a_forgotten_one_are_found(copy_of_generated: Path) -> None:
    (copy_of_generated / "worker.py").write_text("# changed by hand\n")
    (copy_of_generated / "event.py").unlink()
    (copy_of_generated / "forgotten.py").write_text("")

    assert tree.stale(copy_of_generated) == ["event.py", "forgotten.py", "worker.py"]


def test_gen_brings_a_stale_tree_up_to_date(copy_of_generated: Path) -> None:
    (copy_of_generated / "worker.py").write_text("# changed by hand\n")
    (copy_of_generated / "event.py").unlink()
    (copy_of_generated / "forgotten.py").write_text("")

    tree.replace(copy_of_generated)

    assert tree.stale(copy_of_generated) == []


def test_check_finds_nothing_to_say() -> None:
    assert __main__.checks() == []


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["generate"]) == 2
    assert "gen" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("message A { string some_name = 1; }", "A.some_name: json_name is missing"),
        ('message A { bytes raw = 1 [json_name = "raw"]; }', "A.raw: this type has no place in the profile"),
        ('message A { string a = 1 [json_name = "a-b"]; }', "A.a: 'a-b' can't be a Python name"),
        ('message A { string a = 1 [json_name = "class"]; }', "A.a: 'class' can't be a Python name"),
        ('message A { oneof x { string a = 1 [json_name = "a"]; } }', "A: nested types, maps and oneofs"),
        ('message A { map<string, string> a = 1 [json_name = "a"]; }', "A: nested types, maps and oneofs"),
        ('message A { A a = 1 [json_name = "a"]; }', "A contains itself"),
        ('message A { string a = 1 [json_name = "a", (rule) = {known: "Nothing"}]; }', "A.a: there is no enum Nothing"),
        ('message A { string a = 1 [json_name = "a", (rule) = {shape: SHAPE_UNSPECIFIED, only: "B"}]; }', "no enum B"),
        ("message A {} service S { rpc Do(A) returns (A); }", "S.Do: option http is missing"),
        (service('path: "/{x}" success: {status: 200}'), "Do: the path wants ['x'], the request has []"),
        (service('path: "/"'), "Do: it never succeeds"),
        (service('path: "/" success: {status: 200 message: "C"}'), "Do: there is no message C"),
    ],
)
def test_a_broken_rule_is_named(tmp_path: Path, body: str, sentence: str) -> None:
    folder = tmp_path / "proto" / "autopilot" / "v1"
    folder.mkdir(parents=True)
    shutil.copyfile(tree.PROTO / "autopilot" / "v1" / "profile.proto", folder / "profile.proto")
    (folder / "broken.proto").write_text(HEAD + body)

    with pytest.raises(RuntimeError, match=re.escape(sentence)):
        tree.generate(tmp_path / "out", tmp_path / "proto")


def test_what_only_describes_a_call_may_have_names_that_no_class_can(tmp_path: Path) -> None:
    folder = tmp_path / "proto" / "autopilot" / "v1"
    folder.mkdir(parents=True)
    shutil.copyfile(tree.PROTO / "autopilot" / "v1" / "profile.proto", folder / "profile.proto")
    asked = 'message Ask { optional string first = 1 [json_name = "from"]; } '
    call = service('path: "/" success: {status: 200 when: "Done."}').replace("Do(A)", "Do(Ask)")
    (folder / "call.proto").write_text(HEAD + asked + call)

    tree.generate(tmp_path / "out", tmp_path / "proto")

    document = json.loads((tmp_path / "out" / "openapi.json").read_text())
    assert [one["name"] for one in document["paths"]["/"]["get"]["parameters"]] == ["from"]
