"""What the phone's app may use: Flet, the client core, itself, and of the standard library what views need."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "ios/src"
ALLOWED = {"flet", "flet_local_auth", "flet_secure_storage", "autopilot_ios", "autopilot.client", "autopilot.contract"}
STANDARD = {
    "__future__", "abc", "asyncio", "collections", "contextlib", "dataclasses", "datetime", "functools", "gc",
    "inspect", "itertools", "os", "pathlib", "typing",
}  # fmt: skip
"""Nothing that reaches a network, a database or another process."""


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCES)))
def test_a_view_imports_flet_the_client_core_and_other_views_only(path: Path):
    strangers = {
        name
        for name in imported(path)
        if name.partition(".")[0] not in STANDARD
        and not any(name == room or name.startswith(f"{room}.") for room in ALLOWED)
    }
    assert not strangers


def test_the_app_names_no_internal_path():
    sources = [*SOURCES.rglob("*.py"), *(SOURCES.parents[1] / "src/autopilot/client").rglob("*.py")]
    assert [path for path in sources if "/internal/" in path.read_text()] == []


def test_the_tests_run_the_versions_that_the_phone_gets():
    import tomllib

    root = SOURCES.parents[1]
    pinned = tomllib.loads((root / "ios/pyproject.toml").read_text())["project"]["dependencies"]
    ours = tomllib.loads((root / "pyproject.toml").read_text())
    dev, needed = ours["dependency-groups"]["dev"], ours["project"]["dependencies"]
    assert {one for one in pinned if one.startswith("flet")} <= set(dev)
    assert {one for one in pinned if not one.startswith(("flet", "autopilot"))} <= set(needed)
