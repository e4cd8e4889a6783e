"""Who is calling: the grant of a request's token, within the limits. Shared by every route that needs a token."""

from __future__ import annotations

from starlette.types import Scope

from autopilot.api import opaque
from autopilot.api.address import Addresses
from autopilot.api.grants import Grant, Grants, bearer, unknown_token
from autopilot.api.limits import Limit
from autopilot.api.strangers import Strangers


class Door:
    """Lets a call in, or raises."""

    def __init__(
        self,
        grants: Grants,
        addresses: Addresses,
        *,
        strangers: Strangers,
        clients: Limit,
        executors: Limit,
        users: Limit,
    ) -> None:
        self._grants = grants
        self._addresses = addresses
        self._strangers = strangers
        self._clients = clients
        self._executors = executors
        self._users = users

    async def enter(self, scope: Scope) -> Grant:
        """The grant of the request's token.

        Raises:
            Unauthorized: no token, or one that speaks for nobody.
            RateLimited: too many calls of this session or of its user, or too many unknown tokens from this address.
            Unavailable: the database can't be asked.
        """
        token = bearer(scope["headers"])
        grant = await self._found(token, scope)
        if grant is None:
            raise unknown_token()
        scope["state"]["grant"] = grant
        if grant.claims.machine_id:
            self._executors.admit(grant.session_id, reason_code="session_rate")
        else:
            self._clients.admit(grant.session_id, reason_code="session_rate")
            self._users.admit(grant.principal, reason_code="user_rate")
        if self._grants.is_due(grant):
            await self._grants.heard(grant, self.address_of(scope))
        return grant

    async def _found(self, token: str, scope: Scope) -> Grant | None:
        digest = opaque.token_digest(token)

        async def find() -> Grant | None:
            grant = await self._grants.find(token)
            if grant is None:
                scope["state"]["refused_token"] = digest
            return grant

        return await self._strangers.found(digest, lambda: self.address_of(scope), find)

    def address_of(self, scope: Scope) -> str:
        """Where the call comes from, as it is counted."""
        return self._addresses.of(scope.get("client"), scope["headers"])
