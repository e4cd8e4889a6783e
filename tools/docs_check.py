"""Check what no other tool checks: documents that are true about the code, and the house rules.

Owns `make docs-check`. Looks at tracked files only. Never changes anything: it prints one line for each finding and
ends with 1 when there is any.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import access_matrix

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 600
"""The hard limit of a source file (ARCHITECTURE.md, "Style")."""
KNOWN_HOSTS = {
    "127.0.0.1", "localhost", "github.com", "www.apache.org", "json-schema.org", "spec.openapis.org", "www.w3.org",
    "keepachangelog.com", "semver.org", "towncrier.readthedocs.io",
}  # fmt: skip
"""Hosts that files may name. Anything else (a package mirror above all) is somebody's private surroundings."""
RESERVED_HOST = re.compile(r"^host$|(^|\.)(example|test|invalid|localhost)(\.(com|org|net))?$|^\d+(\.\d+){3}$|^\[")
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
URL = re.compile(r"https?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)
SETTING = re.compile(r"^(AUTOPILOT|OPENAGENTS)_[A-Z0-9_]+$")
REQUIREMENT = re.compile(r"\[(P-[a-z]+-[1-9][0-9]*)\]")
"""How docs/protocol.md names its statements."""
TEST_NAME = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def tracked(*patterns: str) -> list[Path]:
    """Tracked and new files that match `patterns`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in names.splitlines() if (path := ROOT / name).is_file()]


def text_of(path: Path) -> str:
    """The file's text, or nothing where it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def anchor(heading: str) -> str:
    """The fragment that a heading gets when the document is rendered."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


def links() -> Iterator[str]:
    """Every relative link of a document leads to a file, and to a heading where it names one."""
    for path in tracked("*.md"):
        for target in LINK.findall(text_of(path)):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, fragment = target.partition("#")
            file = (path.parent / name).resolve() if name else path
            if not file.exists():
                yield f"{path.relative_to(ROOT)}: no such file: {target}"
            elif fragment and fragment not in {anchor(found) for found in HEADING.findall(text_of(file))}:
                yield f"{path.relative_to(ROOT)}: no such heading: {target}"


def sizes() -> Iterator[str]:
    """No source file is longer than the limit; generated ones aside."""
    for path in tracked("*.py", "*.sql", "*.proto"):
        lines = text_of(path).count("\n")
        if lines > MAX_LINES and "_generated" not in path.parts:
            yield f"{path.relative_to(ROOT)}: {lines} lines, the limit is {MAX_LINES}: split it by subject"


def unfinished() -> Iterator[str]:
    """Nothing says that it is to be done later."""
    for path in tracked("*.py", "*.sql", "*.proto", "*.md", "Makefile"):
        for number, line in enumerate(text_of(path).splitlines(), 1):
            if UNFINISHED.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: unfinished: {line.strip()[:80]}"


def hosts() -> Iterator[str]:
    """No file names a host that is not public knowledge about this project."""
    for path in tracked():
        for number, line in enumerate(text_of(path).splitlines(), 1):
            for host in URL.findall(line):
                if not (host.rstrip(".") in KNOWN_HOSTS or RESERVED_HOST.search(host.rstrip("."))):
                    yield f"{path.relative_to(ROOT)}:{number}: names the host {host}"


def setting_names() -> set[str]:
    """Every environment variable that the program reads, as its source spells it."""
    names: set[str] = set()
    for path in tracked("src/*.py"):
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and SETTING.match(node.value):
                names.add(node.value)
    return names


def settings() -> Iterator[str]:
    """Every setting of the program stands in docs/settings.md, and nothing else does."""
    page = ROOT / "docs/settings.md"
    documented = set(re.findall(r"^\| `((?:AUTOPILOT|OPENAGENTS)_[A-Z0-9_]+)`", text_of(page), re.MULTILINE))
    known = setting_names()
    yield from (f"docs/settings.md: `{name}` is not documented" for name in sorted(known - documented))
    yield from (f"docs/settings.md: `{name}` is read by nothing" for name in sorted(documented - known))


@functools.cache
def tests_in(path: Path) -> set[str]:
    """The names of a file's tests: functions, classes, and state machines bound at the top of the module."""
    if not path.exists():
        return set()
    tree = ast.parse(text_of(path))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    bound = {
        name.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for name in node.targets
        if isinstance(name, ast.Name)
    }
    return bound | {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def invariants() -> Iterator[str]:
    """Every invariant names a test that exists."""
    page = ROOT / "docs/invariants.md"
    for block in re.split(r"^## ", text_of(page), flags=re.MULTILINE)[1:]:
        title = block.splitlines()[0]
        named = TEST_NAME.findall(block)
        if not named:
            yield f"docs/invariants.md: '{title}' names no test"
        for file, name in named:
            if name not in tests_in(ROOT / file):
                yield f"docs/invariants.md: '{title}' names {file}::{name}, which does not exist"


def attacks() -> Iterator[str]:
    """Every attack of docs/security/attacks.md names tests, and each of them exists."""
    page = ROOT / "docs/security/attacks.md"
    for row in re.findall(r"^\| (?!attack |-)(.+) \|$", text_of(page), re.MULTILINE):
        attack, *_ = row.split(" | ")
        named = TEST_NAME.findall(row)
        if not named:
            yield f"docs/security/attacks.md: '{attack}' names no test"
        for file, name in named:
            if name not in tests_in(ROOT / file):
                yield f"docs/security/attacks.md: '{attack}' names {file}::{name}, which does not exist"


def statements(page: str) -> Iterator[str]:
    """The prose of docs/protocol.md after its introduction: each paragraph, and each item of a list, on one line."""
    body = re.sub(r"^```.*?^```$", "", page[page.index("\n## ") :], flags=re.MULTILINE | re.DOTALL)
    for block in re.split(r"\n\s*\n|\n(?=[0-9]+\. )", body):
        lines = [line for line in block.splitlines() if line and not line.startswith(("#", "|"))]
        if lines:
            yield " ".join(line.strip() for line in lines)


def requirements() -> Iterator[str]:
    """Every statement of docs/protocol.md has a name, and every name tests that exist (tests/requirements.toml)."""
    page = text_of(ROOT / "docs/protocol.md")
    names = REQUIREMENT.findall(page)
    table = tomllib.loads(text_of(ROOT / "tests/requirements.toml"))
    for statement in statements(page):
        if not REQUIREMENT.search(statement[-20:]):
            yield f"docs/protocol.md: no name after: …{statement[-60:]}"
    yield from (f"docs/protocol.md: {name} is there twice" for name in sorted({n for n in names if names.count(n) > 1}))
    yield from (f"tests/requirements.toml: {name} has no test" for name in sorted(set(names)) if not table.get(name))
    yield from (f"tests/requirements.toml: {name} is no statement" for name in sorted(set(table) - set(names)))
    for name, tests in table.items():
        for test in tests:
            file, _, function = test.partition("::")
            if function not in tests_in(ROOT / file):
                yield f"tests/requirements.toml: {name} names {test}, which does not exist"


def access() -> Iterator[str]:
    """docs/security/access.md says what the access matrix says."""
    if text_of(access_matrix.PAGE) != access_matrix.page(access_matrix.load()):
        yield "docs/security/access.md: not what the matrix says: make gen"


CHECKS = (links, sizes, unfinished, hosts, settings, invariants, attacks, requirements, access)


def main() -> int:
    """Run every check; 1 when there is a finding."""
    findings = [f"{check.__name__}: {finding}" for check in CHECKS for finding in check()]
    print("\n".join(findings) or "docs-check: nothing to say")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
