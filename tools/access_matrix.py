"""The access matrix: who gets what from which endpoint, read from its table, and written out as a document.

Owns the form of `tests/api/access/matrix.txt`, the one place where it is said, and of `docs/security/access.md`, which
is generated from it (`python tools/access_matrix.py`; docs-check holds that it is current). That it is true is for the
tests beside the table, which do every cell of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests/api/access/matrix.txt"
PAGE = ROOT / "docs/security/access.md"
API = "/api/runtime/codex"
DONE = "ok"
OPEN = "open"
"""In the place of all cells: nobody needs a token."""
OF_PRINCIPALS = "principals:"
OF_ANSWERS = "answers:"
OF_ROUTES = "routes:"


@dataclass(frozen=True)
class Principal:
    """A column: a kind of who asks."""

    name: str
    group: str
    """`role`, `credential` (of the owner), `machine` or `guest`."""
    says: str


@dataclass(frozen=True)
class Answer:
    """What a cell may say."""

    name: str
    status: int
    reason_code: str
    """Of the error; one that ends with an underscore stands for all that begin so."""
    says: str


@dataclass(frozen=True)
class Row:
    """A route, or one way of using it."""

    method: str
    path: str
    """Relative to the server; the worker API's is written from its base on."""
    variant: str
    """What is special about the call; empty: nothing."""
    cells: tuple[str, ...]
    """One for each principal; empty: open to everybody."""

    @property
    def name(self) -> str:
        """How tests and people call it."""
        return f"{self.method} {self.path}" + (f" #{self.variant}" if self.variant else "")


@dataclass
class Matrix:
    """The whole table."""

    principals: list[Principal] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def cell(self, row: Row, principal: str) -> str:
        """What this principal gets there."""
        names = [one.name for one in self.principals]
        return row.cells[names.index(principal)] if row.cells else DONE

    def of_group(self, group: str) -> list[Principal]:
        """The columns of one kind."""
        return [one for one in self.principals if one.group == group]


def read(text: str) -> Matrix:
    """The matrix that is written in `text`.

    Raises:
        ValueError: a line is none of the form, or says what nothing else explains.
    """
    made, section = Matrix(), ""
    for number, line in enumerate(text.splitlines(), 1):
        said = line.rstrip()
        if not said or said.startswith("#"):
            continue
        if not said.startswith(" "):
            section = said
            continue
        try:
            _read_line(made, section, said)
        except (ValueError, IndexError) as error:
            raise ValueError(f"line {number}: {error}: {said.strip()[:80]}") from None
    return made


def _read_line(made: Matrix, section: str, said: str) -> None:
    words = said.split()
    if section == OF_PRINCIPALS:
        made.principals.append(Principal(words[0], words[1], " ".join(words[2:])))
    elif section == OF_ANSWERS:
        made.answers[words[0]] = Answer(words[0], int(words[1]), words[2], " ".join(words[3:]))
    elif section != OF_ROUTES:
        raise ValueError("no such section")
    elif words[0] != "who":
        made.rows.append(_row(made, words))
    elif words[2:] != [one.name for one in made.principals]:
        raise ValueError("the columns are not the principals, in their order")


def _row(made: Matrix, words: list[str]) -> Row:
    method, place, *cells = words
    path, _, variant = place.partition("#")
    if cells == [OPEN]:
        return Row(method, path, variant, ())
    unknown = set(cells) - {DONE, *made.answers}
    if unknown or len(cells) != len(made.principals):
        raise ValueError(f"{len(cells)} cells for {len(made.principals)} principals" if not unknown else f"{unknown}")
    return Row(method, path, variant, tuple(cells))


def load() -> Matrix:
    """The project's own.

    Raises:
        ValueError: as `read`.
    """
    return read(TABLE.read_text(encoding="utf-8"))


HEAD = """# Access

Who gets what from which endpoint. This page is generated (`make gen`) from `tests/api/access/matrix.txt`; the tests
beside that table do each cell of it against a running server, as one process and as two, and refuse a route that is
not in it. What is in no row is 404, another method of a path 405.

A cell says what the call comes to: `ok`, or the refusal. `…` stands for `/api/runtime/codex`. Where a path names a
thing, it is one that the owner's machine executes and shares with a team. Without a token, or with one that is made
up, expired, revoked or of another kind, every row that is not *open* is 401 (`no_token`, `token_refused`).

The columns from `stale` to `keyed` are the owner's credentials. The other people's are done too: who has such a
credential is refused what it is refused, beside what their role is.
"""


def page(matrix: Matrix) -> str:
    """docs/security/access.md."""
    return "\n".join([HEAD, *_principals(matrix), *_answers(matrix), *_routes(matrix)])


def _principals(matrix: Matrix) -> Iterator[str]:
    yield "## Who\n"
    yield "| who | is |\n| --- | --- |"
    yield from (f"| `{one.name}` | {one.says} |" for one in matrix.principals)
    yield ""


def _answers(matrix: Matrix) -> Iterator[str]:
    yield "## What they get\n"
    yield "| cell | status | reason_code | because |\n| --- | --- | --- | --- |"
    yield "| ok | 2xx | | |"
    for one in matrix.answers.values():
        reason = f"`{one.reason_code}…`" if one.reason_code.endswith("_") else f"`{one.reason_code}`"
        yield f"| {one.name} | {one.status} | {reason} | {one.says} |"
    yield ""


def _routes(matrix: Matrix) -> Iterator[str]:
    """A table for each first word of the paths."""
    names = [one.name for one in matrix.principals]
    for title, rows in groupby(matrix.rows, key=lambda row: _room(row.path)):
        found = list(rows)
        yield f"## {title}\n"
        closed = [row for row in found if row.cells]
        opened = [row for row in found if not row.cells]
        if opened:
            yield "Open: " + ", ".join(map(_short, opened)) + ".\n"
        if closed:
            yield "| | " + " | ".join(names) + " |\n|" + " --- |" * (len(names) + 1)
            yield from (f"| {_short(row)} | " + " | ".join(row.cells) + " |" for row in closed)
            yield ""


def _room(path: str) -> str:
    words = path.removeprefix(API).removeprefix("/api").strip("/").split("/")
    if path.startswith(API):
        return f"Worker API: {words[0]}"
    return f"API: {words[0]}" if path.startswith("/api/") else "Server"


def _short(row: Row) -> str:
    """A route as code, what is special about the call after it."""
    said = f" ({row.variant.replace('-', ' ')})" if row.variant else ""
    return f"`{row.method} {row.path.replace(API, '…')}`{said}"


if __name__ == "__main__":
    PAGE.write_text(page(load()), encoding="utf-8")
