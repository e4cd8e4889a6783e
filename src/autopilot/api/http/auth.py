"""Sign-in, refresh, sign-out, and who am I. Source: docs/protocol.md, "Sign-in".

Every sign-in call counts against its network address. `/api/auth/email` answers the same whatever the address, and
before any mail is sent. Relies on `Edge` around it for rendering what is raised here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api import accounts, audit
from autopilot.api.address import Addresses, plain_email
from autopilot.api.audit import Actor, Caller
from autopilot.api.codes import Codes, refusal
from autopilot.api.database import answering
from autopilot.api.grants import Grants
from autopilot.api.http.answers import json_answer
from autopilot.api.http.body import BodyLimits, json_object, read_body
from autopilot.api.http.door import Door
from autopilot.api.limits import Limit
from autopilot.api.mail import CodeMail, Postman
from autopilot.api.sessions import DeviceNote, Sessions, Tokens
from autopilot.api.settings import ApiSettings
from autopilot.api.tokens import signed_in
from autopilot.api.watch import StreamWatch
from autopilot.contract import (
    DecodeError,
    EmailSignIn,
    EmailSignInSent,
    Me,
    RefreshBody,
    SignedOut,
    User,
    VerifyCode,
    decode,
    encode,
)
from autopilot.contract.errors import Unprocessable

SURFACES = frozenset({"ios", "web", "cli", "sdk"})
"""What a client may say of itself when it signs in; afterwards its session says it."""
SURFACE_HEADER = "x-autopilot-surface"

Shape = TypeVar("Shape")


@dataclass(frozen=True, slots=True)
class AuthRoutes:
    """The sign-in calls."""

    settings: ApiSettings
    codes: Codes
    sessions: Sessions
    grants: Grants
    watch: StreamWatch
    postman: Postman
    door: Door
    addresses: Addresses
    rate: Limit
    body_limits: BodyLimits

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/api/auth/email", self.email, methods=["POST"]),
            Route("/api/auth/verify", self.verify, methods=["POST"]),
            Route("/api/auth/refresh", self.refresh, methods=["POST"]),
            Route("/api/auth/signout", self.sign_out, methods=["POST"]),
            Route("/api/me", self.me, methods=["GET"]),
        ]

    async def email(self, request: Request) -> Response:
        """Send a code."""
        caller = self._counted(request)
        body = await self._body(request, EmailSignIn)
        email = _checked_email(body.email)
        with answering():
            code = await self.codes.issue(email, caller)
            wanted = await accounts.may_sign_up(
                self.codes.pool, email, sign_up=self.settings.sign_up, owner_email=self.settings.owner_email
            )
        if wanted:
            self.postman.post(CodeMail(email, code, round(self.codes.life_seconds / 60)))
        return json_answer(encode(EmailSignInSent(ok=True, expires_in=int(self.codes.life_seconds))))

    async def verify(self, request: Request) -> Response:
        """Turn a code into a session."""
        caller = self._counted(request)
        body = await self._body(request, VerifyCode)
        with answering():
            async with self.sessions.pool.acquire() as connection, connection.transaction():
                proved = await self.codes.take(connection, body.code, email=body.email, caller=caller)
                tokens = await self._open(connection, proved, caller) if proved else None
        if tokens is None:
            raise refusal()
        return json_answer(encode(signed_in(tokens)))

    async def refresh(self, request: Request) -> Response:
        """Rotate a refresh token."""
        caller = self._counted(request)
        body = await self._body(request, RefreshBody)
        with answering():
            tokens = await self.sessions.refresh(body.refresh_token, caller)
        return json_answer(encode(signed_in(tokens)))

    async def sign_out(self, request: Request) -> Response:
        """End the session of the token, and its streams."""
        grant = await self.door.enter(request.scope)
        with answering():
            await self.sessions.end(Actor.of(grant.claims), self._caller(request, grant.claims.surface))
        self.grants.forget(grant.session_id)
        self.watch.end_session(grant.session_id)
        return json_answer(encode(SignedOut(ok=True)))

    async def me(self, request: Request) -> Response:
        """Who the token speaks for."""
        grant = await self.door.enter(request.scope)
        with answering():
            device = await self.sessions.device(grant.claims.device_id)
        user = User(id=grant.user_id, email=grant.email or "")
        scopes = tuple(sorted(grant.claims.scopes))
        return json_answer(encode(Me(user=user, scopes=scopes, device=device, machine_id=grant.claims.machine_id)))

    async def _open(self, connection: Any, email: str, caller: Caller) -> Tokens:
        account = await accounts.find_or_create(connection, email, owner_email=self.settings.owner_email)
        tokens = await self.sessions.open(connection, account, DeviceNote(surface=caller.surface))
        await audit.record(connection, "signed_in", caller, actor=tokens.actor)
        return tokens

    def _counted(self, request: Request) -> Caller:
        hint = request.headers.get(SURFACE_HEADER, "")
        caller = self._caller(request, hint if hint in SURFACES else "sdk")
        self.rate.admit(caller.address, reason_code="sign_in_rate")
        return caller

    def _caller(self, request: Request, surface: str) -> Caller:
        address = self.addresses.of(request.scope.get("client"), request.scope["headers"])
        return Caller(address=address, surface=surface, x_request_id=request.scope["state"].get("x_request_id"))

    async def _body(self, request: Request, shape: type[Shape]) -> Shape:
        raw = await read_body(dict(request.scope["headers"]), request.receive, self.body_limits)
        value = json_object(raw)
        try:
            return decode(shape, value)
        except DecodeError as error:
            raise Unprocessable(error.problem, reason_code="invalid_value", field=error.path) from None


def _checked_email(written: str) -> str:
    try:
        return plain_email(written)
    except ValueError:
        raise Unprocessable("this is no mail address", reason_code="invalid_value", field="email") from None
