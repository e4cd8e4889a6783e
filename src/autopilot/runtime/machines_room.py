"""Machines, leases, feeds, requests, approvals: one room of the runtime, with its routes and what runs in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import asyncpg

from autopilot.ops.clock import Clock
from autopilot.runtime.append_identity import Digests
from autopilot.runtime.approvals import Approvals
from autopilot.runtime.approvals_decisions import Decisions
from autopilot.runtime.approvals_routes import ApprovalRoutes
from autopilot.runtime.delivery import DeliveryKeys
from autopilot.runtime.expiry import Sweeper
from autopilot.runtime.feed import Feeds
from autopilot.runtime.hearing import Hearing
from autopilot.runtime.ledger import Ledger, LedgerTx
from autopilot.runtime.lost_roles import LostRoles
from autopilot.runtime.machines import Machines
from autopilot.runtime.machines_routes import MachineRoutes
from autopilot.runtime.policies import PolicyRoutes
from autopilot.runtime.policy_trials import PolicyTrials
from autopilot.runtime.prices import PriceRoutes
from autopilot.runtime.requests import Requests
from autopilot.runtime.requests_bodies import Bodies
from autopilot.runtime.requests_routes import RequestRoutes
from autopilot.runtime.requests_wakes import Identity, Waiters, wakes_of
from autopilot.runtime.revocation import Revocations
from autopilot.runtime.router import Route
from autopilot.runtime.settings import RuntimeSettings
from autopilot.runtime.sharing import Sharing
from autopilot.runtime.spend_routes import SpendRoutes
from autopilot.runtime.tail_wakeups import Wakeups

RECEIPTS = "receipt"
"""The topic under which other processes hear that a receipt has changed."""


class MachinesRoom:
    """Everything about machines. Made once a runtime; tells after each commit what it woke."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        ledger: Ledger,
        wakeups: Wakeups,
        *,
        settings: RuntimeSettings,
        hearing: Hearing,
        clock: Clock,
    ) -> None:
        keys = DeliveryKeys(ring=lambda: settings.keys.delivery)
        bodies = Bodies(settings)
        self._wakeups = wakeups
        self.waiters = Waiters()
        self.feeds = Feeds(pool, ledger, keys=keys, wakeups=wakeups, settings=settings, clock=clock)
        self.machines = Machines(pool, hearing)
        self.requests = Requests(ledger, pool, keys, self.waiters, digests=Digests.of(settings))
        ledger.interrupt = self.requests.interrupt
        self.revocations = Revocations(ledger, pool, clock)
        self.lost_roles = LostRoles(ledger, pool)
        self.sweeper = Sweeper(ledger, pool, clock, self.revocations, self.lost_roles)
        self._policy_routes = PolicyRoutes(pool, bodies)
        self._price_routes = PriceRoutes(pool, bodies)
        self._policy_trials = PolicyTrials(pool, bodies)
        self._spend_routes = SpendRoutes(pool)
        self._sharing = Sharing(ledger, self.lost_roles, self.machines, bodies)
        self._machine_routes = MachineRoutes(self.machines, self.feeds, ledger, bodies)
        self._request_routes = RequestRoutes(self.requests, ledger, pool, bodies)
        decisions = Decisions(keys, Digests.of(settings))
        ledger.decide = decisions.by_rule
        approvals = Approvals(ledger, pool, decisions)
        self._approval_routes = ApprovalRoutes(approvals, pool, bodies, hearing, settings.page_bytes)
        ledger.on_commit.append(self._tell)
        wakeups.subscribe(RECEIPTS, self._hear)

    @property
    def background(self) -> list[Callable[[], Awaitable[None]]]:
        """What runs for as long as the runtime is open."""
        return [self.feeds.hub.run, self.sweeper.run]

    def routes(self) -> Iterator[Route]:
        """All routes of the room."""
        yield from self._machine_routes.routes()
        yield from self._sharing.routes()
        yield from self._request_routes.routes()
        yield from self._approval_routes.routes()
        yield from self._policy_routes.routes()
        yield from self._price_routes.routes()
        yield from self._policy_trials.routes()
        yield from self._spend_routes.routes()
        yield from self.revocations.routes()

    def stop(self) -> None:
        """End every feed, and let those who wait for a receipt answer with what they have."""
        self.feeds.hub.stop()
        self.waiters.stop()

    def _tell(self, tx: LedgerTx) -> None:
        wakes = wakes_of(tx)
        self.feeds.tell(wakes.feeds)
        self.waiters.wake(wakes.receipts)
        for identity in wakes.receipts:
            self._wakeups.announce(RECEIPTS, " ".join(identity), 0)

    def _hear(self, key: str, _seq: int) -> None:
        """Another process, or our own, says that a receipt has changed."""
        kind, target_id, request_id = key.split(" ")
        identity: Identity = (kind, target_id, request_id)
        self.waiters.wake({identity})
