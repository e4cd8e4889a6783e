"""The proof that logs are what was sealed: reads everything, believes nothing but the keys.

Checks the chain of seals (numbers, digests, signatures, the heads that others keep), then each log against its seals,
row by row, in bounded memory. What no seal covers yet is not proved, and said as such. Only reads, in one snapshot, so
it works beside a running installation. Relies on sources for leaves.
Source: docs/protocol.md, "Tamper evidence".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from autopilot.runtime import seal_artifacts
from autopilot.runtime.seal import SOURCES, SQL
from autopilot.runtime.seal_chain import FIRST, Floor, Head, Seal, fold, genesis, written
from autopilot.runtime.seal_keys import PublicKeys
from autopilot.runtime.seal_sources import MALFORMED, Entry, Log, Source
from autopilot.runtime.seal_workers import NAME

MOST_FINDINGS = 1000
"""Beyond so many, looking on tells nothing new."""
MOST_LOGS = 1000
"""Logs whose unsealed tails are named one by one."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One place where a log or the chain is not what was sealed."""

    kind: str
    """`altered`, `removed`, `inserted`, `moved`, `cut_off`, `emptied`, `floor`, `log_removed`, `artifact`,
    `seal_removed`, `seal_altered`, `seal_forged`, `seal_range` or `rolled_back`."""
    says: str
    """The same as a sentence."""
    log_id: str | None = None
    from_seq: int | None = None
    to_seq: int | None = None
    seal_no: int | None = None


class Tail(msgspec.Struct, frozen=True):
    """What of a log no seal covers yet."""

    log_id: str
    events: int
    since: datetime


class Kept(msgspec.Struct, frozen=True):
    """A head that somebody else keeps."""

    by: str
    head: Head


@dataclass(slots=True)
class Report:
    """What was found out."""

    logs: int = 0
    events: int = 0
    """That a seal covers and that are here, pruned ones included."""
    pruned: int = 0
    artifacts: int = 0
    """That are stored, and were compared with what their events say."""
    seals: int = 0
    head: Head | None = None
    sealed_at: datetime | None = None
    """When the last seal was made."""
    unsealed: list[Tail] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every log is unbroken up to its last seal."""
        return not self.findings


class _Enough(Exception):
    """There are findings enough."""


class Verifier:
    """One verification; `conn` is in a repeatable-read transaction, its search path the runtime's."""

    def __init__(self, conn: Any, keys: PublicKeys, sources: Sequence[Source] = SOURCES) -> None:
        self.connection = self._conn = conn
        self._keys = keys
        self._sources = sources
        self.report = Report()

    async def verify(self, log_id: str | None = None, kept: Sequence[Kept] = ()) -> Report:
        """Check the chain, and all logs, or only the one of this id."""
        try:
            await self._chain(kept)
            for source in self._sources:
                if log_id is None:
                    for name in await source.gone(self._conn, MOST_LOGS):
                        self._found("log_removed", "was sealed, and is not there any more", name)
                    async for found in source.logs(self._conn):
                        await _LogCheck(self, source, found).run()
                elif (one := await source.log(self._conn, log_id)) is not None:
                    await _LogCheck(self, source, one).run()
                elif log_id in await source.gone(self._conn, MOST_LOGS):
                    self._found("log_removed", "was sealed, and is not there any more", log_id)
        except _Enough:
            pass
        return self.report

    async def _chain(self, kept: Sequence[Kept]) -> None:
        wanted: dict[int, list[Kept]] = defaultdict(list)
        for item in kept:
            wanted[item.head.seal_no].append(item)
        expected, previous = 1, FIRST
        async for record in self._conn.cursor(SQL.chain):
            seal = Seal(**dict(record))
            if seal.seal_no != expected:
                self._missing_seals(expected, seal.seal_no - 1)
            elif seal.previous != previous:
                self._found("seal_altered", "does not follow from the seal before it", seal_no=seal.seal_no)
            self._judge(seal)
            for item in wanted.pop(seal.seal_no, ()):
                if item.head.digest != seal.digest:
                    self._rolled_back(item, "has another one of this number")
            expected, previous = seal.seal_no + 1, seal.digest
            self.report.seals += 1
            self.report.head, self.report.sealed_at = Head(seal.seal_no, seal.digest), seal.sealed_at
        for item in (item for items in wanted.values() for item in items):
            self._rolled_back(item, f"ends at seal {expected - 1}" if item.head.seal_no >= expected else "lacks it")

    def _judge(self, seal: Seal) -> None:
        if seal.digest != seal.computed():
            self._found("seal_altered", "was altered: its digest is not that of its content", seal_no=seal.seal_no)
        elif seal.key_id not in self._keys:
            self._found("seal_forged", f"was signed with an unknown key ({seal.key_id})", seal_no=seal.seal_no)
        elif not self._keys.verifies(seal.key_id, seal.signature, written("signature", seal.digest)):
            self._found("seal_forged", "has a signature that its key did not make", seal_no=seal.seal_no)

    def _missing_seals(self, first: int, last: int) -> None:
        which = f"Seal {first} is" if first == last else f"Seals {first} to {last} are"
        self._add(Finding(kind="seal_removed", says=f"{which} missing from the chain.", seal_no=first))

    def _rolled_back(self, item: Kept, what: str) -> None:
        says = (
            f"Seal {item.head.seal_no} is kept by {item.by}, but the chain {what}: "
            "the database was set back, or its chain made anew."
        )
        self._add(Finding(kind="rolled_back", says=says, seal_no=item.head.seal_no))

    def _found(self, kind: str, what: str, log_id: str | None = None, *, seal_no: int | None = None) -> None:
        subject = f"Seal {seal_no}" if log_id is None else log_id
        self._add(Finding(kind=kind, says=f"{subject} {what}.", log_id=log_id, seal_no=seal_no))

    def _add(self, finding: Finding) -> None:
        self.report.findings.append(finding)
        if len(self.report.findings) >= MOST_FINDINGS:
            raise _Enough

    def found_in(self, log: Log, kind: str, first: int, last: int, what: str) -> None:
        """Something about entries of a log; `what` begins with a verb."""
        which = f"event {first}" if first == last else f"events {first} to {last}"
        says = f"{log.log_id}: {which} {what}."
        self._add(Finding(kind=kind, says=says, log_id=log.log_id, from_seq=first, to_seq=last))

    async def floor(self, source: Source, log: Log) -> Floor | None:
        """Where retention cut the log off, by its own signed word."""
        record = await self._conn.fetchrow(SQL.floor, source.name, log.log_no)
        if record is None:
            return None
        floor = Floor(**dict(record))
        signed = Floor.signed(source.name, log.log_id, floor.floor_seq, floor.state)
        if not self._keys.verifies(floor.key_id, floor.signature, signed):
            self.found_in(log, "floor", 1, floor.floor_seq, "are said to be gone by retention, but not by its key")
        return floor

    async def entries(self, source: Source, log: Log) -> AsyncIterator[Entry]:
        """All rows of a log, in order."""
        after = -(2**63)
        while page := await source.entries(self._conn, log, after, self._keys):
            for position, entry in enumerate(page):
                # A page is bounded by what rows say of their size: one that lies must not hide the next.
                if position and entry.seq != after + 1:
                    break
                yield entry
                after = entry.seq

    def seals(self, source: Source, log: Log) -> AsyncIterator[Any]:
        """The log's seals, in the order they were made."""
        cursor: AsyncIterator[Any] = self._conn.cursor(SQL.seals_of_log, source.name, log.log_no)
        return cursor


class _LogCheck:
    """One log against its seals."""

    def __init__(self, verifier: Verifier, source: Source, log: Log) -> None:
        self._verifier = verifier
        self._source = source
        self._log = log
        self._entries = verifier.entries(source, log)
        self._next: Entry | None = None
        self._expected = log.oldest_seq
        """The seq of the next row that must be there."""

    async def run(self) -> None:
        """Go through seals and rows side by side."""
        log, verifier = self._log, self._verifier
        verifier.report.logs += 1
        floor = await verifier.floor(self._source, log)
        state, sealed_seq, first = genesis(self._source.name, log.log_id), 0, True
        await self._advance()
        async for record in verifier.seals(self._source, log):
            seal = Seal(**dict(record))
            if first:
                begin = floor.floor_seq if floor else seal.from_seq
                self._begin(begin)
            elif seal.from_seq != sealed_seq + 1 or seal.log_id != log.log_id:
                kind, what = "seal_range", "are covered by seals that do not join"
                verifier.found_in(log, kind, min(seal.from_seq, sealed_seq + 1), seal.to_seq, what)
            if floor and seal.from_seq <= floor.floor_seq <= seal.to_seq:
                state = floor.state
            if seal.to_seq >= self._expected:
                await self._range(seal, state)
            state, sealed_seq, first = seal.state, seal.to_seq, False
        if first:
            self._begin(floor.floor_seq if floor else self._log.oldest_seq)
        await self._tail(sealed_seq)
        await self._artifacts()

    async def _artifacts(self) -> None:
        """What lies beside the log: of workers only."""
        if self._source.name != NAME:
            return
        async for found in seal_artifacts.broken(self._verifier.connection, self._log.log_id):
            self._verifier.report.artifacts += 1
            if found is not None:
                self._say("artifact", found.seq, found.seq, found.what)

    def _begin(self, seq: int) -> None:
        if self._log.oldest_seq != seq:
            what = f"are missing from its beginning: it says it begins at {self._log.oldest_seq}, retention says {seq}"
            self._verifier.found_in(self._log, "floor", min(seq, self._log.oldest_seq), self._log.oldest_seq, what)
        self._expected = seq

    async def _range(self, seal: Seal, state: bytes) -> None:
        """The rows that a seal covers."""
        before = len(self._verifier.report.findings)
        async for entry in self._until(seal.to_seq):
            state = fold(state, entry.leaf)
            self._verifier.report.events += 1
            self._verifier.report.pruned += entry.pruned
        first, self._expected = max(seal.from_seq, 1), seal.to_seq + 1
        if len(self._verifier.report.findings) == before and state != seal.state:
            what = f"are not what was sealed: at least one was altered (seal {seal.seal_no})"
            self._verifier.found_in(self._log, "altered", first, seal.to_seq, what)

    async def _until(self, to_seq: int) -> AsyncIterator[Entry]:
        """The rows up to a seq, having said which are missing, too many, or wrong by themselves."""
        while (entry := self._next) is not None and entry.seq <= to_seq:
            if entry.seq < self._expected:
                self._say("inserted", entry.seq, entry.seq, "was put in where retention or the beginning left nothing")
            else:
                if entry.seq > self._expected:
                    self._say("removed", self._expected, entry.seq - 1, "is gone", "are gone")
                if entry.trouble is not None:
                    self._say(_kind_of(entry.trouble), entry.seq, entry.seq, entry.trouble)
                self._expected = entry.seq + 1
                yield entry
            await self._advance()
        if self._expected <= to_seq:
            cut = self._next is None
            what = "sealed, and cut off the end of the log" if cut else "gone"
            kind = "cut_off" if cut else "removed"
            self._say(kind, self._expected, to_seq, f"is {what}", f"are {what}")
            self._expected = to_seq + 1

    async def _tail(self, sealed_seq: int) -> None:
        """What no seal covers: not proved, but its seqs must be whole."""
        log, count, since = self._log, 0, None
        async for entry in self._until(log.latest_seq):
            since, count = since or entry.occurred_at, count + 1
        if log.latest_seq < sealed_seq:
            self._say("cut_off", log.latest_seq + 1, sealed_seq, "was sealed, and is not part of the log any more")
        while self._next is not None:
            self._say("inserted", self._next.seq, self._next.seq, "was put in beyond the end of the log")
            await self._advance()
        if since is not None and len(self._verifier.report.unsealed) < MOST_LOGS:
            self._verifier.report.unsealed.append(Tail(log.log_id, count, since))

    async def _advance(self) -> None:
        self._next = await anext(self._entries, None)

    def _say(self, kind: str, first: int, last: int, one: str, many: str | None = None) -> None:
        self._verifier.found_in(self._log, kind, first, last, one if first == last else many or one)


def _kind_of(trouble: str) -> str:
    """What a row's own trouble is called."""
    if trouble == MALFORMED:
        return "altered"
    return "emptied" if "emptied" in trouble else "moved"
