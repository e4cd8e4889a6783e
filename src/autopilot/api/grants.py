"""From a Bearer token to the claims it stands for, roles in teams included.

Relies on the schema `api`; a lookup is remembered for at most a second, so that ending a session or a membership is
noticed within one.
Never reads a body or a header other than `authorization`; never decides what the claims allow.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import asyncpg

from autopilot.api import opaque
from autopilot.api.database import answering
from autopilot.contract.errors import Unauthorized
from autopilot.contract.port import Claims
from autopilot.db.queries import load

SQL = load("autopilot.api", "sessions")

REMEMBERED = 20_000
"""Grants, and unknown tokens, kept at once."""
STRANGER_SECONDS = 60.0
"""A token that speaks for nobody never will: a client that goes on trying costs one query a minute."""
ANSWER_SECONDS = 8.0
"""A token is found within a millisecond; a database that takes so long is not there."""
TOKEN_CHARACTERS = 512
"""Longer than any token of ours: not worth a look."""
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Grant:
    """A token that speaks for someone, as it was found."""

    token_digest: bytes
    session_id: str
    claims: Claims
    email: str | None
    is_owner: bool
    public_key: bytes | None
    """Of the key that signs the device's writes; None: it has none, and signs nothing."""
    good_until: float
    """By the monotonic clock: this finding is not relied on any longer."""
    _heard: dict[str, Claims] = field(default_factory=dict, compare=False, repr=False)
    """By address; few, since a finding is good for a second."""

    def claims_from(self, address: str) -> Claims:
        """The claims, with where the call comes from."""
        claims = self._heard.get(address)
        if claims is None:
            claims = self._heard[address] = replace(self.claims, address=address)
        return claims

    @property
    def principal(self) -> int | str:
        """Whom it speaks for: a user, or a guest."""
        found = self.claims.guest_scope if self.claims.user_id is None else self.claims.user_id
        assert found is not None
        return found

    @property
    def user_id(self) -> int:
        """The user that it speaks for; a guest's is no user."""
        assert self.claims.user_id is not None
        return self.claims.user_id


class Grants:
    """Looks tokens up."""

    def __init__(self, pool: asyncpg.Pool, monotonic: Callable[[], float], *, remember_seconds: float) -> None:
        self._pool = pool
        self._monotonic = monotonic
        self._remember_seconds = remember_seconds
        self._known: OrderedDict[bytes, Grant] = OrderedDict()
        self._strangers: OrderedDict[bytes, float] = OrderedDict()
        self._due: set[str] = set()
        self._forgotten = 0
        """How often something was: what was asked before is not remembered after."""

    async def find(self, token: str) -> Grant | None:
        """The grant of a token, or None where it is unknown, expired or of an ended session.

        Raises:
            Unavailable: the database can't be asked.
        """
        digest = opaque.token_digest(token)
        known = self._known.get(digest)
        if known is not None and known.good_until > self._monotonic():
            return known
        self._known.pop(digest, None)
        if self._strangers.get(digest, 0.0) > self._monotonic():
            return None
        asked_at, forgotten = self._monotonic(), self._forgotten
        with answering(outcome="not_recorded"):
            async with asyncio.timeout(ANSWER_SECONDS):
                row = await self._pool.fetchrow(SQL.find_grant, digest)
        if row is None:
            _remember(self._strangers, digest, asked_at + STRANGER_SECONDS)
            return None
        grant = self._grant(digest, row, asked_at)
        if row["is_due"]:
            self._due.add(grant.session_id)
        if forgotten == self._forgotten:
            _remember(self._known, digest, grant)
        return grant

    def is_due(self, grant: Grant) -> bool:
        """Whether nobody has noted for a minute that this device is heard; tells one caller."""
        if grant.session_id not in self._due:
            return False
        self._due.discard(grant.session_id)
        return True

    async def heard(self, grant: Grant, address: str) -> None:
        """Note that a device was heard, and from where.

        Raises:
            Unavailable: the database can't be asked.
        """
        with answering(outcome="not_recorded"):
            await self._pool.execute(SQL.touch_device, grant.claims.device_id, address)

    def forget(self, session_id: str) -> None:
        """What is remembered of a session holds no longer."""
        self._forgotten += 1
        for digest in [digest for digest, grant in self._known.items() if grant.session_id == session_id]:
            del self._known[digest]

    def forget_user(self, user_id: int) -> None:
        """What is remembered of a user's roles holds no longer."""
        self._forgotten += 1
        for digest in [digest for digest, grant in self._known.items() if grant.claims.user_id == user_id]:
            del self._known[digest]

    async def live(self, token_digests: list[bytes]) -> dict[bytes, Mapping[str, str]]:
        """Those of these tokens that still speak for someone, each with the roles that its user has in teams.

        Raises:
            Unavailable: the database can't be asked.
        """
        with answering(outcome="not_recorded"):
            rows = await self._pool.fetch(SQL.live_tokens, token_digests)
        return {row["token_digest"]: _by_team(row["roles"]) for row in rows}

    async def live_sessions(self, session_ids: list[str]) -> frozenset[str]:
        """Those of these sessions that have not ended.

        Raises:
            Unavailable: the database can't be asked.
        """
        with answering():
            rows = await self._pool.fetch(SQL.live_sessions, session_ids)
        return frozenset(row["session_id"] for row in rows)

    def _grant(self, digest: bytes, row: Any, asked_at: float) -> Grant:
        step_up_seconds: float = row["step_up_seconds_left"] or 0.0
        claims = Claims(
            user_id=row["user_id"],
            guest_scope=row["guest_id"],
            shown=None if row["guest_id"] is None else tuple(row["worker_ids"]),
            shown_by=row["invited_by"],
            device_id=row["device_id"],
            session_id=row["session_id"],
            machine_id=row["machine_id"],
            scopes=frozenset(row["scopes"]),
            roles=_by_team(row["roles"]),
            memberships=_by_team(row["memberships"]),
            surface=row["surface"],
            step_up=step_up_seconds > 0.0,
        )
        left_seconds = [self._remember_seconds, row["seconds_left"], *([step_up_seconds] if claims.step_up else [])]
        if claims.guest_scope is not None:
            left_seconds.append(row["guest_seconds_left"])
        return Grant(
            token_digest=digest,
            session_id=row["session_id"],
            claims=claims,
            email=row["email"],
            is_owner=bool(row["is_owner"]),
            public_key=row["public_key"],
            good_until=asked_at + min(left_seconds),
        )


def _by_team(found: str | None) -> Any:
    return json.loads(found) if found else {}


def _remember(kept: OrderedDict[bytes, Kept], digest: bytes, what: Kept) -> None:
    kept[digest] = what
    kept.move_to_end(digest)
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)


def bearer(headers: list[tuple[bytes, bytes]]) -> str:
    """The token of a request's one `authorization` header.

    Raises:
        Unauthorized: none, several, or not `Bearer <token>`.
    """
    values = [value for name, value in headers if name == b"authorization"]
    if len(values) != 1:
        raise Unauthorized("a Bearer token is needed", reason_code="no_token")
    scheme, _, token = values[0].strip().partition(b" ")
    token = token.strip()
    if scheme.lower() != b"bearer" or not token or len(token) > TOKEN_CHARACTERS:
        raise Unauthorized("a Bearer token is needed", reason_code="no_token")
    return token.decode("latin-1")


def unknown_token() -> Unauthorized:
    """The one answer to a token that speaks for nobody."""
    return Unauthorized("this token is unknown, expired or revoked", reason_code="token_refused")
