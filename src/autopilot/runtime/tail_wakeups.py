"""Tells the other processes of this installation that a log has grown, and hears it from them.

Announcements are coalesced and sent every few milliseconds with NOTIFY, on a connection of their own: inside the
transaction that appends, NOTIFY would serialize every commit of the database. They are hints: a lost one costs the time
until the next poll. Owns that connection and its reconnects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import structlog

from autopilot.db.away import AWAY
from autopilot.db.pool import connect
from autopilot.ops.clock import Clock

log = structlog.get_logger("autopilot.runtime.wakeups")

CHANNEL = "autopilot_tail"
NOTIFY_BYTES = 7900
"""A payload of NOTIFY is shorter than 8000 bytes."""
RECONNECT_SECONDS = 1.0
SETTINGS = {"application_name": "autopilot-tail", "synchronous_commit": "off"}
"""A hint need not survive a crash of the database: its commit keeps no append waiting for the disk."""

Heard = Callable[[str, int], None]
"""(key, seq): the log `key` has come to `seq`."""


class Wakeups:
    """Announces and hears of logs, by topic (`worker`, `machine`) and key."""

    def __init__(self, dsn: str, clock: Clock, *, interval_ms: int) -> None:
        self._dsn = dsn
        self._clock = clock
        self._interval_seconds = interval_ms / 1000
        self._heard: dict[str, Heard] = {}
        self._resumed: list[Callable[[], None]] = []
        self._pending: dict[tuple[str, str], int] = {}
        self._announced = asyncio.Event()

    def subscribe(self, topic: str, heard: Heard, resumed: Callable[[], None] | None = None) -> None:
        """Call `heard` for every announcement of this topic, our own included; `resumed` when some may be missing."""
        self._heard[topic] = heard
        if resumed is not None:
            self._resumed.append(resumed)

    def announce(self, topic: str, key: str, seq: int) -> None:
        """Say, soon, that the log has come to `seq`; only the latest matters."""
        self._pending[topic, key] = seq
        self._announced.set()

    async def run(self) -> None:
        """Listen and announce until cancelled; a lost connection is made again."""
        while True:
            try:
                connection = await connect(self._dsn, server_settings=SETTINGS)
            except (asyncpg.PostgresError, *AWAY):  # also where it doesn't let us in just now
                self._pending.clear()
                await self._clock.sleep(RECONNECT_SECONDS)
                continue
            try:
                await connection.add_listener(CHANNEL, self._on_notify)
                for resumed in self._resumed:
                    resumed()
                await self._announce(connection)
            except AWAY:
                log.info("wakeups.reconnecting")
                await self._clock.sleep(RECONNECT_SECONDS)
            finally:
                connection.terminate()

    async def _announce(self, connection: asyncpg.Connection) -> None:
        while True:
            await self._announced.wait()
            self._announced.clear()
            waiting = payloads(self._pending)
            self._pending.clear()
            for payload in waiting:
                await connection.execute("select pg_notify($1, $2)", CHANNEL, payload)
            await self._clock.sleep(self._interval_seconds)

    def _on_notify(self, *notification: object) -> None:
        for line in str(notification[-1]).splitlines():
            topic, _, rest = line.partition(" ")
            seq, _, key = rest.partition(" ")
            heard = self._heard.get(topic)
            if heard is not None:
                heard(key, int(seq))


def payloads(pending: dict[tuple[str, str], int]) -> list[str]:
    """The announcements as few payloads as they fit into: lines of `topic seq key`."""
    made: list[str] = []
    for (topic, key), seq in pending.items():
        line = f"{topic} {seq} {key}"
        if made and len(made[-1]) + len(line) < NOTIFY_BYTES:
            made[-1] += "\n" + line
        else:
            made.append(line)
    return made
