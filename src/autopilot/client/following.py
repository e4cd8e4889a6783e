"""What every store has that follows a stream: how its connection stands, and a bell that makes it look now.

`Following.run` says in the end that nothing is followed any more: what a store knew stays, and is not called live. What
is followed, and what is looked at beside it, is the store's own (`OverviewStore`, `WorkerStore`).
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import replace
from typing import Any, Generic, TypeVar

from autopilot.client.clock import Clock, within
from autopilot.client.connection import ConnectionState
from autopilot.client.follower import Follower
from autopilot.client.groups import end_if_cancelled
from autopilot.client.observable import Observable
from autopilot.client.tokens import SignInAgain

V = TypeVar("V")
F = TypeVar("F", bound=Follower[Any])
OVER = frozenset({"signed_out", "refused"})
"""Ends of a connection that say more than that it was let go."""


class Following(Observable[V], Generic[V, F]):
    """A store that follows."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._connection = ConnectionState()
        self._follower: F | None = None
        self._woken = asyncio.Event()

    @property
    def connection(self) -> ConnectionState:
        """How it stands this moment: when the server was heard last moves without anybody being told."""
        follower = self._follower
        return self._connection if follower is None else replace(self._connection, heard_at=follower.state.heard_at)

    def poke(self, *, reopen: bool = False) -> None:
        """Look now: after signing in again, when the app comes to the front, when the network is back.

        With `reopen` the connection is doubted in any case: the network is another one.
        """
        self._woken.set()
        if self._follower is not None:
            self._follower.poke(reopen=reopen)

    async def run(self) -> None:
        """Keep the view true, until cancelled; run again, it goes on from its cursor. Once at a time.

        Raises:
            Forbidden, NotFound, …: the server's final answers; the view keeps what was known.
        """
        try:
            while True:
                end_if_cancelled()
                try:
                    await self._go_on()
                except SignInAgain as error:
                    end_if_cancelled()
                    self._became(replace(self._connection, kind="signed_out", error=error))
                    await self._woken.wait()
                    self._woken.clear()
        finally:
            if self._connection.kind not in OVER:
                self._became(replace(self._connection, kind="closed", since=self._clock.now()))

    @abstractmethod
    async def _go_on(self) -> None:
        """Follow, until that ends; it is called again then.

        Raises:
            SignInAgain: the session is over; it is called again after a poke.
        """

    def _connected(self, state: ConnectionState) -> None:
        """The follower tells. That it was closed is no news: another one is coming, or `run` says it."""
        if state.kind != "closed":
            if state.kind == "waiting" and self._connection.kind != "waiting":
                self._woken.set()  # is it the stream, or everything? A look tells
            self._became(state)

    def _became(self, state: ConnectionState) -> None:
        self._connection = state
        self._change()

    async def _woken_or(self, seconds: float) -> None:
        """Until somebody pokes, or `seconds` have passed."""
        try:
            await within(self._clock, seconds, self._woken.wait)
        except TimeoutError:
            return
        self._woken.clear()
