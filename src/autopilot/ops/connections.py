"""How many connections are open, and whose: what keeps slow ones from shutting others out.

Counts the connections of each network address and of all. Over an address's limit its newest is refused. Over the limit
of all the one that has waited longest with nothing asked (a head that comes slowly, an idle connection) makes room:
those who ask at once are served, however many only hold on. Relies on `LimitedHttp` to tell what a connection does.
Never reads a byte.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Protocol

from prometheus_client import Counter as Metric

from autopilot.ops.metrics import Metrics

MOST = 20_000
SPARE_FILES = 256
"""Of the files a process may have open, those that are no clients: database, logs, wake-ups."""
WANTED_FILES = 65_536
ENDED_AT_ONCE = 16
ENDING_PAUSE_SECONDS = 0.005
"""Thousands that began together are late together: between a few of them others have their turn."""


class Connection(Protocol):
    """What can be asked to make room."""

    def make_room(self) -> None:
        """Close at once."""
        ...


class Connections:
    """All connections of a server."""

    def __init__(
        self,
        *,
        most: int = MOST,
        most_of_address: int = MOST,
        address_of: Callable[[tuple[str, int] | None], str | None] = lambda client: client[0] if client else None,
        metrics: Metrics | None = None,
    ) -> None:
        """`address_of`: what a peer counts as; None: it isn't limited (a proxy, a unix socket)."""
        self._most = most
        self._most_of_address = most_of_address
        self._address_of = address_of
        self._by_address: Counter[str] = Counter()
        self._open: dict[Connection, str | None] = {}
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._ending: deque[Callable[[], None]] = deque()
        self._ended = 0  # since the last pause
        self._is_counting = False
        self._refused: Metric | None = None
        if metrics is not None:
            metrics.gauge("connections_open", "Connections open now.").set_function(lambda: len(self._open))
            self._refused = metrics.counter("connections_refused", "Connections ended to keep a limit.", ("limit",))

    def __len__(self) -> int:
        return len(self._open)

    def enter(
        self, connection: Connection, client: tuple[str, int] | None, *, until_now: Connection | None = None
    ) -> bool:
        """Whether a new connection may stay. It waits, for the time being.

        `until_now`: what stood for it, and gives its place up; where that was told to go, there is none.
        """
        if until_now is not None:
            if until_now not in self._open:
                return False
            self.leave(until_now)
        address = self._address_of(client)
        if address is not None and self._by_address[address] >= self._most_of_address:
            self._count("address")
            return False
        if len(self._open) >= self._most:
            self._count("all")
            if not self._waiting:
                return False
            eldest = next(iter(self._waiting))
            self.leave(eldest)
            eldest.make_room()
        self._open[connection] = address
        self._waiting[connection] = None
        if address is not None:
            self._by_address[address] += 1
        return True

    def waits(self, connection: Connection) -> None:
        """It has nothing asked any more."""
        if connection in self._open:
            self._waiting[connection] = None

    def asks(self, connection: Connection) -> None:
        """It has asked something, whole head and all."""
        self._waiting.pop(connection, None)

    def leave(self, connection: Connection) -> None:
        """It is gone."""
        self._waiting.pop(connection, None)
        if connection in self._open:
            address = self._open.pop(connection)
            if address is not None:
                self._by_address[address] -= 1
                if not self._by_address[address]:
                    del self._by_address[address]

    def end_in_turn(self, end: Callable[[], None]) -> None:
        """Call `end` at once, where few were ended just now, else in its turn, a few at a time."""
        self._ending.append(end)
        self._end_some()
        if not self._is_counting:
            self._is_counting = True
            asyncio.get_running_loop().call_later(ENDING_PAUSE_SECONDS, self._count_anew)

    def _end_some(self) -> None:
        while self._ending and self._ended < ENDED_AT_ONCE:
            self._ended += 1
            self._ending.popleft()()

    def _count_anew(self) -> None:
        self._ended = 0
        self._end_some()
        self._is_counting = self._ended > 0
        if self._is_counting:
            asyncio.get_running_loop().call_later(ENDING_PAUSE_SECONDS, self._count_anew)

    def _count(self, limit: str) -> None:
        if self._refused is not None:
            self._refused.labels(limit).inc()


def files_for_clients() -> int:
    """How many connections this process may have open, its limit raised as far as it may be (at most WANTED_FILES)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    allowed = WANTED_FILES if soft == resource.RLIM_INFINITY else soft
    return max(1, allowed - SPARE_FILES)
