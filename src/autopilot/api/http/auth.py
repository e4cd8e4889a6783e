"""Sign-in, refresh, sign-out, and who am I. Source: docs/protocol.md, "Sign-in".

Every sign-in call counts against its network address. `/api/auth/email` answers the same whatever the address, and
before any mail is sent. Relies on `Edge` around it for rendering what is raised here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api import accounts, audit, notices, opaque, recovery, step_up
from autopilot.api.accounts import SignUp
from autopilot.api.address import plain_email
from autopilot.api.alarm import Alarm
from autopilot.api.audit import Actor, Caller
from autopilot.api.codes import Codes, refusal
from autopilot.api.database import answering
from autopilot.api.devices import Devices
from autopilot.api.grants import Grants
from autopilot.api.http.answers import json_answer
from autopilot.api.http.reception import Nothing, Reception, decoded, named
from autopilot.api.limits import Limit
from autopilot.api.mail import CodeMail, Postman
from autopilot.api.recovery_watch import RecoveryWatch
from autopilot.api.sessions import DeviceNote, RefreshReused, Sessions, Tokens
from autopilot.api.signatures import key_of, verified
from autopilot.api.step_up import StepUp
from autopilot.api.tokens import signed_in
from autopilot.api.watch import StreamWatch
from autopilot.contract import (
    EmailSignIn,
    EmailSignInSent,
    Me,
    RefreshBody,
    SignedOut,
    User,
    VerifyCode,
    encode,
)
from autopilot.contract.errors import Unauthorized, Unprocessable

SURFACES = frozenset({"ios", "web", "cli", "sdk"})
"""What a client may say of itself when it signs in; afterwards its session says it."""
SURFACE_HEADER = "x-autopilot-surface"


@dataclass(frozen=True, slots=True)
class AuthRoutes:
    """The sign-in calls."""

    sign_up: SignUp
    codes: Codes
    sessions: Sessions
    grants: Grants
    watch: StreamWatch
    postman: Postman
    devices: Devices
    step_up: StepUp
    reception: Reception
    rate: Limit
    alarm: Alarm
    recoveries: RecoveryWatch

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
        body = await self.reception.open_body(request, EmailSignIn)
        email = _checked_email(body.email)
        with answering(), self.postman.place() as post:
            code = await self.codes.issue(email, caller)
            wanted = await self.sign_up.admits(self.codes.pool, email)
            if wanted:
                post(CodeMail(email, code, round(self.codes.life_seconds / 60)))
        return json_answer(encode(EmailSignInSent(ok=True, expires_in=int(self.codes.life_seconds))))

    async def verify(self, request: Request) -> Response:
        """Turn a code into a session."""
        caller = self._counted(request)
        raw = await self.reception.raw_body(request)
        body = decoded(VerifyCode, raw)
        key = device_key(request, body.public_key, raw)
        device = DeviceNote(
            surface=caller.surface,
            name=named(body.device_name, "device_name"),
            platform=named(body.device_platform, "device_platform") or None,
            address=caller.address,
            public_key=key,
        )
        with answering():
            async with self.sessions.pool.acquire() as connection, connection.transaction():
                proved = await self.codes.take(connection, body.code, email=body.email, caller=caller)
                admitted = proved is not None and await self.sign_up.admits(connection, proved)
                tokens = await self._open(connection, proved, caller, device) if proved and admitted else None
        if tokens is None:
            raise refusal()
        notices.tell_recovery(self.postman, tokens, device)
        self.recoveries.signed_in(tokens)
        return json_answer(encode(signed_in(tokens)))

    async def refresh(self, request: Request) -> Response:
        """Rotate a refresh token."""
        caller = self._caller(request)
        self.rate.admit(caller.address, reason_code="sign_in_rate")  # nobody guesses those: it is no alarm's matter
        body = await self.reception.open_body(request, RefreshBody)
        try:
            with answering():
                tokens = await self.sessions.refresh(body.refresh_token, caller)
        except RefreshReused:
            raise
        except Unauthorized:
            request.scope["state"]["refused_token"] = opaque.token_digest(body.refresh_token)
            raise
        return json_answer(encode(signed_in(tokens)))

    async def sign_out(self, request: Request) -> Response:
        """End the session of the token, and its streams."""
        grant, _ = await self.reception.write(request, Nothing)
        with answering():
            await self.sessions.end(Actor.of(grant.claims), self.reception.caller(request, grant.claims.surface))
        self.grants.forget(grant.session_id)
        self.watch.end_session(grant.session_id)
        return json_answer(encode(SignedOut(ok=True)))

    async def me(self, request: Request) -> Response:
        """Who the token speaks for."""
        grant = await self.reception.read(request)
        with answering():
            device = await self.devices.current(Actor.of(grant.claims))
            until = await self.step_up.until(Actor.of(grant.claims))
        guest_scope = grant.claims.guest_scope
        user = User(id=grant.user_id, email=grant.email or "") if guest_scope is None else None
        scopes = tuple(sorted(grant.claims.scopes))
        machine_id = grant.claims.machine_id
        found = Me(
            user=user,
            guest_scope=guest_scope,
            scopes=scopes,
            device=device,
            machine_id=machine_id,
            stepped_up_until=until,
        )
        return json_answer(encode(found))

    async def _open(self, connection: Any, email: str, caller: Caller, device: DeviceNote) -> Tokens:
        account = await accounts.find_or_create(connection, email, owner_email=self.sign_up.owner_email)
        tokens = await recovery.begin(connection, await self.sessions.open(connection, account, device), caller)
        if tokens.held_until is None:
            await step_up.mark(connection, tokens.session_id, "email_code")
        await audit.record(connection, "signed_in", caller, actor=tokens.actor, detail={"method": "email_code"})
        return tokens

    def _counted(self, request: Request) -> Caller:
        caller = self._caller(request)
        self.alarm.admit(self.rate, caller)
        return caller

    def _caller(self, request: Request) -> Caller:
        hint = request.headers.get(SURFACE_HEADER, "")
        return self.reception.caller(request, hint if hint in SURFACES else "sdk")


def device_key(request: Request, written: str | None, raw: bytes) -> bytes | None:
    """The key of a device that signs in, which must have signed the call; None: it has none.

    Raises:
        Unprocessable: no Ed25519 key.
        Unauthorized: not signed by it.
    """
    if written is None:
        return None
    key = key_of(written)
    if key is None:
        raise Unprocessable("an Ed25519 key is 64 hex digits", reason_code="invalid_value", field="public_key")
    verified(request.scope, key, raw)  # good once and for this code alone: no nonce has to be kept
    return key


def _checked_email(written: str) -> str:
    try:
        return plain_email(written)
    except ValueError:
        raise Unprocessable("this is no mail address", reason_code="invalid_value", field="email") from None
