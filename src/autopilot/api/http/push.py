"""The calls about Web Push. Source: docs/protocol.md, "Notifications"."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api.audit import Actor, Caller
from autopilot.api.database import answering
from autopilot.api.grants import Grant
from autopilot.api.http.answers import json_answer
from autopilot.api.http.reception import ID, Nothing, Reception, id_of
from autopilot.api.limits import Limit
from autopilot.api.push import LOOKING_SECONDS, Push
from autopilot.api.push_actions import PushActions
from autopilot.api.push_trial import Trials
from autopilot.api.refusals import Refusals
from autopilot.contract import (
    ActOnPush,
    ChangePushSettings,
    LookAt,
    LookNoted,
    PushSubscriptionRemoved,
    SubscribePush,
    TryPush,
    encode,
)
from autopilot.contract.errors import Unprocessable
from autopilot.ops.clock import Clock

MOST_SHOWN = 32
ACTION_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class PushRoutes:
    """What a user's devices are told, and where."""

    push: Push
    actions: PushActions
    trials: Trials
    reception: Reception
    refusals: Refusals
    rate: Limit
    """Of subscribing and trying, by user."""
    clock: Clock

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/api/push", self.show, methods=["GET"]),
            Route("/api/push/subscriptions", self.subscribe, methods=["POST"]),
            Route("/api/push/subscriptions/{subscription_id}/remove", self.remove, methods=["POST"]),
            Route("/api/push/settings", self.change, methods=["POST"]),
            Route("/api/push/test", self.test, methods=["POST"]),
            Route("/api/push/looking", self.look_at, methods=["POST"]),
            Route("/api/push/actions", self.act, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Key, subscriptions, settings."""
        grant = await self.reception.read(request, "observe")
        with answering():
            return _one(await self.push.of(Actor.of(grant.claims)))

    async def subscribe(self, request: Request) -> Response:
        """Tell this device."""
        grant, body = await self.reception.write(request, SubscribePush, "administer")
        self.rate.admit(grant.principal, reason_code="push_rate")
        with answering():
            return _one(await self.push.subscribe(Actor.of(grant.claims), body, self._caller(request, grant)))

    async def remove(self, request: Request) -> Response:
        """Tell one no more."""
        grant, _ = await self.reception.write(request, Nothing, "administer")
        subscription_id = id_of(request, "subscription_id")
        with answering():
            await self.push.remove(Actor.of(grant.claims), subscription_id, self._caller(request, grant))
        return json_answer(encode(PushSubscriptionRemoved(ok=True)))

    async def change(self, request: Request) -> Response:
        """Tell otherwise."""
        grant, body = await self.reception.write(request, ChangePushSettings, "administer")
        with answering():
            return _one(await self.push.change(Actor.of(grant.claims), body))

    async def test(self, request: Request) -> Response:
        """See whether it works."""
        grant, body = await self.reception.write(request, TryPush, "administer")
        if body.subscription_id is not None and ID.fullmatch(body.subscription_id) is None:
            raise Unprocessable("it is no id", reason_code="invalid_value", field="subscription_id")
        self.rate.admit(grant.principal, reason_code="push_rate")
        with answering():
            return _one(await self.trials.send(Actor.of(grant.claims), body.subscription_id))

    async def look_at(self, request: Request) -> Response:
        """Keep quiet about what is seen."""
        grant, body = await self.reception.write(request, LookAt, "administer")
        worker_ids = list(dict.fromkeys(body.worker_ids))
        if len(worker_ids) > MOST_SHOWN or not all(ID.fullmatch(one) for one in worker_ids):
            raise Unprocessable(f"at most {MOST_SHOWN} ids of workers", reason_code="invalid_value", field="worker_ids")
        with answering():
            await self.push.look_at(Actor.of(grant.claims), worker_ids, self.clock.now())
        return json_answer(encode(LookNoted(ok=True, expires_in=LOOKING_SECONDS if worker_ids else 0)))

    async def act(self, request: Request) -> Response:
        """Answer a question."""
        grant, body = await self.reception.write(request, ActOnPush, "administer")
        caller = self._caller(request, grant)
        state = request.scope["state"]
        headers = {"x-request-id": state["x_request_id"], "traceparent": state["traceparent"]}
        claims = grant.claims_from(caller.address)
        with answering():
            async with asyncio.timeout(ACTION_SECONDS):
                answer = await self.actions.redeem(body.token, claims, caller, headers, self.clock.now())
        assert isinstance(answer.body, bytes)
        self.refusals.answered(request.scope, answer.status, answer.body)
        passed = {name: value for name, value in answer.headers.items() if name.lower() == "retry-after"}
        return Response(answer.body, answer.status, passed, media_type="application/json")

    def _caller(self, request: Request, grant: Grant) -> Caller:
        return self.reception.caller(request, grant.claims.surface)


def _one(message: Any) -> Response:
    return json_answer({"data": encode(message)})
