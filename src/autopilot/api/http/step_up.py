"""The call that steps a session up: first without a proof, which sends a code or asks for a passkey, then with it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api import codes, notices, passkey_uses
from autopilot.api.alarm import Alarm
from autopilot.api.audit import Actor, Caller
from autopilot.api.database import answering
from autopilot.api.grants import Grant, Grants
from autopilot.api.http.answers import json_answer
from autopilot.api.http.reception import Reception
from autopilot.api.limits import Limit
from autopilot.api.mail import CodeMail, Postman
from autopilot.api.passkey_uses import PasskeyUses, Used
from autopilot.api.passkeys import open_site
from autopilot.api.step_up import STEP_UP_SECONDS, StepUp
from autopilot.contract import AssertionCredential, PasskeyCeremony, SteppedUp, encode
from autopilot.contract import StepUp as StepUpBody
from autopilot.contract.errors import Forbidden, Unprocessable

METHODS = (None, "email_code", "passkey")
"""What a client may name; a code is sent where it names none."""


@dataclass(frozen=True, slots=True)
class StepUpRoutes:
    """The one path."""

    step_up: StepUp
    uses: PasskeyUses
    grants: Grants
    postman: Postman
    reception: Reception
    rate: Limit
    alarm: Alarm

    def routes(self) -> list[Route]:
        """The paths."""
        return [Route("/api/auth/step-up", self.step, methods=["POST"])]

    async def step(self, request: Request) -> Response:
        """200 in both steps; `stepped_up` says which it was."""
        grant, body = await self.reception.write(request, StepUpBody, "administer", "admin")
        caller = self.reception.caller(request, grant.claims.surface)
        self.alarm.admit(self.rate, caller)
        if grant.claims.machine_id is not None:
            raise Forbidden("a machine proves to be nobody", reason_code="scope", scope="administer")
        if body.method not in METHODS:
            raise Unprocessable("no such method here", reason_code="invalid_value", field="method")
        if body.method == "passkey":
            return await self._by_passkey(request, grant, body, caller)
        return await self._by_code(grant, body.code, caller)

    async def _by_code(self, grant: Grant, code: str | None, caller: Caller) -> Response:
        actor = Actor.of(grant.claims)
        if code is None:
            life_seconds = self.step_up.codes.life_seconds
            with answering(), self.postman.place() as post:
                sent, email = await self.step_up.begin(actor, grant.email, caller)
                post(CodeMail(email, sent, round(life_seconds / 60)))
            return await self._answer(actor, life_seconds)
        with answering():
            proved = await self.step_up.finish(actor, grant.email, code, caller)
        if not proved:
            raise codes.refusal()
        return await self._proved(grant)

    async def _by_passkey(self, request: Request, grant: Grant, body: StepUpBody, caller: Caller) -> Response:
        actor = Actor.of(grant.claims)
        if body.credential is None:
            with answering():
                asked = await self.uses.begin_step_up(actor)
            return await self._answer(actor, asked.expires_in, asked)
        with answering():
            proved = await self._taken(request, grant, body.ceremony or "", body.credential, caller)
        if not proved:
            raise passkey_uses.refusal()
        return await self._proved(grant)

    async def _taken(
        self, request: Request, grant: Grant, ceremony: str, credential: AssertionCredential, caller: Caller
    ) -> bool:
        actor, origins = Actor.of(grant.claims), open_site(self.uses.site).origins(request.scope)
        question = await self.uses.end("step_up", actor, ceremony, credential, origins)
        async with self.uses.ceremonies.pool.acquire() as connection, connection.transaction():
            if question is None:
                await self.uses.refuse(connection, caller, actor)
                return False
            used = await self.uses.take(connection, credential, question, caller, actor)
            if isinstance(used, Used):
                await self.uses.step_up(connection, actor, used, caller)
        if not isinstance(used, Used) and used.copied is not None:
            notices.tell_copied(self.postman, used.copied, caller)
        return isinstance(used, Used)

    async def _proved(self, grant: Grant) -> Response:
        self.grants.forget(grant.session_id)
        return await self._answer(Actor.of(grant.claims), STEP_UP_SECONDS, stepped_up=True)

    async def _answer(
        self, actor: Actor, seconds: float, asked: PasskeyCeremony | None = None, *, stepped_up: bool = False
    ) -> Response:
        with answering():
            methods = ("email_code", "passkey") if await self.uses.has_any(actor) else ("email_code",)
        said = SteppedUp(
            ok=True,
            stepped_up=stepped_up,
            expires_in=int(seconds),
            methods=methods,
            ceremony=asked.ceremony if asked else None,
            options=asked.options if asked else None,
        )
        return json_answer(encode(said))
