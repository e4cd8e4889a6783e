"""A recorded session once more, through everything of the companion that is neither Codex nor a network: what it put
into its outbox, which questions it knows, and what it thinks of each thread at the end.

Its Codex answers what the recorded one answered. A connection to another process begins another session, as the
supervisor would; recovery takes the threads up, and asks what the recording's client asked.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from autopilot.companion import approvals, approvals_ends
from autopilot.companion.approvals_answers import Answers
from autopilot.companion.approvals_asking import Asking
from autopilot.companion.codex import questions
from autopilot.companion.codex.messages import CodexRefused, Message, decode
from autopilot.companion.codex.supervisor import Session
from autopilot.companion.database import Database
from autopilot.companion.facts import MachineFacts
from autopilot.companion.outbox import Outbox, Waiting
from autopilot.companion.places import Places
from autopilot.companion.recorder import Recorder
from autopilot.companion.recovery import Recovery
from autopilot.companion.threads import Naming, Thread, Threads
from autopilot.testing.clock import FakeClock

RECORDINGS = Path(__file__).parent / "recordings"
GOLDEN = ".golden"
NOT_ASKED = {"thread/loaded/list": {"result": {"data": []}}}
"""What a Codex answers that began with the recording: it has nothing in its memory yet."""

Row = dict[str, Any]


class RecordedCodex:
    """Answers each call as the recorded one did: by its method and what it asked about, in order."""

    def __init__(self, rows: list[Row]) -> None:
        self.session: Session | None = None
        self.gone = False
        self._answers: defaultdict[str, list[Row]] = defaultdict(list)
        asked = {
            row["msg"]["id"]: row["msg"]
            for row in rows
            if row["dir"] == "c2s" and "method" in row["msg"] and "id" in row["msg"]
        }
        for row in rows:
            message = row.get("msg", {})
            if row["dir"] == "s2c" and "method" not in message and message.get("id") in asked:
                self._answers[_subject(asked[message["id"]])].append(message)

    async def call(self, method: str, params: Any = None, **_: Any) -> msgspec.Raw:
        """The next recorded answer to this.

        Raises:
            CodexRefused: it was refused, or nobody asked it.
        """
        known = self._answers[_subject({"method": method, "params": params})]
        answer = known.pop(0) if known else NOT_ASKED.get(method, {"error": {"code": -32600, "message": "not asked"}})
        if "error" in answer:
            raise CodexRefused(answer["error"]["code"], answer["error"]["message"])
        return msgspec.Raw(msgspec.json.encode(answer["result"]))

    async def shared_lives_as(self, _incarnation: str | None) -> bool:
        return False


def _subject(asked: Row) -> str:
    params = asked.get("params") or {}
    return " ".join(
        str(one) for one in (asked["method"], params.get("threadId"), params.get("turnId"), params.get("cursor"))
    )


class Replay:
    """The companion's own half."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.database = Database(folder / "outbox.sqlite")
        self.outbox = Outbox()
        self.threads = Threads(Naming(prefix="desktopw", workspace_ref=None, codex_home_ref="file:///home/dev/codex"))
        self.asking = Asking(self.clock, ttl_ms=1000)
        self.machine: list[str] = []
        """What was answered without a person."""
        self.recorder = Recorder(
            self.database,
            self.outbox,
            self.threads,
            MachineFacts(),
            self.clock,
            asking=self.asking,
            answer=self._answer,
        )
        self.places = Places(self.recorder)
        self.recovery = Recovery(
            self.database, self.outbox, self.threads, self.recorder, places=self.places, clock=self.clock
        )

    async def play(self, rows: list[Row]) -> str:
        """All of a session; what came of it, in words."""
        await self.database.open()
        try:
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(self.recorder.run())
                for connection in _connections(rows):
                    await self._session(connection)
                await self._settled()
                writing.cancel()
            return await self.database.run(self._told)
        finally:
            await self.database.close()

    async def _session(self, rows: list[Row]) -> None:
        codex: Any = RecordedCodex(rows)
        incarnation = f"codex-{rows[0]['codex']}"
        session = Session(connection=codex, incarnation=incarnation)
        codex.session = session
        answers = Answers(
            codex,
            database=self.database,
            recorder=self.recorder,
            threads=self.threads,
            asking=self.asking,
            clock=self.clock,
        )
        self.recovery.codex = self.places.codex = codex
        self.recovery.begins, self.recovery.taken_up = answers.begin, answers.taken_up
        await self.recovery.session_began(session)
        for row in rows:
            if row["dir"] == "s2c" and "method" in row["msg"]:
                await self.recorder.take(decode(msgspec.json.encode(row["msg"])))
        await self.recorder.settle()
        await self.recovery.session_ended(session)

    async def _answer(self, message: Message, answer: questions.Answer) -> None:
        self.machine.append(f"{message.method} {'refused' if answer.error else 'answered'} by the machine")

    async def _settled(self) -> None:
        """What is said of a question a while after it was resolved."""
        await self.clock.advance(2 * approvals_ends.ITEM_SECONDS)
        events, more = await self.database.run(lambda db: approvals_ends.overdue(db, self.clock.now()))
        assert not more
        await self.recorder.record(events)

    def _told(self, db: sqlite3.Connection) -> str:
        """Each worker's log as the ledger would get it, then what is thought of its thread, then what is still open."""
        lines = []
        for number, thread in enumerate(self.threads, 1):
            lines.append(f"thread {number}")
            lines += [f"  {waiting.producer_seq} {_named(waiting)}" for waiting in self._waiting(db, thread)]
            lines.append("  then " + ("a turn runs" if thread.active_turn else "no turn runs"))
        lines += [f"open: {row.method}" for row in approvals.open_ones(db)]
        return "\n".join([*lines, *self.machine, ""])

    def _waiting(self, db: sqlite3.Connection, thread: Thread) -> Iterator[Waiting]:
        while batch := self.outbox.take(db, thread.worker_id):
            yield from batch
            self.outbox.settle(db, [one.position for one in batch])


def _named(waiting: Waiting) -> str:
    """An event in the words that matter: its type, method, item or turn and their state; who was asked, and the end."""
    payload = json.loads(waiting.payload)
    params = payload.get("params") or {}
    about = next(
        (one for name in ("item", "turn", "approval", "thread", "status") if isinstance(one := params.get(name), dict)),
        {},
    )
    about = payload.get("approval") or about
    said = [waiting.event_type, waiting.method]
    said += [
        str(about[name])
        for name in ("type", "kind", "status", "state", "outcome", "reason")
        if isinstance(about.get(name), str)
    ]
    said += ["backfilled"] if payload.get("backfilled") else []
    return " ".join(said)


def _connections(rows: list[Row]) -> list[list[Row]]:
    """The rows of each connection, its opening first."""
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["conn"], []).append(row)
    return list(found.values())


def rows_of(path: Path) -> list[Row]:
    """The recording in this file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


async def replayed(rows: list[Row]) -> str:
    """What the companion makes of a recording."""
    with tempfile.TemporaryDirectory(prefix="autopilot-replay-") as folder:
        return await Replay(Path(folder)).play(rows)
