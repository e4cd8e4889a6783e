"""The calls about guests: invite, list, revoke; and a guest's own: come in, go on. Source: docs/protocol.md, "Guests".

Relies on the runtime, asked in the name of the very user, for whose a worker is: only its owner shows it to a guest.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api.alarm import Alarm
from autopilot.api.audit import Actor, Caller
from autopilot.api.database import answering
from autopilot.api.grants import Grant, Grants
from autopilot.api.guests import DAY_SECONDS, LEAST_SECONDS, MOST_SECONDS, MOST_WORKERS, Guests
from autopilot.api.http.answers import json_answer
from autopilot.api.http.reception import ID, Nothing, Reception, id_of, named, require_step_up
from autopilot.api.limits import Limit
from autopilot.api.watch import StreamWatch
from autopilot.contract import EnterAsGuest, InvitedGuest, InviteGuest, RefreshBody, encode
from autopilot.contract.errors import Forbidden, NotFound, Unauthorized, Unavailable, Unprocessable
from autopilot.contract.port import RuntimePort, RuntimeRequest

OK, FORBIDDEN, MISSING = 200, 403, 404
VERIFIER = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class GuestRoutes:
    """What a user does about guests, and a guest about themselves."""

    guests: Guests
    port: RuntimePort
    grants: Grants
    watch: StreamWatch
    reception: Reception
    rate: Limit
    alarm: Alarm
    public_url: str | None

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/api/guests", self.show, methods=["GET"]),
            Route("/api/guests", self.invite, methods=["POST"]),
            Route("/api/guests/enter", self.enter, methods=["POST"]),
            Route("/api/guests/refresh", self.refresh, methods=["POST"]),
            Route("/api/guests/{guest_id}/revoke", self.revoke, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """All of one's own."""
        grant = await self.reception.read(request, "observe")
        with answering():
            found = await self.guests.of(Actor.of(grant.claims))
        return json_answer({"data": [encode(one) for one in found]})

    async def invite(self, request: Request) -> Response:
        """Make a link."""
        grant, body = await self.reception.write(request, InviteGuest, "administer")
        name, worker_ids, seconds = _checked(body)
        require_step_up(grant)
        for worker_id in worker_ids:
            await self._require_own(request, grant, worker_id)
        with answering():
            caller = self.reception.caller(request, grant.claims.surface)
            made, secret = await self.guests.invite(Actor.of(grant.claims), name, worker_ids, seconds, caller)
        link = None if self.public_url is None else f"{self.public_url.rstrip('/')}/guest#{secret}"
        return json_answer({"data": encode(InvitedGuest(guest=made, secret=secret, link=link))}, status=201)

    async def revoke(self, request: Request) -> Response:
        """Let one read nothing more."""
        grant, _ = await self.reception.write(request, Nothing, "administer")
        guest_id = id_of(request, "guest_id")
        with answering():
            caller = self.reception.caller(request, grant.claims.surface)
            ended = await self.guests.revoke(Actor.of(grant.claims), guest_id, caller)
        for session_id in ended:
            self.grants.forget(session_id)
            self.watch.end_session(session_id)
        return json_answer({"ok": True})

    async def enter(self, request: Request) -> Response:
        """A guest comes in."""
        caller = self._caller(request)
        self.alarm.admit(self.rate, caller)
        body = await self.reception.open_body(request, EnterAsGuest)
        if body.verifier is not None and VERIFIER.fullmatch(body.verifier) is None:
            raise Unprocessable("32 bytes in hex", reason_code="invalid_value", field="verifier")
        with answering():
            session = await self.guests.enter(body.secret, body.verifier, caller)
        if session is None:
            raise Unauthorized("this link lets nobody in: ask for a new one", reason_code="link_refused")
        return json_answer(encode(session))

    async def refresh(self, request: Request) -> Response:
        """A guest goes on."""
        caller = self._caller(request)
        self.rate.admit(caller.address, reason_code="sign_in_rate")
        body = await self.reception.open_body(request, RefreshBody)
        with answering():
            session = await self.guests.refresh(body.refresh_token, caller)
        return json_answer(encode(session))

    async def _require_own(self, request: Request, grant: Grant, worker_id: str) -> None:
        answer = await self.port.call(
            RuntimeRequest(
                claims=grant.claims,
                method="GET",
                path=f"/workers/{quote(worker_id, safe='')}/snapshot",
                headers={"x-request-id": request.scope["state"]["x_request_id"]},
            )
        )
        if answer.status == MISSING:
            raise NotFound("no such worker", reason_code="no_such_worker", worker_id=worker_id)
        if answer.status not in {OK, FORBIDDEN}:
            raise Unavailable("whose it is can't be asked now", reason_code="runtime", outcome="not_recorded")
        assert isinstance(answer.body, bytes)
        owner = json.loads(answer.body)["data"]["owner"]["user_id"] if answer.status == OK else None
        if owner != grant.user_id:
            raise Forbidden("only its owner shows a worker to a guest", reason_code="role", worker_id=worker_id)

    def _caller(self, request: Request) -> Caller:
        return self.reception.caller(request, "sdk")


def _checked(body: InviteGuest) -> tuple[str, list[str], int]:
    name, worker_ids = named(body.name, "name"), list(dict.fromkeys(body.worker_ids))
    if not name:
        raise Unprocessable("a name is needed", reason_code="invalid_value", field="name")
    if not 1 <= len(worker_ids) <= MOST_WORKERS or not all(ID.fullmatch(one) for one in worker_ids):
        raise Unprocessable(f"1 to {MOST_WORKERS} ids of workers", reason_code="invalid_value", field="worker_ids")
    seconds = DAY_SECONDS if body.expires_in is None else body.expires_in
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise Unprocessable(
            f"{LEAST_SECONDS} to {MOST_SECONDS} seconds", reason_code="out_of_range", field="expires_in"
        )
    return name, worker_ids, seconds
