"""Web Push put together: subscriptions, answers, tests, and what runs to send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from autopilot.api.http.push import PushRoutes
from autopilot.api.http.reception import Reception
from autopilot.api.limits import Limit
from autopilot.api.push import Push
from autopilot.api.push_actions import PushActions
from autopilot.api.push_compose import Composer
from autopilot.api.push_counts import PushCounts
from autopilot.api.push_delivery import Deliverer
from autopilot.api.push_keys import PushKey, passing_key
from autopilot.api.push_place import Places, on_loopback
from autopilot.api.push_plan import Planner
from autopilot.api.push_sender import Sender
from autopilot.api.push_trial import Trials
from autopilot.api.refusals import Refusals
from autopilot.api.settings import ApiSettings, Limits
from autopilot.contract.port import RuntimePort
from autopilot.ops.clock import Clock
from autopilot.ops.metrics import Metrics


@dataclass(frozen=True, slots=True)
class PushRoom:
    """The parts."""

    push: Push
    actions: PushActions
    sender: Sender
    trials: Trials
    planner: Planner
    deliverer: Deliverer
    clock: Clock

    def routes(self, reception: Reception, refusals: Refusals, limits: Limits) -> PushRoutes:
        """The calls."""
        per_minute = limits.push_tries_per_minute
        rate = Limit(per_minute / 60.0, per_minute, self.clock.monotonic)
        return PushRoutes(self.push, self.actions, self.trials, reception, refusals, rate, self.clock)

    async def sweep(self) -> None:
        """Forget what ended."""
        now = self.clock.now()
        await self.push.sweep(now)
        await self.actions.sweep(now)
        await self.deliverer.sweep(now)


def push_room(
    settings: ApiSettings,
    pool: asyncpg.Pool,
    port: RuntimePort,
    *,
    key: Callable[[], PushKey] | None,
    limits: Limits,
    clock: Clock,
    metrics: Metrics,
) -> PushRoom:
    """All of it; `key`: what signs, asked at each."""
    key = key or _passing()
    places = Places(on_loopback(settings.public_url))
    sender = Sender(key, places, _contact(settings), clock)
    actions = PushActions(pool, port)
    seconds, counts = limits.push_seconds, PushCounts(metrics)
    return PushRoom(
        push=Push(pool, key, places, limits.push_subscriptions),
        actions=actions,
        sender=sender,
        trials=Trials(pool, sender, clock),
        planner=Planner(pool, port, clock, counts, seconds),
        deliverer=Deliverer(pool, sender, Composer(port), actions, clock, counts, seconds),
        clock=clock,
    )


def _passing() -> Callable[[], PushKey]:
    key = passing_key()
    return lambda: key


def _contact(settings: ApiSettings) -> str:
    """Whom a push service may tell of trouble: the installation's page, or its sender of mails."""
    url = settings.public_url
    return url if url is not None and url.startswith("https://") else f"mailto:{settings.smtp_from}"
