"""Named queries out of `.sql` files: SQL stays SQL, greppable and highlighted.

A file is `<package>/sql/<name>.sql`. Each query begins with a heading at the start of the file or after an empty line:

    -- name_of_query: what it is for, in one sentence
    select …

Tables are named without their schema; the pool's search path says which it is. Placeholders are Postgres' own ($1, $2).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from importlib import resources

_HEADING = re.compile(r"(?:\A|\n\s*\n)-- (?P<name>[a-z][a-z0-9_]*): (?P<purpose>\S.*)(?=\n|\Z)")


class Queries:
    """The queries of one file, as attributes: `queries.append_events`."""

    def __init__(self, source: str, texts: Mapping[str, str]) -> None:
        self._source = source
        self._texts = dict(texts)

    def __getattr__(self, name: str) -> str:
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(f"{self._source} has no query {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __getitem__(self, name: str) -> str:
        return self._texts[name]


@functools.cache
def load(package: str, name: str) -> Queries:
    """The queries of `<package>/sql/<name>.sql`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: text before the first heading, or a name used twice.
    """
    file = resources.files(package).joinpath("sql", f"{name}.sql")
    return parse(f"{package}/sql/{name}.sql", file.read_text(encoding="utf-8"))


def parse(source: str, text: str) -> Queries:
    """Split `text` at its headings. Raises ValueError as `load` does."""
    headings = list(_HEADING.finditer(text))
    before = text[: headings[0].start()] if headings else text
    if any(line.strip() and not line.startswith("--") for line in before.splitlines()):
        raise ValueError(f"{source}: SQL before the first '-- name: purpose'")
    texts: dict[str, str] = {}
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        body = text[heading.end() : following.start() if following else len(text)].strip()
        if heading["name"] in texts:
            raise ValueError(f"{source}: the query {heading['name']!r} is there twice")
        if not body:
            raise ValueError(f"{source}: the query {heading['name']!r} is empty")
        texts[heading["name"]] = body.rstrip(";")
    return Queries(source, texts)
