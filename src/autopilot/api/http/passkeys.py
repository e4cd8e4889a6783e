"""The calls about passkeys. Source: docs/protocol.md, "Passkeys".

Registering and removing take a step-up, as all that decides who may come in. Relies on `PasskeyUses` for the one answer
to whatever proves nothing, and on `Edge` around it for rendering what is raised here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api import audit, notices, step_up
from autopilot.api.alarm import Alarm
from autopilot.api.audit import NOBODY, Actor, Caller
from autopilot.api.database import answering
from autopilot.api.grants import Grant
from autopilot.api.http.answers import json_answer
from autopilot.api.http.auth import SURFACE_HEADER, SURFACES, device_key
from autopilot.api.http.reception import Nothing, Reception, decoded, id_of, named, require_step_up
from autopilot.api.limits import Limit
from autopilot.api.mail import Postman
from autopilot.api.passkey_uses import PasskeyUses, Used, refusal
from autopilot.api.passkeys import Passkeys, open_site
from autopilot.api.sessions import DeviceNote, Sessions, Tokens
from autopilot.api.tokens import signed_in
from autopilot.contract import Passkey, PasskeyRemoved, RegisterPasskey, RenamePasskey, SignInByPasskey, encode
from autopilot.contract.errors import Unprocessable


@dataclass(frozen=True, slots=True)
class PasskeyRoutes:
    """What a user does about passkeys, and with one."""

    passkeys: Passkeys
    uses: PasskeyUses
    sessions: Sessions
    postman: Postman
    reception: Reception
    rate: Limit
    alarm: Alarm

    def routes(self) -> list[Route]:
        """The paths."""
        base = "/api/auth/passkeys"
        return [
            Route(base, self.show, methods=["GET"]),
            Route(f"{base}/register/options", self.begin, methods=["POST"]),
            Route(f"{base}/register", self.register, methods=["POST"]),
            Route(f"{base}/sign-in/options", self.begin_sign_in, methods=["POST"]),
            Route(f"{base}/sign-in", self.sign_in, methods=["POST"]),
            Route(f"{base}/{{passkey_id}}/rename", self.rename, methods=["POST"]),
            Route(f"{base}/{{passkey_id}}/remove", self.remove, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """All of one's own."""
        grant = await self.reception.read(request, "observe")
        with answering():
            found = await self.passkeys.of(Actor.of(grant.claims))
        return json_answer({"data": [encode(passkey) for passkey in found]})

    async def begin(self, request: Request) -> Response:
        """What an authenticator needs to make one."""
        grant, _ = await self.reception.write(request, Nothing, "administer")
        require_step_up(grant)
        with answering():
            asked = await self.passkeys.begin(Actor.of(grant.claims), grant.email)
        return json_answer({"data": encode(asked)})

    async def register(self, request: Request) -> Response:
        """Keep what it made."""
        grant, raw = await self.reception.write_raw(request, "administer")
        require_step_up(grant)
        body = decoded(RegisterPasskey, raw)
        said, caller = replace(body, name=named(body.name, "name")), self._caller(request, grant)
        origins = open_site(self.passkeys.site).origins(request.scope)
        with answering():
            made = await self.passkeys.finish(Actor.of(grant.claims), said, caller, origins)
        notices.tell_registered(self.postman, grant.email, made.name, caller)
        return _one(made)

    async def rename(self, request: Request) -> Response:
        """Call one of them something."""
        grant, body = await self.reception.write(request, RenamePasskey, "administer")
        passkey_id, name = id_of(request, "passkey_id"), named(body.name, "name")
        if not name:
            raise Unprocessable("a name is needed", reason_code="invalid_value", field="name")
        with answering():
            renamed = await self.passkeys.rename(Actor.of(grant.claims), passkey_id, name, self._caller(request, grant))
        return _one(renamed)

    async def remove(self, request: Request) -> Response:
        """Have one prove nothing any more, also the last."""
        grant, _ = await self.reception.write(request, Nothing, "administer")
        require_step_up(grant)
        passkey_id, caller = id_of(request, "passkey_id"), self._caller(request, grant)
        with answering():
            name = await self.passkeys.remove(Actor.of(grant.claims), passkey_id, caller)
        notices.tell_removed(self.postman, grant.email, name, caller)
        return json_answer(encode(PasskeyRemoved(ok=True)))

    async def begin_sign_in(self, request: Request) -> Response:
        """What an authenticator needs to say who is there."""
        caller = self._counted(request)
        await self.reception.open_body(request, Nothing)
        with answering():
            asked = await self.uses.begin_sign_in(caller)
        return json_answer({"data": encode(asked)})

    async def sign_in(self, request: Request) -> Response:
        """Turn what it says into a session."""
        caller = self._counted(request)
        raw = await self.reception.raw_body(request)
        body = decoded(SignInByPasskey, raw)
        device = DeviceNote(
            surface=caller.surface,
            name=named(body.device_name, "device_name"),
            platform=named(body.device_platform, "device_platform") or None,
            address=caller.address,
            public_key=device_key(request, body.public_key, raw),
        )
        origins = open_site(self.uses.site).origins(request.scope)
        with answering():
            question = await self.uses.end("sign_in", NOBODY, body.ceremony, body.credential, origins)
            async with self.sessions.pool.acquire() as connection, connection.transaction():
                if question is None:  # it never was, or is over: worth no line that stays for ever
                    self.alarm.refused(caller, None)
                    used, tokens = None, None
                else:
                    used = await self.uses.take(connection, body.credential, question, caller)
                    tokens = await self._open(connection, used, caller, device) if isinstance(used, Used) else None
        if tokens is None:
            if used is not None and not isinstance(used, Used) and used.copied is not None:
                notices.tell_copied(self.postman, used.copied, caller)
            raise refusal()
        return json_answer(encode(signed_in(tokens)))

    async def _open(self, connection: Any, used: Used, caller: Caller, device: DeviceNote) -> Tokens:
        tokens = await self.sessions.open(connection, used.account, device)
        await step_up.mark(connection, tokens.session_id, "passkey")
        subject, detail = f"passkey:{used.passkey_id}", {"method": "passkey"}
        await audit.record(connection, "signed_in", caller, actor=tokens.actor, subject=subject, detail=detail)
        return tokens

    def _caller(self, request: Request, grant: Grant) -> Caller:
        return self.reception.caller(request, grant.claims.surface)

    def _counted(self, request: Request) -> Caller:
        hint = request.headers.get(SURFACE_HEADER, "")
        caller = self.reception.caller(request, hint if hint in SURFACES else "sdk")
        self.alarm.admit(self.rate, caller)
        return caller


def _one(passkey: Passkey) -> Response:
    return json_answer({"data": encode(passkey)})
