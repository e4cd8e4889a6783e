"""The table of policy documents: who is bound by which, and how a new version comes in.

Owns `policy_document`: versions are only ever added, each the next of its subject, and the latest is in force. What is
judged by is what was read when the text came in, so that no later reader makes something else of it.
Never decides who may write (policies.py), and never judges (policy.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from autopilot.contract.errors import Conflict
from autopilot.db import queries
from autopilot.runtime.permissions import Owned
from autopilot.runtime.policy_document import INSTALLATION, TEAM, USER, Contents, Document, Documents, Subject

SQL = queries.load("autopilot.runtime", "policies")

THE_INSTALLATION = Subject(INSTALLATION)


def subject_of(user_id: int | None, guest_scope: str | None) -> Subject:
    """The principal's own subject."""
    return Subject(USER, str(user_id) if user_id is not None else f"guest:{guest_scope}")


async def in_force(conn: Any, owned: Owned) -> Documents:
    """What binds this worker or machine, whoever asks, as of this statement."""
    own = subject_of(owned.owner_user_id, owned.owner_guest_scope)
    return await of_subject(conn, own, owned.team_id)


async def of_subject(conn: Any, own: Subject, team_id: str | None = None) -> Documents:
    """What binds what this principal owns, where this team shares it, as of this statement."""
    found = {
        record["subject_kind"]: _document(record) for record in await conn.fetch(SQL.in_force, *_binding(own, team_id))
    }
    return Documents(found.get(INSTALLATION), found.get(USER), found.get(TEAM), team_id)


async def of_all(conn: Any, own: Subject, teams: Sequence[str]) -> list[Document]:
    """The documents in force of the installation, of these teams and of this principal, in this order."""
    subjects = [THE_INSTALLATION, *(Subject(TEAM, team_id) for team_id in teams), own]
    kinds, ids = [one.kind for one in subjects], [one.id for one in subjects]
    found = [_document(record) for record in await conn.fetch(SQL.in_force, kinds, ids)]
    return sorted(found, key=lambda one: ((INSTALLATION, TEAM, USER).index(one.subject.kind), one.subject.id))


async def texts(conn: Any, own: Subject, team_id: str | None = None) -> list[asyncpg.Record]:
    """The rows in force of the installation, of this team and of this principal, in this order."""
    found = await conn.fetch(SQL.texts_in_force, *_binding(own, team_id))
    return sorted(found, key=lambda row: (INSTALLATION, TEAM, USER).index(row["subject_kind"]))


def _binding(own: Subject, team_id: str | None) -> tuple[list[str], list[str]]:
    """Kinds and ids of the subjects whose documents bind."""
    subjects = [THE_INSTALLATION, own] if team_id is None else [THE_INSTALLATION, Subject(TEAM, team_id), own]
    return [one.kind for one in subjects], [one.id for one in subjects]


async def add(
    conn: Any,
    subject: Subject,
    text_format: str,
    text: str,
    contents: Contents,
    *,
    expected_version: int,
    actor: str,
    x_request_id: str | None,
) -> asyncpg.Record:
    """The next version, where `expected_version` is the latest (0: there is none yet).

    Raises:
        Conflict: `version`; `latest_version` says which one is in force.
    """
    added = None
    latest = await conn.fetchval(SQL.latest_version, subject.kind, subject.id) or 0
    if latest == expected_version:
        encoded = msgspec.json.encode(contents).decode()
        row = (subject.kind, subject.id, latest + 1, text_format, text, encoded, actor, x_request_id)
        added = await conn.fetchrow(SQL.add, *row)
        if added is None:  # somebody took the number between the two statements
            latest = await conn.fetchval(SQL.latest_version, subject.kind, subject.id)
    if added is None:
        raise Conflict(
            f"the document in force is version {latest}, not {expected_version}: look at it, and try again",
            reason_code="version",
            field="expected_version",
            expected=latest,
            latest_version=latest,
        )
    return added


def _document(record: asyncpg.Record) -> Document:
    contents = msgspec.json.decode(record["contents"], type=Contents)
    return Document(Subject(record["subject_kind"], record["subject_id"]), record["version"], contents)
