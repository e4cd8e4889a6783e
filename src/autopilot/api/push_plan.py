"""From what happened to what is to be said to whom: each transition is read once, and leaves notifications.

Owns `api.push_reader` and writes `api.push_message`, in one transaction: a process that dies between two pages forgets
and repeats nothing, and of several only one reads at a time. An event leaves at most one notification for a device,
however often it is read. Nothing is said of what is older than a quarter of an hour, or was before a device subscribed.
Whether the user may see it, and what there is to say, is asked when it is sent (`push_delivery.py`).
"""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from autopilot.api.push import DEFAULTS, is_quiet, settings_of
from autopilot.api.push_counts import PushCounts
from autopilot.api.untold import OK
from autopilot.contract import PushSettings
from autopilot.contract.errors import Unavailable
from autopilot.contract.port import Claims, RuntimePort, RuntimeRequest
from autopilot.db.queries import load
from autopilot.ops.clock import Clock
from autopilot.ops.log import get_logger

SQL = load("autopilot.api", "push_messages")

AGE = timedelta(minutes=15)
"""What happened longer ago is told to nobody."""
ANSWERED = timedelta(seconds=15)
"""Who asks for something hears its end in the answer itself, where it comes so soon."""
SENDING = timedelta(seconds=15)
"""A message that is being sent now has arrived, or not, by then."""
STOP = "worker/stop"
KINDS = {"turn_done": "turn", "turn_failed": "failure"}
WANTED = {"approval": "approvals", "failure": "failures", "turn": "turns", "request": "requests"}
"""Kind -> the setting that switches it off."""
THE_API = Claims(guest_scope="push", surface="runtime")
"""In whose name transitions are read; no client can have these claims, nor reach the path."""
SECONDS = 1.0
AT_ONCE = 200

log = get_logger("autopilot.api.push")
Transition = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Device:
    """Somebody's device that may be told."""

    subscription_id: str
    user_id: int
    since: datetime
    settings: PushSettings


@dataclass(frozen=True, slots=True)
class Planner:
    """Keep `run` running."""

    pool: asyncpg.Pool
    port: RuntimePort
    clock: Clock
    counts: PushCounts
    seconds: float = SECONDS

    async def run(self) -> None:
        """Read what is new, every second, until cancelled."""
        while True:
            while await self.turn():
                pass
            await self.clock.sleep(self.seconds)

    async def turn(self) -> bool:
        """Read a page; whether there may be more.

        Raises:
            Unavailable: the runtime can't be reached.
        """
        if not await self.pool.fetchval(SQL.is_wanted):
            return False
        await self.pool.execute(SQL.make_reader)
        dropped = Counter[str]()
        async with self.pool.acquire() as connection, connection.transaction():
            place = await connection.fetchval(SQL.lock_reader)
            if place is None:
                return False
            found, latest = await self._read(place)
            if found:
                await self._plan(connection, found, dropped)
            reached = found[-1]["transition_no"] if found else min(place, latest)
            if reached != place:
                await connection.execute(SQL.read_to, reached)
        for why, count in dropped.items():
            self.counts.dropped(why, count)
        return reached < latest

    async def _read(self, after: int) -> tuple[Sequence[Transition], int]:
        request = RuntimeRequest(
            claims=THE_API,
            method="POST",
            path="/transitions",
            headers={"x-request-id": uuid.uuid4().hex},
            body=json.dumps({"after": after}).encode(),
        )
        response = await self.port.call(request)
        if response.status != OK:
            raise Unavailable("the runtime does not say what is new", reason_code="runtime", outcome="not_recorded")
        assert isinstance(response.body, bytes)
        data = json.loads(response.body)["data"]
        return data["transitions"], data["latest_no"]

    async def _plan(self, connection: Any, found: Sequence[Transition], dropped: Counter[str]) -> None:
        now = self.clock.now()
        teams = await _members(connection, {one["team_id"] for one in found} - {None})
        users = {user_id for members in teams.values() for user_id in members}
        users |= {user_id for one in found for user_id in (one["owner_user_id"], _asker(one)) if user_id is not None}
        devices = await _devices(connection, users)
        for one in found:
            if one["kind"] == "approval_closed":
                dropped += await self._withdraw(connection, one, now)
                continue
            kind = _kind(one, now)
            if kind is None:
                continue
            for device in _told(one, kind, devices, teams, now):
                dropped["replaced"] += await self._add(connection, one, kind, device.subscription_id, now)

    async def _withdraw(self, connection: Any, closed: Transition, now: datetime) -> Counter[str]:
        """Take back what was said of a question; a device that answered knows. Says how many are not sent, by why."""
        answering, dropped = (closed["actor"] or {}).get("device_id"), Counter[str]()
        for row in await connection.fetch(SQL.told_of, closed["approval_id"]):
            await connection.execute(SQL.close, row["message_no"], now)
            claimed = row["claimed_until"] if row["ended_at"] is None else None
            dropped["closed"] += row["ended_at"] is None and claimed is None
            may_have_arrived = row["ended_at"] is not None or claimed is not None  # who sent it may have died since
            if may_have_arrived and row["device_id"] != answering:
                due_at = now + SENDING if claimed is not None and claimed > now else now
                added = self._add(connection, closed, "approval_closed", row["subscription_id"], due_at)
                dropped["replaced"] += await added
        return dropped

    async def _add(self, connection: Any, one: Transition, kind: str, subscription_id: str, due_at: datetime) -> int:
        """How many that waited under its tag are not sent any more."""
        tag = f"approval:{one['approval_id']}" if one["approval_id"] else f"worker:{one['worker_id']}"
        request_id = one["request"]["request_id"] if one["request"] else None
        about = (one["worker_id"], one["seq"], one["approval_id"], request_id)
        occurred_at = datetime.fromisoformat(one["occurred_at"])
        added = await connection.fetchval(SQL.add, subscription_id, kind, tag, *about, occurred_at, due_at)
        if added is None:
            return 0
        replaced: int = await connection.fetchval(SQL.replace, subscription_id, tag, added, self.clock.now())
        return replaced


def _kind(one: Transition, now: datetime) -> str | None:
    """What kind of notification it leaves; None: nobody waits for it."""
    if now - datetime.fromisoformat(one["occurred_at"]) > AGE:
        return None
    if one["kind"] == "approval_asked":
        return "approval"
    if one["kind"] != "request_ended":
        return KINDS.get(one["kind"])
    request = one["request"]
    if request is None or request["ended_at"] is None or request["state"] == "cancelled":
        return None
    took = datetime.fromisoformat(request["ended_at"]) - datetime.fromisoformat(request["asked_at"])
    return "request" if request["method"] == STOP or took >= ANSWERED else None


def _told(
    one: Transition,
    kind: str,
    devices: Mapping[int, Sequence[Device]],
    teams: Mapping[str, set[int]],
    now: datetime,
) -> Iterable[Device]:
    """The devices of those whom it concerns and who want to hear it now."""
    owner, members = one["owner_user_id"], teams.get(one["team_id"] or "", set())
    concerned = {_asker(one)} if kind == "request" else {owner, *members}
    at = datetime.fromisoformat(one["occurred_at"])
    for user_id in sorted(user_id for user_id in concerned if user_id is not None):
        for device in devices.get(user_id, ()):
            settings = device.settings
            is_ones_own = user_id == owner or kind == "request"
            is_heard = not is_quiet(settings, now) or (kind == "approval" and settings.quiet_approvals)
            is_wanted = getattr(settings, WANTED[kind]) and (is_ones_own or settings.team_machines)
            if is_wanted and is_heard and at >= device.since:
                yield device


def _asker(one: Transition) -> int | None:
    return (one["request"] or {}).get("actor", {}).get("user_id")


async def _members(connection: Any, team_ids: Iterable[str]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for row in await connection.fetch(SQL.members, sorted(team_ids)):
        found[row["team_id"]].add(row["user_id"])
    return found


async def _devices(connection: Any, user_ids: Iterable[int]) -> dict[int, list[Device]]:
    found: dict[int, list[Device]] = defaultdict(list)
    for row in await connection.fetch(SQL.devices, sorted(user_ids)):
        settings = wanted_of(row["settings"])
        found[row["user_id"]].append(Device(row["subscription_id"], row["user_id"], row["created_at"], settings))
    return found


def wanted_of(text: str | None) -> PushSettings:
    """What a user wants to hear, as a query of `push_messages.sql` has it."""
    return DEFAULTS if text is None else settings_of(json.loads(text))
