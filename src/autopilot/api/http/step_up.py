"""The call that steps a session up: first without a code, which sends one, then with it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api.alarm import Alarm
from autopilot.api.audit import Actor
from autopilot.api.codes import refusal
from autopilot.api.database import answering
from autopilot.api.grants import Grants
from autopilot.api.http.answers import json_answer
from autopilot.api.http.reception import Reception
from autopilot.api.limits import Limit
from autopilot.api.mail import CodeMail, Postman
from autopilot.api.step_up import STEP_UP_SECONDS, StepUp
from autopilot.contract import SteppedUp, encode
from autopilot.contract import StepUp as StepUpBody
from autopilot.contract.errors import Unprocessable

METHODS = ("email_code",)
"""What a client may name; the first is asked for where it names none."""


@dataclass(frozen=True, slots=True)
class StepUpRoutes:
    """The one path."""

    step_up: StepUp
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
        if body.method not in (None, *METHODS):
            raise Unprocessable("no such method here", reason_code="invalid_value", field="method")
        actor = Actor.of(grant.claims)
        if body.code is None:
            life_seconds = self.step_up.codes.life_seconds
            with answering(), self.postman.place() as post:
                code, email = await self.step_up.begin(actor, grant.email, caller)
                post(CodeMail(email, code, round(life_seconds / 60)))
            return _answer(stepped_up=False, seconds=life_seconds)
        with answering():
            proved = await self.step_up.finish(actor, grant.email, body.code, caller)
        if not proved:
            raise refusal()
        self.grants.forget(grant.session_id)
        return _answer(stepped_up=True, seconds=STEP_UP_SECONDS)


def _answer(*, stepped_up: bool, seconds: float) -> Response:
    return json_answer(encode(SteppedUp(ok=True, stepped_up=stepped_up, expires_in=int(seconds), methods=METHODS)))
