"""Every query in the house is one that Postgres accepts against the migrated schema."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import asyncpg
import pytest

from autopilot.db import queries
from autopilot.testing.postgres import SCHEMAS


def sql_files() -> list[tuple[str, str, str]]:
    """(schema, package, file) of every .sql file with queries."""
    found = []
    for schema, package in SCHEMAS.items():
        folder = Path(str(resources.files(package))) / "sql"
        found += [(schema, package, file.stem) for file in sorted(folder.glob("*.sql"))]
    return found


async def test_postgres_accepts_every_named_query(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        for schema, package, file in sql_files():
            await connection.execute(f"set search_path = {schema}")
            loaded = queries.load(package, file)
            for name in loaded:
                try:
                    await connection.prepare(loaded[name])
                except asyncpg.PostgresError as error:
                    pytest.fail(f"{package}/sql/{file}.sql, {name}: {error}")
    finally:
        await connection.close()


def test_a_query_is_found_by_the_name_of_its_heading() -> None:
    loaded = queries.parse("x.sql", "-- one: the first\nselect 1;\n\n-- two: the second\n-- note: inside\nselect 2\n")

    assert (loaded.one, loaded.two) == ("select 1", "-- note: inside\nselect 2")
    assert list(loaded) == ["one", "two"]


def test_an_unknown_query_says_which_file_lacks_it() -> None:
    with pytest.raises(AttributeError, match=r"x\.sql has no query 'three'"):
        queries.parse("x.sql", "-- one: the first\nselect 1").three  # noqa: B018 - the access is what is tested


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("select 1", "before the first"),
        ("-- one: a\nselect 1\n\n-- one: b\nselect 2", "there twice"),
        ("-- one: a\n\n-- two: b\nselect 2", "is empty"),
    ],
)
def test_a_file_that_would_lose_a_query_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        queries.parse("x.sql", text)
