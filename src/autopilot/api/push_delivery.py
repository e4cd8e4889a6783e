"""Sends what is due: asks the runtime in the user's own name what there is to say, says it, and notes what came of it.

Owns the end of each row of `api.push_message`. Several processes send beside one another: each claims what it sends for
a minute, so that one that dies is taken over from; then a message may arrive twice, under one tag and topic, which is
one notification. What the runtime does not let the user read, what is over by now, what is on a screen, and what has
grown too old is not sent. Bounded: so many at once, in all and to each push service (`push_road.py`), each within
seconds, and none is tried for longer than its age.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import asyncpg

from autopilot.api.push_actions import PushActions
from autopilot.api.push_compose import Composer, Nothing
from autopilot.api.push_counts import PushCounts
from autopilot.api.push_outcomes import note
from autopilot.api.push_plan import AGE, SQL, wanted_of
from autopilot.api.push_road import Road
from autopilot.api.push_sender import AGAIN, Message, Result, Sender, Target
from autopilot.api.push_words import encoded
from autopilot.contract.errors import Unavailable
from autopilot.contract.port import Claims
from autopilot.db.away import AWAY
from autopilot.ops.clock import Clock
from autopilot.ops.log import get_logger

SECONDS = 1.0
SENT = "sent"
CLAIM = timedelta(seconds=60)
FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 300.0
CLOSED_AGE = timedelta(hours=1)
"""A question that is over is taken back for as long as transitions are kept."""
TTL_SECONDS = {"approval": 86_400, "approval_closed": 86_400}
SHORT_TTL_SECONDS = 3600
KEPT = timedelta(days=7)
"""How long it is remembered what was said of which event."""

log = get_logger("autopilot.api.push")


class NotYet(Exception):
    """It is to be sent later."""

    def __init__(self, until: datetime) -> None:
        super().__init__("not yet")
        self.until = until


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Keep `run` running."""

    pool: asyncpg.Pool
    sender: Sender
    composer: Composer
    actions: PushActions
    clock: Clock
    counts: PushCounts
    seconds: float = SECONDS
    road: Road = field(default_factory=Road)

    async def run(self) -> None:
        """Send what is due, every second and as soon as there is room, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    await self._set_out(group)
                    await self._look_back()
                except AWAY:
                    log.warning("push.database_away")  # what is on its way goes on
                await self._pause()

    async def turn(self) -> int:
        """Send what is due now and has room, and wait for it; how many were claimed."""
        async with asyncio.TaskGroup() as group:
            begun = await self._set_out(group)
        await self._look_back()
        return begun

    def _back(self, row: Any, _task: asyncio.Task[None]) -> None:
        self.road.leave(row["service"], row["user_id"])

    async def _look_back(self) -> None:
        """Say how long the oldest has waited."""
        oldest = await self.pool.fetchval(SQL.oldest_unsent)
        self.counts.oldest_unsent(0.0 if oldest is None else max((self.clock.now() - oldest).total_seconds(), 0.0))

    async def _pause(self) -> None:
        """Until it is time to look again, or there is room where there was none."""
        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(self.clock.sleep(self.seconds)), group.create_task(self.road.freed())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    async def _set_out(self, group: asyncio.TaskGroup) -> int:
        begun = 0
        while (room := self.road.room) > 0:
            now = self.clock.now()
            full = self.road.full_services, self.road.full_users
            rows = await self.pool.fetch(SQL.claim, now, now + CLAIM, room, *full)
            if not rows:
                break
            for row in rows:
                self.road.enter(row["service"], row["user_id"])
                group.create_task(self._deliver(row, now)).add_done_callback(partial(self._back, row))
            begun += len(rows)
        return begun

    async def sweep(self, now: datetime) -> None:
        """Forget what is long over."""
        await self.pool.execute(SQL.sweep, now - KEPT)

    async def _deliver(self, row: Any, now: datetime) -> None:
        """One message; what goes wrong with it is its own, and nobody else's on the road."""
        try:
            await self._try(row, now)
        except AWAY:
            log.warning("push.database_away", message_no=row["message_no"])  # the claim runs out, and it comes again

    async def _try(self, row: Any, now: datetime) -> None:
        try:
            target = await self._target(row, now)
            message = await self._message(row, target, now)
            result = await self.sender.send(_place(target), message)
            await self._finish(row, result, now)
        except Nothing as nothing:
            await self._end(row, nothing.why)
        except NotYet as later:
            await self._postpone(row, later.until)
        except (Unavailable, TimeoutError):
            await self._postpone(row, now + _wait(row["tries"]))
        except AWAY:
            raise
        except Exception:
            log.exception("push.broken", message_no=row["message_no"])
            await self._end(row, "broken")

    async def _target(self, row: Any, now: datetime) -> Any:
        """Where it goes.

        Raises:
            Nothing: it has grown too old, the device is signed in no more, or its person has just seen it.
            NotYet: its person looks at the question.
        """
        age = CLOSED_AGE if row["kind"] == "approval_closed" else AGE
        if now - row["occurred_at"] > age:
            raise Nothing("too_old")
        target = await self.pool.fetchrow(SQL.target, row["subscription_id"], row["worker_id"], now)
        if target is None:
            raise Nothing("signed_out")
        looking_until = target["looking_until"]
        if looking_until is not None and row["kind"] == "approval":
            raise NotYet(looking_until)  # who goes away without an answer is told of it then
        if looking_until is not None and row["kind"] != "approval_closed":
            raise Nothing("seen")
        return target

    async def _message(self, row: Any, target: Any, now: datetime) -> Message:
        """What to say.

        Raises:
            Nothing: there is nothing to say any more, or not to this user.
            Unavailable: the runtime can't be asked now.
        """
        wanted = wanted_of(target["settings"])
        composed = await self.composer.compose(row, claims_of(target), content=wanted.content)
        notification = composed.notification
        if composed.approval is not None:
            options, until = await self.actions.issue(
                target["subscription_id"], composed.approval, composed.role, now, content=wanted.content
            )
            notification = composed.with_options(options, until)
        ttl_seconds = TTL_SECONDS.get(row["kind"], SHORT_TTL_SECONDS)
        urgency = "high" if row["kind"] == "approval" else "normal"
        return Message(encoded(notification), row["tag"], ttl_seconds, urgency)

    async def _finish(self, row: Any, result: Result, now: datetime) -> None:
        if result.failure is None:
            self.counts.sent(row["kind"])
        else:
            self.counts.failed(result.failure)
        await note(self.pool, row["subscription_id"], result, self.clock.now())
        if result.failure in AGAIN:
            asked = timedelta(seconds=result.retry_after_seconds or 0.0)
            raise NotYet(now + max(asked, _wait(row["tries"])))
        await self._end(row, result.failure or SENT)

    async def _end(self, row: Any, outcome: str) -> None:
        ended = await self.pool.fetchval(SQL.end, row["message_no"], self.clock.now(), outcome)
        if ended is not None and outcome != SENT:
            self.counts.dropped(outcome)
        log.info("push.ended", kind=row["kind"], subscription_id=row["subscription_id"], outcome=outcome)

    async def _postpone(self, row: Any, until: datetime) -> None:
        await self.pool.execute(SQL.postpone, row["message_no"], until)


def claims_of(row: Mapping[str, Any]) -> Claims:
    """The very user, reading only: what they may not see is not sent."""
    return Claims(
        user_id=row["user_id"],
        device_id=row["device_id"],
        session_id=row["session_id"],
        scopes=frozenset({"observe"}),
        roles=json.loads(row["roles"]) if row["roles"] else {},
        surface="runtime",
    )


def _place(row: Any) -> Target:
    return Target(row["subscription_id"], row["endpoint"], row["p256dh"], row["auth"], row["key_id"])


def _wait(tries: int) -> timedelta:
    return timedelta(seconds=min(FIRST_WAIT_SECONDS * 2 ** min(tries - 1, 10), LONGEST_WAIT_SECONDS))
