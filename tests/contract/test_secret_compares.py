"""What is secret is compared in constant time: `==`, `!=` and `in` are not used on it anywhere in the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/autopilot"
TELLING = re.compile(
    r"(^|_)(digests?|mac|hmac|signature|token|secret|password|nonce|commitment|code_digest|credential|verifier)$|commitment_of"
)
SPARED = {"_generated", "testing"}
COMPARED = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
REVIEWED = {
    "api/pairing.py: commitment_of(nonce) != row['commitment']": "both are shown to either side",
    "client/pairing_words.py: commitment_of(pairing.starter_nonce) != pairing.commitment": "on the client, of its own",
    "client/session.py: held.refresh_token == self._refused": "on the client, of its own",
    "api/pairing.py: kept != nonce": "the holder's own, sent again; the ticket decided who it is",
    "cli/credentials.py: kept.access_token != rejected": "on the client, of its own",
    "client/session.py: held.access_token != rejected": "on the client, of its own",
    "api/strangers.py: digest in self._met": "a key of a table, looked up by its hash; of a SHA-256, not of the secret",
    "db/backup.py: ours[migration.number - 1].digest != migration.digest": "a checksum of a file of ours",
    "db/migrate.py: row['digest'] != migration.digest": "a checksum of a file of ours",
    "runtime/seal.py: await conn.fetchval(SQL.digest_at, self._seen.seal_no) != self._seen.digest": "public",
    "runtime/seal_verify.py: seal.digest != seal.computed()": "digests are public",
    "runtime/seal_verify.py: item.head.digest != seal.digest": "digests are public",
    "runtime/artifacts_store.py: digest == row['sha256']": "a checksum of what the caller sent",
}
"""Why time tells nothing there."""


def name_of(node: ast.expr) -> str:
    """What the last part of an expression is called."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case ast.Call(func=func):
            return name_of(func)
    return ""


def is_plain(node: ast.expr) -> bool:
    """A literal: a word of ours, None, a number, or several."""
    return isinstance(node, ast.Constant | ast.Set | ast.Tuple | ast.Dict) or name_of(node).isupper()


def compares(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Compare) or not any(isinstance(each, COMPARED) for each in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if any(TELLING.search(name_of(side)) for side in sides) and not any(is_plain(side) for side in sides):
            yield f"{path.relative_to(SOURCE)}: {ast.unparse(node)}"


def test_nothing_secret_is_compared_by_its_first_difference() -> None:
    found = {each for path in sorted(SOURCE.rglob("*.py")) if not SPARED & set(path.parts) for each in compares(path)}

    assert sorted(found - REVIEWED.keys()) == []
    assert sorted(REVIEWED.keys() - found) == [], "no longer there: take it out of the list"
