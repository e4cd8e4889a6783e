"""What is still to be done for a thread, kept in the file until it is: whoever dies in between does it afterwards.

Owns the rows `owed:…` of the table `setting`. A debt is made in the transaction with what makes it due, and paid after
it was done; done twice is no harm. Does nothing itself: `Desk` ends, `Upkeep` reads again.
"""

from __future__ import annotations

import sqlite3
from typing import Literal

Debt = Literal["end", "reread"]
"""`end`: its log was closed by others, what it runs is to be ended. `reread`: the ledger has less of it than it was
sent."""


def owe(db: sqlite3.Connection, debt: Debt, thread_id: str) -> None:
    """From here on it is due."""
    db.execute("insert or replace into setting values (?, '')", (_prefix(debt) + thread_id,))


def owed(db: sqlite3.Connection, debt: Debt) -> list[str]:
    """The threads for which it is due."""
    prefix = _prefix(debt)
    rows = db.execute("select name from setting where substr(name, 1, ?) = ? order by name", (len(prefix), prefix))
    return [row["name"].removeprefix(prefix) for row in rows.fetchall()]


def pay(db: sqlite3.Connection, debt: Debt, thread_id: str) -> None:
    """It was done."""
    db.execute("delete from setting where name = ?", (_prefix(debt) + thread_id,))


def _prefix(debt: Debt) -> str:
    return f"owed:{debt}:"
