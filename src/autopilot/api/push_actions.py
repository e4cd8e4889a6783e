"""Answers from a notification: tokens that stand for one option of one question, good once, in one session.

Owns `api.push_action`. A token replaces nothing but the proof that it was the person who pressed the button: it is
redeemed with the session's own access token, and the runtime decides as it does for every decision. It is good for ten
minutes, and not longer than its question is open. None is made for what takes a look or a step-up first: a high or
unknown risk, an option that lasts, or one that takes words. Stored as digests.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import asyncpg

from autopilot.api import audit, opaque
from autopilot.api.audit import Actor, Caller
from autopilot.api.push_words import clipped
from autopilot.contract import PushOption
from autopilot.contract.errors import Forbidden, NotFound
from autopilot.contract.port import Claims, RuntimePort, RuntimeRequest, RuntimeResponse
from autopilot.db.queries import load

SQL = load("autopilot.api", "push_actions")

TOKEN_PREFIX = "appa_"  # noqa: S105 - what every token begins with, so that scanners know one; not a secret
LIFE = timedelta(minutes=10)
SAFE_RISKS = frozenset({"low", "medium"})
EFFECTS = ("accept", "decline")
"""Of these one option each is offered, the first; in this order, since platforms show two buttons."""
OK = 200
LABEL_CHARACTERS = 40


def offered(approval: Mapping[str, Any], role: str | None) -> list[tuple[str, str, str]]:
    """(id, label, effect) of the options that a notification may offer to somebody of this role on the worker."""
    if role not in {"owner", "operator"} or not approval["answerable"] or approval["risk"] not in SAFE_RISKS:
        return []
    found: dict[str, tuple[str, str, str]] = {}
    for option in approval["options"]:
        if not option.get("takes_content"):
            found.setdefault(option["effect"], (option["option_id"], option["label"], option["effect"]))
    return [found[effect] for effect in EFFECTS if effect in found]


@dataclass(frozen=True, slots=True)
class PushActions:
    """Makes tokens and takes them."""

    pool: asyncpg.Pool
    port: RuntimePort

    async def issue(
        self,
        subscription_id: str,
        approval: Mapping[str, Any],
        role: str | None,
        now: datetime,
        *,
        content: bool = True,
    ) -> tuple[list[PushOption], datetime]:
        """Tokens for the options that may be offered, those made before for this question ending; and until when.

        None where the notification does not say what is asked (`content`).
        """
        until = now + LIFE
        if approval["expires_at"] is not None:
            until = min(until, datetime.fromisoformat(approval["expires_at"]))
        made = [
            PushOption(
                option_id=option_id,
                label=clipped(label, LABEL_CHARACTERS),
                effect=effect,
                token=TOKEN_PREFIX + secrets.token_urlsafe(32),
            )
            for option_id, label, effect in (offered(approval, role) if content else [])
        ]
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL.forget, subscription_id, approval["approval_id"])
            for option in made:
                digest = opaque.token_digest(option.token)
                place = (subscription_id, approval["approval_id"], option.option_id)
                await connection.execute(SQL.issue, digest, *place, until)
        return made, until

    async def redeem(
        self, token: str, claims: Claims, caller: Caller, headers: Mapping[str, str], now: datetime
    ) -> RuntimeResponse:
        """Decide as the token says, in the name of who brings it; the runtime's own answer.

        A token is used when its decision is recorded; what is refused, or can't be recorded now, leaves it as it is.

        Raises:
            NotFound: it is unknown, used, over, or another session's; all alike.
            Forbidden: `look_first`: the question takes more than a tap.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(SQL.lock, opaque.token_digest(token), claims.session_id, now)
            if row is None:
                raise NotFound(
                    "this answer is not offered any more: look at the question", reason_code="no_such_action"
                )
            path = f"/approvals/{quote(row['approval_id'], safe='')}"
            await self._check(claims, path, row["option_id"], headers)
            response = await self.port.call(
                RuntimeRequest(
                    claims=claims,
                    method="POST",
                    path=f"{path}/decision",
                    headers=headers,
                    body=json.dumps({"option_id": row["option_id"]}).encode(),
                )
            )
            if response.status == OK:
                await connection.execute(SQL.use, opaque.token_digest(token), now)
                subject, detail = f"approval:{row['approval_id']}", {"option_id": row["option_id"]}
                actor = Actor.of(claims)
                await audit.record(connection, "push_answered", caller, actor=actor, subject=subject, detail=detail)
        return response

    async def sweep(self, now: datetime) -> None:
        """Forget tokens that are over."""
        await self.pool.execute(SQL.sweep, now)

    async def _check(self, claims: Claims, path: str, option_id: str, headers: Mapping[str, str]) -> None:
        """What was offered may be offered still."""
        answer = await self.port.call(RuntimeRequest(claims=claims, method="GET", path=path, headers=headers))
        if answer.status != OK:
            return  # the decision is refused alike, and says why
        assert isinstance(answer.body, bytes)
        approval = json.loads(answer.body)["data"]
        if option_id not in {found[0] for found in offered(approval, "owner")}:
            raise Forbidden("look at this question before you answer it", reason_code="look_first")
