"""The companion's file as an earlier version left it."""

from __future__ import annotations

import sqlite3

from autopilot.companion.database import UPGRADES

UNDONE = {
    2: ("alter table inbox drop column expires_at",),
    3: ("alter table thread drop column incarnation",),
    4: ("alter table thread drop column elsewhere",),
    8: ("alter table approval drop column told_in",),
    5: ("drop table approval", "alter table open_item drop column told"),
    6: ("drop table seal_head",),
    7: ("drop table artifact",),
}
"""What takes back the upgrade to each version. In this order: SQLite keeps the comments of a table that it alters, and
can't alter one whose last column's comment is left behind."""


def bring_back(db: sqlite3.Connection, version: int) -> None:
    """Make a file of today one of this version; what it holds stays."""
    assert UNDONE.keys() == UPGRADES.keys(), "an upgrade that can't be taken back here is not tested"
    for step, statements in UNDONE.items():
        for statement in statements if step > version else ():
            db.execute(statement)
    db.execute(f"pragma user_version = {version}")
