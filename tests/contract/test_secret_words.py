"""Rules over the source that no linter has: no secret is given to a log or an error's words, no SQL is put together.

What bandit knows, ruff's `S` rules check (`make lint`); these are the classes of faults that this project could make.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/autopilot"
SPARED = {"_generated", "testing"}
SECRET = re.compile(r"(^|_)(token|secret|password|passphrase|nonce|credential|verifier|refresh|access|bearer|seed)$")
SECRET_KEY = re.compile(r"(^|_)(private|code|seal|delivery|digest|signing|internal)_keys?$")
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
QUERYING = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "cursor"}
ROOMS_OF_REQUESTS = ("api", "runtime", "companion", "web")
"""Where SQL has values from outside beside it; db/ names schemas and tables of its own."""
PUT_TOGETHER = {"companion/outbox.py": "f'select count(*) from outbox where not parked{where}'"}
"""`where` is one of two texts in the line before."""


def files() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if not SPARED & set(path.parts):
            yield str(path.relative_to(SOURCE)), ast.parse(path.read_text())


def secrets_in(node: ast.AST) -> Iterator[str]:
    """Names of secrets whose value an expression has in it; what a function makes of one is the function's."""
    for part in ast.walk(node):
        name = part.attr if isinstance(part, ast.Attribute) else part.id if isinstance(part, ast.Name) else ""
        if SECRET.search(name) or SECRET_KEY.search(name):
            yield name


def is_log(call: ast.Call) -> bool:
    func = call.func
    if not (isinstance(func, ast.Attribute) and func.attr in LEVELS):
        return False
    to = func.value
    name = to.attr if isinstance(to, ast.Attribute) else to.id if isinstance(to, ast.Name) else ""
    return name.strip("_") in {"log", "logger"}


def told(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_log(node):
            given = [*node.args, *(word.value for word in node.keywords)]
            yield from (ast.unparse(node) for value in given for _ in secrets_in(value))
        if isinstance(node, ast.Raise) and node.exc is not None:
            words = [part.value for part in ast.walk(node.exc) if isinstance(part, ast.FormattedValue)]
            yield from (ast.unparse(node) for value in words for _ in secrets_in(value))


def put_together(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        is_query = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in QUERYING
        if is_query and node.args and isinstance(node.args[0], ast.JoinedStr | ast.BinOp | ast.Call):
            yield ast.unparse(node.args[0])


def test_no_secret_is_given_to_a_log_or_put_into_an_errors_words() -> None:
    assert [f"{name}: {found}" for name, tree in files() for found in told(tree)] == []


def test_no_statement_is_put_together_from_values() -> None:
    found = [(n, text) for n, tree in files() if n.startswith(ROOMS_OF_REQUESTS) for text in put_together(tree)]
    assert dict(found) == PUT_TOGETHER


def test_the_rules_find_what_they_are_for() -> None:
    faults = ast.parse(
        "log.info('x', t=grant.token)\nraise ValueError(f'no {signing_key}')\nlog.info('fine', token_id=1)"
    )
    assert len(list(told(faults))) == 2
    assert list(put_together(ast.parse("pool.fetch(f'select {x}', 1)\npool.fetch(SQL.find, x)"))) == ["f'select {x}'"]
