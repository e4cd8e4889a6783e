"""Everything of a principal, kept true by one task: what lists, inbox, badges and alerts read.

`OverviewStore.run` follows the stream of everything and looks at the lists now and then; `view` is the merged result.
Owns no connection but its follower's. Relies on `OverviewFold` for which state counts. A stream that stands still while
the lists move is opened anew; what was open and is named no more is asked for; when the session ends it says so and
waits for `poke`. What an earlier run knew (`known`) is shown with its age until the first opening is told.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from autopilot.client import log
from autopilot.client.backoff import is_final
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.clock import within
from autopilot.client.connection import ConnectionState
from autopilot.client.everything import EverythingFollower
from autopilot.client.follower import FollowPolicy
from autopilot.client.following import Following
from autopilot.client.groups import first_error
from autopilot.client.health import AGAIN_SECONDS, LOOK_SECONDS, ApiFact
from autopilot.client.overview import Overview, OverviewFold, OverviewLimits, ReceiptKey
from autopilot.client.tokens import SignInAgain
from autopilot.contract import Approval, HealthFact, Receipt, StreamCaughtUp
from autopilot.contract.errors import AutopilotError, Forbidden, InvalidRequest, NetworkError, NotFound

T = TypeVar("T")
RECONCILE_SECONDS = 30.0
"""The server compares all state anew every ten seconds by itself; this is for what is lost between it and here."""
LIST_WORKERS = 50
LIST_APPROVALS = 200


@dataclass(frozen=True, slots=True)
class OverviewView:
    """One moment of everything, and of how it is known."""

    overview: Overview
    connection: ConnectionState
    as_of: datetime | None
    """When this was true last, by this device's clock; None: it is now, or nothing was ever known."""
    error: AutopilotError | None
    """Why the last look at the lists failed; None: it did not."""
    api: HealthFact
    """Whether the API can be had, as this client found itself."""


class OverviewStore(Following[OverviewView, EverythingFollower]):
    """Everything of one principal, observable."""

    def __init__(
        self,
        client: RuntimeCodexClient,
        *,
        known: Overview | None = None,
        as_of: datetime | None = None,
        resume_at: str | None = None,
        limits: OverviewLimits | None = None,
        reconcile_seconds: float = RECONCILE_SECONDS,
        policy: FollowPolicy | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        """`known`: what an earlier run knew, `as_of` when it was true; `resume_at`: that run's."""
        super().__init__(client.clock)
        self._client = client
        self._reconcile_seconds = reconcile_seconds
        self._policy = policy
        self._rng = rng
        self._fold = OverviewFold(limits, known=known)
        self._true_at = as_of
        self._resume_at = resume_at
        self._error: AutopilotError | None = None
        self._api = ApiFact()

    def _seen(self) -> OverviewView:
        return OverviewView(
            overview=self._fold.overview,
            connection=self._connection,
            as_of=None if self._is_true_now else self._true_at,
            error=self._error,
            api=self._api.fact,
        )

    @property
    def resume_at(self) -> str | None:
        """Where the stream goes on from: for the next run."""
        return self._resume_at if self._follower is None else self._follower.resume_at

    # Keeping.

    async def _go_on(self) -> None:
        try:
            await self._keep()
        except InvalidRequest as error:
            if error.reason_code != "cursor" or self._resume_at is None:
                raise
            self._resume_at = None  # another server's, or of another version

    async def _keep(self) -> None:
        follower = self._client.follow_everything(cursor=self._resume_at, policy=self._policy)
        cancel = follower.on_state(self._connected)
        self._follower = follower
        try:
            async with follower, asyncio.TaskGroup() as group:
                group.create_task(self._reconcile(follower))
                async for entry in follower:
                    if self._fold.take(entry):
                        self._change()
                    if isinstance(entry, StreamCaughtUp) and self._fold.unsettled:
                        self._woken.set()
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
        finally:
            cancel()
            self._resume_at, self._follower = follower.resume_at, None

    async def _reconcile(self, follower: EverythingFollower) -> None:
        """A look at the lists now and then: whether the stream still brings what it should."""
        behind: set[tuple[str, int, object]] = set()
        while True:
            pause = self._reconcile_seconds if self._api.is_well else min(AGAIN_SECONDS, self._reconcile_seconds)
            await self._woken_or(pause * (0.9 + 0.2 * self._rng()))
            still = behind & self._behind()
            await self._try(self._look)
            if still & self._behind():
                log.record("overview.stream_stands_still", workers=len(still))
                follower.poke(reopen=True)
            behind = self._behind()

    def _behind(self) -> set[tuple[str, int, object]]:
        """What the list said and the stream has not, on the connection that is."""
        if self._connection.kind not in ("live", "catching_up"):
            return set()
        return {(name, seq, self._connection.since) for name, seq in self._fold.ahead.items()}

    async def _try(self, look: Callable[[], Awaitable[None]]) -> None:
        try:
            await look()
        except AutopilotError as error:
            if is_final(error) and not isinstance(error, SignInAgain):
                raise
            self._error = error
            self._api.failed(error, self._clock.now())
        else:
            self._error = None
            self._api.answered(self._clock.now())
        self._change()

    async def _look(self) -> None:
        """The first pages of the lists, and what is not settled."""
        fold, asked = self._fold, self._fold.now
        workers = await self._asked(lambda: self._client.list_workers(limit=LIST_WORKERS))
        fold.merge_workers(workers.workers, asked, is_last=workers.next is None)
        asked = fold.now
        with suppress(Forbidden):  # a guest has workers, and no machines
            fold.merge_machines(await self._asked(self._client.machines), asked)
        asked = fold.now
        approvals = await self._asked(lambda: self._client.approvals(state="open", limit=LIST_APPROVALS))
        fold.merge_approvals(approvals.approvals, asked, is_last=approvals.next is None)
        for key in fold.unsettled:
            asked = fold.now
            fold.settle(key, await self._ended(key), asked)
            self._change()

    async def _ended(self, key: str | ReceiptKey) -> Approval | Receipt | None:
        try:
            if isinstance(key, str):
                return await self._asked(lambda: self._client.approval(key))
            target, name, request_id = key
            ask = self._client.receipt if target == "worker" else self._client.machine_receipt
            return await self._asked(lambda: ask(name, request_id))
        except (Forbidden, NotFound):
            return None

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """An answer that is not waited for longer than for a look.

        Raises:
            NetworkError: none came in time.
        """
        try:
            return await within(self._clock, LOOK_SECONDS, ask)
        except TimeoutError:
            raise NetworkError(f"no answer within {LOOK_SECONDS:.0f} s", reason_code="timeout") from None

    # Telling.

    @property
    def _is_true_now(self) -> bool:
        return self._connection.kind == "live" and self._fold.is_known

    # pyrefly: ignore[missing-override-decorator] - Python 3.11 has none, and this room is the standard library only
    def _connected(self, state: ConnectionState) -> None:
        if state.kind == "connecting":
            self._fold.begin()
        super()._connected(state)

    # pyrefly: ignore[missing-override-decorator] - as above
    def _became(self, state: ConnectionState) -> None:
        if self._is_true_now and state.kind != "live":
            self._true_at = state.heard_at or self._true_at
        super()._became(state)
