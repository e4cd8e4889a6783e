"""Names beside what was spent: addresses of users and names of teams, where whoever asks may see them.

The runtime counts by ids and knows nothing else. An address is shown to its user and to those who are in a team with
them now; a team's name to its members. Whatever is nobody's to see stays null. Relies on the runtime for every number,
and changes none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

import asyncpg
import msgspec

from autopilot.api.database import answering
from autopilot.contract import SpendBy
from autopilot.contract.port import Claims, RuntimeResponse
from autopilot.db.queries import load

SQL = load("autopilot.api", "teams")

PATH = "/spend"
NAMED = (SpendBy.USER, SpendBy.TEAM)
OK = 200


@dataclass(frozen=True, slots=True)
class SpendNames:
    """Adds names to the runtime's answers."""

    pool: asyncpg.Pool

    async def put_into(self, claims: Claims, query: str, response: RuntimeResponse) -> RuntimeResponse:
        """The report with names in its groups, where `query` asked for it by user or team; else as it came.

        Raises:
            Unavailable: accounts can't be read.
        """
        by = dict(parse_qsl(query)).get("by")
        if by not in NAMED or response.status != OK or not isinstance(response.body, bytes) or claims.user_id is None:
            return response
        said: dict[str, Any] = msgspec.json.decode(response.body)
        groups = said["data"]["groups"]
        with answering():
            if by == SpendBy.USER:
                await self._name(groups, "user_id", "email", SQL.addresses_seen_by, claims.user_id)
            else:
                await self._name(groups, "team_id", "team_name", SQL.names_seen_by, claims.user_id)
        return replace(response, body=msgspec.json.encode(said))

    async def _name(self, groups: list[dict[str, Any]], key: str, name: str, query: str, user_id: int) -> None:
        ids = [group[key] for group in groups if group[key] is not None]
        seen = {row[key]: row[name] for row in await self.pool.fetch(query, user_id, ids)} if ids else {}
        for group in groups:
            group[name] = seen.get(group[key])
