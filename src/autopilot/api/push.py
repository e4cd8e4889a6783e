"""Web Push: what of a user's is subscribed, and what they want to hear.

Owns `api.push_subscription`, `api.push_settings` and `api.push_looking`. A subscription is a session's, and ends with
it by a trigger of the database, however that comes. An endpoint is a secret of its device's: it is told to nobody, not
even to its user. Source: docs/decisions/0028-web-push.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import asyncpg
from cryptography.hazmat.primitives.asymmetric import ec

from autopilot.api import audit, opaque
from autopilot.api.audit import Actor, Caller
from autopilot.api.push_keys import PushKey, from_urlsafe
from autopilot.api.push_place import ForbiddenPlace, Places
from autopilot.api.teams import user_id
from autopilot.contract import ChangePushSettings, PushSettings, PushState, PushSubscription, SubscribePush
from autopilot.contract.errors import Conflict, NotFound, Unprocessable
from autopilot.contract.instants import instant
from autopilot.db.queries import load

SQL = load("autopilot.api", "push")

LOOKING_SECONDS = 60
"""What a device shows is believed for so long; a page that is looked at says it twice as often."""
AUTH_BYTES, POINT_BYTES = 16, 65
ENDPOINT_CHARACTERS = 2048
HOUR = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
CHOICES = (
    "approvals",
    "failures",
    "turns",
    "requests",
    "team_machines",
    "content",
    "quiet_hours",
    "quiet_from",
    "quiet_to",
    "time_zone",
    "quiet_approvals",
)
DEFAULTS = PushSettings(
    approvals=True,
    failures=True,
    turns=True,
    requests=True,
    team_machines=False,
    content=True,
    quiet_hours=False,
    quiet_from="22:00",
    quiet_to="07:00",
    time_zone="UTC",
    quiet_approvals=False,
)


@dataclass(frozen=True, slots=True)
class Push:
    """What the actor's user has subscribed and set."""

    pool: asyncpg.Pool
    key: Callable[[], PushKey]
    places: Places
    most: int
    """Subscriptions of one user."""

    async def of(self, actor: Actor) -> PushState:
        """All of it."""
        key = self.key()
        rows = await self.pool.fetch(SQL.of_user, user_id(actor), None)
        found = await self.pool.fetchrow(SQL.settings, user_id(actor))
        return PushState(
            public_key=key.public,
            subscriptions=tuple(shown(row, key, actor.session_id) for row in rows),
            settings=DEFAULTS if found is None else settings_of(found),
        )

    async def subscribe(self, actor: Actor, said: SubscribePush, caller: Caller) -> PushSubscription:
        """Tell the actor's device from now on; the same again changes nothing.

        Raises:
            Conflict: `stale_key`, `too_many_subscriptions`.
            Unprocessable: no place to send to, or no keys.
        """
        key, p256dh, auth = self.key(), _point(said.keys.p256dh), _auth(said.keys.auth)
        if said.public_key is not None and said.public_key.rstrip("=") != key.public:
            raise Conflict(
                "the server has another key now: subscribe for that one", reason_code="stale_key", public_key=key.public
            )
        await self._check(said.endpoint)
        wanted = (said.endpoint, p256dh, auth, key.key_id)
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL.lock_user, user_id(actor))
            kept = await connection.fetchrow(SQL.of_session, actor.session_id)
            if kept is None or tuple(kept)[1:] != wanted:
                subscription_id = await self._put(connection, actor, wanted)
                subject, service = f"push:{subscription_id}", _service(said.endpoint)
                await audit.record(
                    connection, "push_subscribed", caller, actor=actor, subject=subject, detail={"service": service}
                )
            else:
                subscription_id = kept["subscription_id"]
            rows = await connection.fetch(SQL.of_user, user_id(actor), subscription_id)
        if not rows:
            raise no_such_subscription()
        return shown(rows[0], key, actor.session_id)

    async def remove(self, actor: Actor, subscription_id: str, caller: Caller) -> None:
        """Send nothing there any more.

        Raises:
            NotFound: none of this user's.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(SQL.remove, subscription_id, user_id(actor))
            if row is None:
                raise no_such_subscription()
            subject, service = f"push:{subscription_id}", _service(row["endpoint"])
            await audit.record(
                connection, "push_unsubscribed", caller, actor=actor, subject=subject, detail={"service": service}
            )

    async def change(self, actor: Actor, said: ChangePushSettings) -> PushSettings:
        """Say what the user wants to hear; what is not said stays.

        Raises:
            Unprocessable: no such time zone.
        """
        _check_hours(said)
        async with self.pool.acquire() as connection, connection.transaction():
            row: Any = await connection.fetchrow(SQL.lock_settings, user_id(actor))
            changes = {name: getattr(said, name) for name in CHOICES}
            wanted = [row[name] if change is None else change for name, change in changes.items()]
            await connection.execute(SQL.set_settings, user_id(actor), *wanted)
        return PushSettings(**dict(zip(CHOICES, wanted, strict=True)))

    async def look_at(self, actor: Actor, worker_ids: Sequence[str], now: datetime) -> None:
        """Note what the actor's device shows."""
        if worker_ids:
            until = now + timedelta(seconds=LOOKING_SECONDS)
            await self.pool.execute(SQL.look_at, actor.session_id, user_id(actor), list(worker_ids), until)
        else:
            await self.pool.execute(SQL.look_away, actor.session_id)

    async def sweep(self, now: datetime) -> None:
        """Forget what was shown."""
        await self.pool.execute(SQL.sweep_looking, now)

    async def _check(self, endpoint: str) -> None:
        if len(endpoint) > ENDPOINT_CHARACTERS:
            raise Unprocessable("it is too long", reason_code="invalid_value", field="endpoint")
        try:
            await self.places.address_of(self.places.read(endpoint))
        except ForbiddenPlace as error:
            raise Unprocessable(
                f"nothing is sent there: {error}", reason_code="forbidden_place", field="endpoint"
            ) from None
        except (OSError, TimeoutError):
            return  # the resolver may know more when there is something to send: then it is looked at anew

    async def _put(self, connection: Any, actor: Actor, wanted: tuple[str, bytes, bytes, str]) -> str:
        if await connection.fetchval(SQL.count_of_user, user_id(actor), actor.session_id) >= self.most:
            raise Conflict(f"nobody has more than {self.most} subscriptions", reason_code="too_many_subscriptions")
        await connection.execute(SQL.drop_of_session, actor.session_id)
        made: str | None = await connection.fetchval(
            SQL.subscribe, opaque.identifier("push_"), actor.session_id, user_id(actor), *wanted
        )
        if made is None:  # the session ended in this moment
            raise no_such_subscription()
        return made


def shown(row: Any, key: PushKey, session_id: str | None) -> PushSubscription:
    """A subscription as the contract has it: without its endpoint."""
    return PushSubscription(
        subscription_id=row["subscription_id"],
        device_id=row["device_id"],
        device_name=row["name"],
        current=row["session_id"] == session_id,
        service=_service(row["endpoint"]),
        endpoint_sha256=hashlib.sha256(row["endpoint"].encode()).hexdigest(),
        created_at=instant(row["created_at"]),
        last_sent_at=None if row["last_sent_at"] is None else instant(row["last_sent_at"]),
        last_failure=row["last_failure"],
        stale=row["key_id"] != key.key_id,
    )


def settings_of(row: Any) -> PushSettings:
    """A row of settings as the contract has it."""
    return PushSettings(**{name: row[name] for name in CHOICES})


def is_quiet(settings: PushSettings, now: datetime) -> bool:
    """Whether it is one of the hours in which nothing is to come, by the user's clock."""
    if not settings.quiet_hours or settings.quiet_from == settings.quiet_to:
        return False
    try:
        there = now.astimezone(ZoneInfo(settings.time_zone)).strftime("%H:%M")
    except ZoneInfoNotFoundError:  # a name that was dropped from the database of time zones since
        there = now.strftime("%H:%M")
    if settings.quiet_from < settings.quiet_to:
        return settings.quiet_from <= there < settings.quiet_to
    return there >= settings.quiet_from or there < settings.quiet_to


def no_such_subscription() -> NotFound:
    """The one answer about what is not there, or somebody else's."""
    return NotFound("you have no such subscription", reason_code="no_such_subscription")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _check_hours(said: ChangePushSettings) -> None:
    for name in ("quiet_from", "quiet_to"):
        written: str | None = getattr(said, name)
        if written is not None and not HOUR.fullmatch(written):
            raise Unprocessable("it is no time of a day: 22:00", reason_code="invalid_value", field=name)
    if said.time_zone is not None and said.time_zone not in _zones():
        raise Unprocessable("no time zone of this name", reason_code="invalid_value", field="time_zone")


def _service(endpoint: str) -> str:
    return urlsplit(endpoint).hostname or ""


def _point(text: str) -> bytes:
    try:
        raw = from_urlsafe(text)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        raw = b""
    if len(raw) != POINT_BYTES:
        raise Unprocessable("it is no point of P-256", reason_code="invalid_value", field="keys.p256dh")
    return raw


def _auth(text: str) -> bytes:
    try:
        raw = from_urlsafe(text)
    except ValueError:
        raw = b""
    if len(raw) != AUTH_BYTES:
        raise Unprocessable("it is not 16 bytes", reason_code="invalid_value", field="keys.auth")
    return raw
