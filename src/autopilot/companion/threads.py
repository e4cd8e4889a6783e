"""The threads that are workers: which, in what state, with what running. Owns the tables `thread` and `open_item`.

The registry in memory mirrors the table; it changes on the event loop, and the same change goes into the transaction
that stores the event which caused it. Never talks to Codex or to the ledger.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from autopilot.companion import evidence, identity
from autopilot.companion.codex.coalesce import Said
from autopilot.companion.codex.translate import Event

PARENT = "parent_thread_id"
"""In a worker's metadata: the thread on whose behalf this one works."""
MAX_DESCENT = 16
"""Sub-agents of sub-agents, and copies of copies, are followed so far up."""
MAX_HIDDEN = 10_000
"""Hidden threads remembered, so that what is said about them is passed over."""


class Introduction(msgspec.Struct, frozen=True):
    """What a worker is made with."""

    workspace_ref: str
    codex_home_ref: str
    metadata: dict[str, Any]


@dataclass(slots=True)
class Thread:
    """One thread that is a worker."""

    thread_id: str
    worker_id: str
    introduction: Introduction
    state: str = "open"
    """`open` or `stopped`."""
    registered: bool = False
    generation: int | None = None
    whole: bool = False
    """Whether its history has been read to the beginning."""
    active_turn: str | None = None
    active_at: float = 0.0
    incarnation: str | None = None
    """Of the Codex whose history was compared last, or that made it; with another one, what ran then was cut off."""
    elsewhere: str | None = None
    """Why it can only be watched: another process is its writer; None: nobody said so."""
    subscribed: bool = False
    """Whether the present session hears of it."""
    compared: bool = False
    """Whether its history was compared in the present session."""
    filled: int = 0
    """How many events the last comparison found that were not put before."""
    doubtful: bool = False
    """Whether its newest turn may run in another process, by the last comparison."""
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever reads its history."""
    held_back: list[Said] | None = None
    """What Codex says while the history is being read; None at other times."""

    @property
    def parent_thread_id(self) -> str | None:
        """The thread whose sub-agent this is."""
        return self.introduction.metadata.get(PARENT)

    @property
    def is_open(self) -> bool:
        """Whether its log takes events."""
        return self.state == "open"


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An item that was begun and not completed."""

    turn_id: str
    item_id: str
    item_type: str | None


@dataclass(slots=True)
class Naming:
    """How workers are called and labelled (the settings OPENAGENTS_RUNTIME_SYNC_*)."""

    prefix: str = "desktopw"
    workspace_ref: str | None = None
    """None: each thread's own folder, `desktop://<cwd>`."""
    codex_home_ref: str = ""


@dataclass(slots=True)
class Threads:
    """The registry."""

    naming: Naming
    incarnation: str | None = None
    """Of the Codex that is, or was last, connected; what is introduced is its."""
    _by_id: dict[str, Thread] = field(default_factory=dict)
    _by_worker: dict[str, Thread] = field(default_factory=dict)
    _hidden: dict[str, str | None] = field(default_factory=dict)
    """And what each came from."""

    def load(self, db: sqlite3.Connection) -> None:
        """Read the table; call once after opening."""
        for row in db.execute("select * from thread order by active_at desc"):
            thread = Thread(
                thread_id=row["thread_id"],
                worker_id=row["worker_id"],
                introduction=msgspec.json.decode(row["introduced"], type=Introduction),
                state=row["state"],
                registered=bool(row["registered"]),
                generation=row["generation"],
                whole=bool(row["whole"]),
                active_turn=row["active_turn"],
                active_at=row["active_at"],
                incarnation=row["incarnation"],
                elsewhere=row["elsewhere"],
            )
            self._remember(thread)

    def __iter__(self) -> Iterator[Thread]:
        return iter(list(self._by_id.values()))

    def get(self, thread_id: str | None) -> Thread | None:
        """The thread with this id, where it is a worker."""
        return None if thread_id is None else self._by_id.get(thread_id)

    def of_worker(self, worker_id: str) -> Thread | None:
        """The thread of this worker."""
        return self._by_worker.get(worker_id)

    def hide(self, thread_id: str, came_from: str | None = None) -> None:
        """This thread never becomes a worker: it is ephemeral, or Codex's programs made it for themselves."""
        self._hidden[thread_id] = came_from or self._hidden.get(thread_id)
        if len(self._hidden) > MAX_HIDDEN:
            self._hidden.pop(next(iter(self._hidden)))

    def is_hidden(self, thread_id: str | None) -> bool:
        """Whether it was hidden."""
        return thread_id in self._hidden

    def asks_through(self, thread_id: str | None) -> Thread | None:
        """The thread in whose worker's log questions of this one are told: itself, or where a hidden one came from."""
        for _ in range(MAX_DESCENT):
            thread = self.get(thread_id)
            if thread is not None or thread_id is None:
                return thread
            thread_id = self._hidden.get(thread_id)
        return None

    def introduce(self, told: Mapping[str, Any], *, now: float) -> Thread:
        """The worker of a thread that Codex describes (`thread` of its answers), made where it is new; not saved."""
        thread_id = str(told["id"])
        known = self._by_id.get(thread_id)
        if known is not None:
            return known
        cwd = str(told.get("cwd") or "")
        metadata = {"thread_id": thread_id}
        metadata |= {name: told[key] for name, key in _METADATA.items() if isinstance(told.get(key), str) and told[key]}
        introduction = Introduction(
            workspace_ref=identity.ref(self.naming.workspace_ref or f"desktop://{cwd}"),
            codex_home_ref=identity.ref(self.naming.codex_home_ref),
            metadata=metadata,
        )
        worker_id = identity.worker_id(self.naming.prefix, thread_id)
        return self._remember(Thread(thread_id, worker_id, introduction, active_at=now, incarnation=self.incarnation))

    def save(self, db: sqlite3.Connection, thread: Thread) -> None:
        """Store the row as it is in memory."""
        db.execute(
            "insert into thread (thread_id, worker_id, state, introduced, registered, generation, whole, active_turn,"
            " active_at, incarnation, elsewhere) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " on conflict (thread_id) do update set state = excluded.state, registered = excluded.registered,"
            " generation = excluded.generation, whole = excluded.whole, active_turn = excluded.active_turn,"
            " active_at = excluded.active_at, incarnation = excluded.incarnation, elsewhere = excluded.elsewhere",
            (
                *(thread.thread_id, thread.worker_id, thread.state, msgspec.json.encode(thread.introduction).decode()),
                *(thread.registered, thread.generation, thread.whole, thread.active_turn),
                *(thread.active_at, thread.incarnation, thread.elsewhere),
            ),
        )

    def _remember(self, thread: Thread) -> Thread:
        self._by_id[thread.thread_id] = thread
        self._by_worker[thread.worker_id] = thread
        return thread


_METADATA = {
    "cwd": "cwd",
    "model": "model",
    "title": "name",
    "preview": "preview",
    "cli_version": "cliVersion",
    PARENT: "parentThreadId",
}
"""Name in a worker's metadata -> name in Codex's thread."""


def note(thread: Thread, event: Event, turn_status: str | None, now: float) -> None:
    """Keep in mind what an event says about the thread's running turn."""
    thread.active_at = now
    if event.method == "turn/started" and turn_status in {None, "inProgress"}:
        thread.active_turn = event.turn_id
    elif event.method == "turn/completed" and thread.active_turn == event.turn_id:
        thread.active_turn = None


def note_item(db: sqlite3.Connection, event: Event) -> None:
    """Keep the table of open items true."""
    key = (event.thread_id, event.turn_id, event.item_id)
    if event.method == "turn/completed":
        # What was begun and not completed is dropped with the turn; a command may go on in the background.
        db.execute(
            "delete from open_item where thread_id = ? and turn_id = ? and item_type is not 'commandExecution'", key[:2]
        )
    if None in key:
        return
    if event.method == "item/started":
        row = (*key, event.item_type, evidence.kept(event))
        db.execute("insert into open_item values (?, ?, ?, ?, ?) on conflict do nothing", row)
    elif event.method == "item/completed":
        db.execute("delete from open_item where thread_id = ? and turn_id = ? and item_id = ?", key)


def open_items(db: sqlite3.Connection, thread_id: str) -> list[OpenItem]:
    """What was begun and not completed."""
    rows = db.execute("select * from open_item where thread_id = ? order by turn_id, item_id", (thread_id,))
    return [OpenItem(row["turn_id"], row["item_id"], row["item_type"]) for row in rows]


def told(db: sqlite3.Connection, thread_id: str, turn_id: str | None, item_id: str | None) -> dict[str, Any] | None:
    """What Codex said of an item when it began it, as far as it is kept; None: nothing is."""
    row = db.execute(
        "select told from open_item where thread_id = ? and turn_id = ? and item_id = ?", (thread_id, turn_id, item_id)
    ).fetchone()
    return None if row is None or row["told"] is None else msgspec.json.decode(row["told"])


def told_of_call(db: sqlite3.Connection, thread_id: str, turn_id: str | None, server: str) -> dict[str, Any] | None:
    """The one call of this tool server that is under way in a turn; None: there is none, or there are several."""
    rows = db.execute(
        "select told from open_item where thread_id = ? and turn_id = ? and item_type = 'mcpToolCall'"
        " and told is not null",
        (thread_id, turn_id),
    )
    calls = [call for row in rows if (call := msgspec.json.decode(row["told"])).get("server") == server]
    return calls[0] if len(calls) == 1 else None


def unfinished(db: sqlite3.Connection) -> set[str]:
    """The threads in which something was begun and not completed."""
    return {row["thread_id"] for row in db.execute("select distinct thread_id from open_item")}


def close_items(db: sqlite3.Connection, thread_id: str, turn_id: str) -> None:
    """Nothing of this turn will be completed any more."""
    db.execute("delete from open_item where thread_id = ? and turn_id = ?", (thread_id, turn_id))
