"""The client of one installation: every call of the public API, typed, retried where that is safe."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import Self

import httpx2

from autopilot.client.answers import DEFAULT_BOUNDS, AnswerBounds
from autopilot.client.approvals import ApprovalCalls
from autopilot.client.artifacts import ArtifactCalls
from autopilot.client.audit import AuditCalls
from autopilot.client.calls import as_message
from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.client.devices import DeviceCalls
from autopilot.client.everything import EverythingFollower
from autopilot.client.follower import FollowPolicy
from autopilot.client.guests import GuestCalls
from autopilot.client.http import Http, Trace
from autopilot.client.machines import MachineCalls
from autopilot.client.pairing import Approver
from autopilot.client.passkeys import PasskeyCalls
from autopilot.client.policies import PolicyCalls
from autopilot.client.prices import PriceCalls
from autopilot.client.push import PushCalls
from autopilot.client.server import ServerCalls
from autopilot.client.spend import SpendCalls
from autopilot.client.step_up import StepUpCalls
from autopilot.client.teams import TeamCalls
from autopilot.client.tokens import FixedToken, TokenSource
from autopilot.contract import Me


class RuntimeCodexClient(
    MachineCalls,
    ArtifactCalls,
    ApprovalCalls,
    PolicyCalls,
    PriceCalls,
    SpendCalls,
    AuditCalls,
    DeviceCalls,
    TeamCalls,
    PasskeyCalls,
    GuestCalls,
    ServerCalls,
    PushCalls,
    StepUpCalls,
):
    """Calls as coroutines, streams as followers, errors as `autopilot.contract.errors`.

    An async context manager; without one, call `aclose`. Safe to share among the tasks of one event loop.
    """

    def __init__(
        self,
        base_url: str,
        tokens: TokenSource | str,
        *,
        surface: str = "sdk",
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: Callable[[], float] = random.random,
        trace: Trace | None = None,
        bounds: AnswerBounds = DEFAULT_BOUNDS,
    ) -> None:
        """`tokens`: a Session, or one token as text. `trace` is asked for `traceparent` headers at every call.

        `bounds`: how large an answer may be, and how long it may take.
        """
        source = FixedToken(tokens) if isinstance(tokens, str) else tokens
        super().__init__(
            Http(
                base_url,
                tokens=source,
                surface=surface,
                transport=transport,
                clock=clock,
                rng=rng,
                trace=trace,
                bounds=bounds,
            )
        )

    @property
    def base_url(self) -> str:
        """Without a slash at the end."""
        return self._http.base_url

    @property
    def clock(self) -> Clock:
        """The clock that everything of this client goes by."""
        return self._http.clock

    @property
    def server_ahead_seconds(self) -> float | None:
        """By how much the server's clock is ahead of this device's, to a second or so; None: not known."""
        return self._http.server_ahead_seconds

    def server_now(self) -> datetime:
        """The server's time, to a second or so, for the age of what it says; this device's where it never said."""
        return self._http.server_now()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    def follow_everything(
        self, workers: Iterable[str] = (), *, cursor: str | None = None, policy: FollowPolicy | None = None
    ) -> EverythingFollower:
        """All one's workers, machines, approvals and receipts as they are and change, and these `workers`' events.

        `cursor` is a follower's `resume_at`; None: events from now on. What a phone keeps open.
        """
        return EverythingFollower(self._http, workers, cursor=cursor, policy=policy)

    def approver(self) -> Approver:
        """The side of a pairing that lets a device or machine in; one for each pairing."""
        return Approver(self._http)

    def approver_from(self, text: str) -> Approver:
        """The same again, from what `Approver.saved` said.

        Raises:
            ValueError: it did not say this.
        """
        return Approver.restored(self._http, text)

    async def me(self) -> Me:
        """Whom the token speaks for."""
        reply = await self._http.call("me", "GET", "/api/me")
        return as_message(Me, reply.body, reply.request_id)
