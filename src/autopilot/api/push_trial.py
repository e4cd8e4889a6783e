"""A test notification: sent at once, past queue and settings, to show what the push services answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncpg

from autopilot.api.audit import Actor
from autopilot.api.push import SQL, no_such_subscription
from autopilot.api.push_outcomes import note
from autopilot.api.push_sender import Message, Sender, Target
from autopilot.api.push_words import encoded
from autopilot.api.teams import user_id
from autopilot.contract import PushNotification, PushResult, PushTried
from autopilot.contract.instants import instant
from autopilot.ops.clock import Clock

TTL_SECONDS = 60
TAG = "test"


@dataclass(frozen=True, slots=True)
class Trials:
    """Tries the subscriptions of the actor's user."""

    pool: asyncpg.Pool
    sender: Sender
    clock: Clock

    async def send(self, actor: Actor, subscription_id: str | None) -> PushTried:
        """To one of them, or to all; what became of each.

        Raises:
            NotFound: none of this id.
        """
        rows = await self.pool.fetch(SQL.of_user, user_id(actor), subscription_id)
        if subscription_id is not None and not rows:
            raise no_such_subscription()
        notification = PushNotification(
            kind="test",
            title="Autopilot",
            body="Notifications arrive on this device.",
            path="/",
            tag=TAG,
            occurred_at=instant(self.clock.now()),
            silent=False,
        )
        message = Message(encoded(notification), TAG, TTL_SECONDS, "high")
        targets = [target_of(row) for row in rows]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.sender.send(target, message)) for target in targets]
        results = [task.result() for task in tasks]
        for target, result in zip(targets, results, strict=True):
            await note(self.pool, target.subscription_id, result, self.clock.now())
        return PushTried(
            results=tuple(
                PushResult(
                    subscription_id=row["subscription_id"],
                    device_name=row["name"],
                    sent=result.failure is None,
                    failure=result.failure,
                    status=result.status,
                )
                for row, result in zip(rows, results, strict=True)
            )
        )


def target_of(row: asyncpg.Record) -> Target:
    """Where a subscription's messages go."""
    return Target(row["subscription_id"], row["endpoint"], row["p256dh"], row["auth"], row["key_id"])
