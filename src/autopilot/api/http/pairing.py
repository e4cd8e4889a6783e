"""The calls about pairing. Source: docs/protocol.md, "Pairing".

What is to be let in has no token yet: it is known by its ticket, in the body of each call. Every call that could guess
counts against its network address. No secret is in a path or query, so that none reaches a log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api.audit import Actor, Caller
from autopilot.api.database import answering
from autopilot.api.grants import Grant, Grants
from autopilot.api.http.answers import json_answer
from autopilot.api.http.auth import SURFACE_HEADER, SURFACES
from autopilot.api.http.reception import Reception, decoded, id_of, named, require_step_up
from autopilot.api.limits import Limit
from autopilot.api.pairing import Joining, Pairings
from autopilot.api.pairing_collect import Collector
from autopilot.api.signatures import verified
from autopilot.api.tokens import signed_in
from autopilot.api.watch import StreamWatch
from autopilot.contract import (
    AnswerPairing,
    AskPairing,
    ClaimPairing,
    CollectPairing,
    DecidePairing,
    FindPairing,
    OfferPairing,
    Pairing,
    PairingDevice,
    PairingKind,
    RequestPairing,
    StartedPairing,
    encode,
)
from autopilot.contract.errors import Unprocessable

CREDENTIAL_CHARACTERS = 128
_HEX = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[A-Za-z0-9._:~-]{1,160}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingRoutes:
    """Both sides of a pairing."""

    pairings: Pairings
    collector: Collector
    grants: Grants
    watch: StreamWatch
    reception: Reception
    tries: Limit
    polls: Limit

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/api/pairing", self.offer, methods=["POST"]),
            Route("/api/pairing/request", self.request, methods=["POST"]),
            Route("/api/pairing/claim", self.claim, methods=["POST"]),
            Route("/api/pairing/find", self.find, methods=["POST"]),
            Route("/api/pairing/state", self.state, methods=["POST"]),
            Route("/api/pairing/collect", self.collect, methods=["POST"]),
            Route("/api/pairing/{pairing_id}", self.show, methods=["GET"]),
            Route("/api/pairing/{pairing_id}/nonce", self.answer, methods=["POST"]),
            Route("/api/pairing/{pairing_id}/decision", self.decide, methods=["POST"]),
        ]

    # What is to be let in.

    async def request(self, request: Request) -> Response:
        """Begin: to be found by a person."""
        caller = self._tried(request)
        raw = await self.reception.raw_body(request)
        body = decoded(RequestPairing, raw)
        _check_key(request, body.device, raw)
        kind = _kind(body.kind)
        joining, commitment = _joining(body.ticket, body.device, kind, caller), _hex(body.commitment, "commitment")
        with answering():
            started = await self.pairings.request(joining, kind, commitment, caller)
        return _answer(started)

    async def claim(self, request: Request) -> Response:
        """Take up an offer."""
        caller = self._tried(request)
        raw = await self.reception.raw_body(request)
        body = decoded(ClaimPairing, raw)
        _check_key(request, body.device, raw)
        kind = "device" if body.device.machine_id is None else "machine"
        joining, credential = _joining(body.ticket, body.device, kind, caller), _credential(body.credential)
        with answering():
            pairing = await self.pairings.claim(credential, joining, caller)
        return _answer(pairing)

    async def state(self, request: Request) -> Response:
        """How far it is; with a nonce: send it."""
        self._polled(request)
        body = await self.reception.open_body(request, AskPairing)
        nonce = None if body.nonce is None else _hex(body.nonce, "nonce")
        with answering():
            pairing = await self.pairings.of_ticket(_hex(body.ticket, "ticket"), nonce)
        return _answer(pairing)

    async def collect(self, request: Request) -> Response:
        """Fetch the tokens."""
        caller = self._polled(request)
        raw = await self.reception.raw_body(request)
        body = decoded(CollectPairing, raw)
        ticket, credential = _hex(body.ticket, "ticket"), _credential(body.credential)
        with answering():
            collected = await self.collector.collect(
                ticket, credential, caller, lambda key: verified(request.scope, key, raw)
            )
        for session_id in collected.replaced:
            self.grants.forget(session_id)
            self.watch.end_session(session_id)
        return json_answer(encode(signed_in(collected.tokens)))

    # The person who lets it in.

    async def offer(self, request: Request) -> Response:
        """Begin: to be claimed by a device or machine."""
        grant, body = await self.reception.write(request, OfferPairing, "administer")
        kind, commitment = _kind(body.kind), _hex(body.commitment, "commitment")
        with answering():
            caller = self._caller(request, grant)
            started = await self.pairings.offer(Actor.of(grant.claims), kind, commitment, caller)
        return _answer(started)

    async def find(self, request: Request) -> Response:
        """Take up a request."""
        grant, body = await self.reception.write(request, FindPairing, "administer")
        caller = self._caller(request, grant)
        self.tries.admit(caller.address, reason_code="pairing_rate")
        with answering():
            pairing = await self.pairings.find(Actor.of(grant.claims), _credential(body.credential), caller)
        return _answer(pairing)

    async def show(self, request: Request) -> Response:
        """How far it is."""
        grant = await self.reception.read(request, "administer")
        with answering():
            pairing = await self.pairings.of_user(Actor.of(grant.claims), id_of(request, "pairing_id"))
        return _answer(pairing)

    async def answer(self, request: Request) -> Response:
        """Send the nonce of this side."""
        grant, body = await self.reception.write(request, AnswerPairing, "administer")
        pairing_id, nonce = id_of(request, "pairing_id"), _hex(body.nonce, "nonce")
        with answering():
            pairing = await self.pairings.answer(Actor.of(grant.claims), pairing_id, nonce)
        return _answer(pairing)

    async def decide(self, request: Request) -> Response:
        """Say whether the words are the same; yes takes a fresh proof of who says it."""
        grant, body = await self.reception.write(request, DecidePairing, "administer")
        pairing_id = id_of(request, "pairing_id")
        if body.accept:
            require_step_up(grant)
        with answering():
            caller = self._caller(request, grant)
            actor, accept = Actor.of(grant.claims), body.accept
            pairing = await self.pairings.decide(actor, pairing_id, body.words, caller, accept=accept)
        return _answer(pairing)

    # Inside.

    def _caller(self, request: Request, grant: Grant) -> Caller:
        return self.reception.caller(request, grant.claims.surface)

    def _open_caller(self, request: Request) -> Caller:
        hint = request.headers.get(SURFACE_HEADER, "")
        return self.reception.caller(request, hint if hint in SURFACES else "sdk")

    def _tried(self, request: Request) -> Caller:
        caller = self._open_caller(request)
        self.tries.admit(caller.address, reason_code="pairing_rate")
        return caller

    def _polled(self, request: Request) -> Caller:
        caller = self._open_caller(request)
        self.polls.admit(caller.address, reason_code="pairing_polls")
        return caller


def _answer(found: Pairing | StartedPairing) -> Response:
    return json_answer({"data": encode(found)})


def _joining(ticket: str, said: PairingDevice, kind: str, caller: Caller) -> Joining:
    device = replace(
        said,
        device_name=named(said.device_name, "device.device_name") or None,
        device_platform=named(said.device_platform, "device.device_platform") or None,
        installation_id=_id(said.installation_id, "device.installation_id"),
        machine_id=_id(said.machine_id, "device.machine_id"),
    )
    surface = "companion" if kind == "machine" else caller.surface
    return Joining(ticket=_hex(ticket, "ticket"), device=device, surface=surface)


def _check_key(request: Request, device: PairingDevice, raw: bytes) -> None:
    """What is to be let in holds the key that it brings and signs this call by it; good for one ticket: no nonce."""
    if device.public_key is not None:
        key = _hex(device.public_key, "device.public_key")
        verified(request.scope, bytes.fromhex(key), raw)


def _kind(written: str) -> str:
    if written not in set(PairingKind):
        raise Unprocessable("device or machine", reason_code="invalid_value", field="kind")
    return written


def _hex(written: str, field: str) -> str:
    if _HEX.fullmatch(written) is None:
        raise Unprocessable("32 bytes in lower-case hex are needed", reason_code="invalid_value", field=field)
    return written


def _id(written: str | None, field: str) -> str | None:
    if written is not None and _ID.fullmatch(written) is None:
        raise Unprocessable(f"{field} is no id", reason_code="invalid_value", field=field)
    return written


def _credential(written: str) -> str:
    credential = written.strip()
    if not credential or len(credential) > CREDENTIAL_CHARACTERS:
        raise Unprocessable("a secret or code is needed", reason_code="invalid_value", field="credential")
    return credential
