"""What every route about accounts begins with: who asks, from where, with which scope, and what the body says.

Relies on `Door` for tokens and limits. A route that needs a token calls `read` or `write` and nothing else, so that
what holds for all writes is checked for each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request

from autopilot.api.address import Addresses
from autopilot.api.audit import Caller
from autopilot.api.grants import Grant
from autopilot.api.http.body import BodyLimits, json_object, read_body
from autopilot.api.http.door import Door
from autopilot.api.signatures import Signatures
from autopilot.contract import DecodeError, decode
from autopilot.contract.errors import Forbidden, Unprocessable

Shape = TypeVar("Shape")

NAME_CHARACTERS = 100
ID = re.compile(r"[A-Za-z0-9._:~-]{1,160}")


@dataclass(frozen=True, slots=True)
class Nothing:
    """The shape of a body that says nothing."""


@dataclass(frozen=True, slots=True)
class Reception:
    """Lets calls about accounts in."""

    door: Door
    addresses: Addresses
    signatures: Signatures
    body_limits: BodyLimits

    async def read(self, request: Request, *scopes: str) -> Grant:
        """The grant of a call that changes nothing; `scopes`: it needs one of them (none: any token will do).

        Raises:
            Unauthorized, RateLimited, Unavailable: as `Door.enter`.
            Forbidden: too small a scope.
        """
        grant = await self.door.enter(request.scope)
        _require(grant, scopes)
        return grant

    async def write(self, request: Request, shape: type[Shape], *scopes: str) -> tuple[Grant, Shape]:
        """The grant and the decoded body of a call that changes something.

        Raises:
            Unprocessable: not of the shape.
            PayloadTooLarge, RequestTimeout, InvalidRequest: as `read_body`.
            Others: as `read`.
        """
        grant, raw = await self.write_raw(request, *scopes)
        return grant, decoded(shape, raw)

    async def write_raw(self, request: Request, *scopes: str) -> tuple[Grant, bytes]:
        """The same with the body as it came.

        Raises:
            Unauthorized: also where the device has a key, and the call is not rightly signed.
            Others: as `write`.
        """
        grant = await self.door.enter(request.scope)
        _require(grant, scopes)
        raw = await self.raw_body(request)
        if grant.public_key is not None:
            await self.signatures.check(request.scope, grant, raw)
        return grant, raw

    async def open_body(self, request: Request, shape: type[Shape]) -> Shape:
        """The decoded body of a call that needs no token.

        Raises:
            Unprocessable, PayloadTooLarge, RequestTimeout, InvalidRequest: as `write`.
        """
        return decoded(shape, await self.raw_body(request))

    def caller(self, request: Request, surface: str) -> Caller:
        """Where the call comes from, for the audit."""
        address = self.addresses.of(request.scope.get("client"), request.scope["headers"])
        return Caller(address=address, surface=surface, x_request_id=request.scope["state"].get("x_request_id"))

    async def raw_body(self, request: Request) -> bytes:
        """The body of a call, within the limits."""
        return await read_body(dict(request.scope["headers"]), request.receive, self.body_limits)


def decoded(shape: type[Shape], raw: bytes) -> Shape:
    """A body as its message.

    Raises:
        InvalidRequest: no JSON object.
        Unprocessable: not of the shape.
    """
    value = json_object(raw)
    if shape is Nothing:
        return shape()
    try:
        return decode(shape, value)
    except DecodeError as error:
        raise Unprocessable(error.problem, reason_code="invalid_value", field=error.path) from None


def named(written: str | None, field: str) -> str:
    """A name that people see, as it is stored; nothing is `""`.

    Raises:
        Unprocessable: over 100 characters, or what is not for the eye.
    """
    name = (written or "").strip()
    if len(name) > NAME_CHARACTERS or not name.isprintable():
        raise Unprocessable(
            f"at most {NAME_CHARACTERS} characters, on one line", reason_code="invalid_value", field=field
        )
    return name


def id_of(request: Request, name: str) -> str:
    """An id in the path.

    Raises:
        Unprocessable: not in the charset, or too long.
    """
    written: str = request.path_params[name]
    if ID.fullmatch(written) is None:
        raise Unprocessable(f"{name} is no id", reason_code="invalid_value", field=name)
    return written


def require_step_up(grant: Grant) -> None:
    """The session's user has proved within the last minutes who they are.

    Raises:
        Forbidden: `step_up_required`.
    """
    if not grant.claims.step_up:
        raise Forbidden(
            "prove first who you are",
            reason_code="step_up_required",
            how="POST /api/auth/step-up",
            methods=["email_code", "passkey"],
        )


def _require(grant: Grant, scopes: tuple[str, ...]) -> None:
    if scopes and grant.claims.guest_scope is not None:
        raise Forbidden("a guest has no account", reason_code="scope", scope=scopes[0])
    held = grant.claims.scopes
    if "administer" in held:
        held = held | {"observe"}
    if scopes and not held.intersection(scopes):
        needed = " or ".join(scopes)
        raise Forbidden(f"the token lacks the scope {needed}", reason_code="scope", scope=scopes[0])
