"""The call that ends one's own account. Source: docs/protocol.md, "Ending an account"."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api.audit import Actor
from autopilot.api.database import answering
from autopilot.api.deletion import Deletion, Deletions
from autopilot.api.grants import Grants
from autopilot.api.http.answers import json_answer
from autopilot.api.http.reception import Nothing, Reception, require_step_up
from autopilot.api.watch import StreamWatch
from autopilot.contract import AccountDeleted, encode


@dataclass(frozen=True, slots=True)
class AccountRoutes:
    """The one path."""

    deletion: Deletion
    deletions: Deletions
    grants: Grants
    watch: StreamWatch
    reception: Reception

    def routes(self) -> list[Route]:
        """The path; who one is, is asked beside it (`auth`)."""
        return [Route("/api/me", self.delete, methods=["DELETE"])]

    async def delete(self, request: Request) -> Response:
        """End the account of the token's user."""
        grant, _ = await self.reception.write(request, Nothing, "administer")
        require_step_up(grant)
        with answering():
            caller = self.reception.caller(request, grant.claims.surface)
            ended = await self.deletion.delete(Actor.of(grant.claims), caller)
        self.grants.forget_user(grant.user_id)
        for session_id in ended:
            self.watch.end_session(session_id)
        await self.deletions.tell_now()
        return json_answer(encode(AccountDeleted(ok=True, user_id=grant.user_id)))
