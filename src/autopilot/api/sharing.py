"""What the API knows of shared machines: which membership a call is about, and whose has ended.

The runtime keeps which machine is in which team; memberships are here. So a call that puts a machine into a team goes
on with its membership, looked up at that moment, and every membership that ends, or becomes a viewer's, is told
(`untold_departure`, which the database itself fills): at once where it can be, again every two seconds where not, at
least once. A runtime that is away, or an API that dies in between, makes it later, never forgotten. Source:
docs/runtime-contract.md, "Teams" and "Lost roles".
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote

import asyncpg

from autopilot.api import untold
from autopilot.api.audit import Actor, Caller
from autopilot.api.database import answering
from autopilot.api.untold import Outcome, Setbacks
from autopilot.contract.port import Claims, RuntimePort, RuntimeRequest
from autopilot.db.queries import load
from autopilot.ops.clock import Clock

SQL = load("autopilot.api", "sharing")


@dataclass(frozen=True, slots=True)
class Memberships:
    """Looks up the membership that a call is about."""

    pool: asyncpg.Pool

    async def claimed(self, claims: Claims, body: bytes) -> Claims:
        """The claims with the membership in the team that `body` names, and the role it has now.

        A body that names none is the runtime's to refuse.

        Raises:
            Unavailable: the database can't be asked.
        """
        team_id = _team_in(body)
        if team_id is None:
            return claims
        with answering(outcome="not_recorded"):
            row = await self.pool.fetchrow(SQL.membership, team_id, claims.user_id)
        roles = {team: role for team, role in claims.roles.items() if team != team_id}
        if row is None:
            return replace(claims, roles=roles)
        return replace(claims, roles={**roles, team_id: row["role"]}, membership_no=row["membership_no"])


@dataclass(frozen=True, slots=True)
class Departures:
    """Keep `run` running."""

    pool: asyncpg.Pool
    port: RuntimePort
    clock: Clock
    setbacks: Setbacks

    async def run(self) -> None:
        """Tell what is untold, every two seconds, until cancelled; also what another process left."""
        await untold.keep_telling(self.tell, self.clock)

    async def tell_now(self) -> None:
        """The same, for who has just ended a membership and waits: what fails is left to `run`."""
        await untold.tell_now(self.tell, "departures")

    async def tell(self) -> None:
        """Tell the runtime what it does not know yet; what it can't be told now stays."""
        rows = await self.pool.fetch(SQL.untold, untold.AT_ONCE, self.setbacks.left_out())
        await self.setbacks.tell_each([(row["membership_no"], partial(self._tell, row)) for row in rows])

    async def _tell(self, row: Any) -> Outcome:
        outcome = await self._ask(row)
        if outcome == "taken":
            await self.pool.execute(SQL.told, row["membership_no"])
        return outcome

    async def _ask(self, row: Any) -> Outcome:
        claims = Claims(
            user_id=row["by_user_id"] or row["user_id"],
            device_id=row["device_id"],
            session_id=row["session_id"],
            surface=row["surface"] or "runtime",
            membership_no=row["membership_no"],
            address=row["address"],
        )
        change = "narrowed" if row["stays"] else "departed"
        request = RuntimeRequest(
            claims=claims,
            method="POST",
            path=f"/teams/{quote(row['team_id'], safe='')}/members/{row['user_id']}/{change}",
            headers={"x-request-id": row["x_request_id"] or uuid.uuid4().hex},
            body=json.dumps({"membership_no": row["membership_no"]}).encode(),
        )
        return await untold.ask(self.port, request, change, team_id=row["team_id"])


async def sign(connection: Any, membership_nos: Sequence[int], actor: Actor, caller: Caller) -> None:
    """Say who ended these memberships, or made them a viewer's, within the transaction that did."""
    by = (actor.user_id, actor.device_id, actor.session_id, caller.surface, caller.address, caller.x_request_id)
    await connection.execute(SQL.sign, membership_nos, *by)


def _team_in(body: bytes) -> str | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    team_id = said.get("team_id") if isinstance(said, dict) else None
    return team_id if isinstance(team_id, str) and "\0" not in team_id and team_id.isascii() else None
