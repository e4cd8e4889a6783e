"""The calls about devices: list, rename, revoke one or all others. Source: docs/protocol.md, "Devices"."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api.audit import Actor, Caller
from autopilot.api.database import answering
from autopilot.api.devices import Devices, RevokedDevices
from autopilot.api.grants import Grant, Grants
from autopilot.api.http.answers import json_answer
from autopilot.api.http.reception import Nothing, Reception, decoded, id_of, named, require_step_up
from autopilot.api.signatures import Signatures, key_of
from autopilot.api.watch import StreamWatch
from autopilot.contract import DeviceKey, RenameDevice, Revoked, encode
from autopilot.contract.errors import Unprocessable


@dataclass(frozen=True, slots=True)
class DeviceRoutes:
    """What a user does about the devices that are signed in."""

    devices: Devices
    grants: Grants
    watch: StreamWatch
    signatures: Signatures
    reception: Reception

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/api/devices", self.show, methods=["GET"]),
            Route("/api/devices/revoke-others", self.revoke_others, methods=["POST"]),
            Route("/api/devices/key", self.register_key, methods=["POST"]),
            Route("/api/devices/{device_id}/rename", self.rename, methods=["POST"]),
            Route("/api/devices/{device_id}/confirm", self.confirm, methods=["POST"]),
            Route("/api/devices/{device_id}/revoke", self.revoke, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """All of one's own."""
        grant = await self.reception.read(request, "observe")
        with answering():
            found = await self.devices.of(Actor.of(grant.claims))
        return json_answer({"data": [encode(device) for device in found]})

    async def rename(self, request: Request) -> Response:
        """Call one of them something."""
        grant, body = await self.reception.write(request, RenameDevice, "administer")
        device_id = id_of(request, "device_id")
        name = named(body.name, "name")
        if not name:
            raise Unprocessable("a name is needed", reason_code="invalid_value", field="name")
        with answering():
            device = await self.devices.rename(Actor.of(grant.claims), device_id, name, self._caller(request, grant))
        return json_answer({"data": encode(device)})

    async def confirm(self, request: Request) -> Response:
        """Say that one that came by mail is one's own."""
        grant, _ = await self.reception.write(request, Nothing, "administer")
        require_step_up(grant)
        device_id = id_of(request, "device_id")
        with answering():
            device = await self.devices.confirm(Actor.of(grant.claims), device_id, self._caller(request, grant))
        return json_answer({"data": encode(device)})

    async def revoke(self, request: Request) -> Response:
        """End one of them, also the one that asks."""
        grant, _ = await self.reception.write(request, Nothing, "administer")
        device_id = id_of(request, "device_id")
        with answering():
            ended = await self.devices.revoke(Actor.of(grant.claims), device_id, self._caller(request, grant))
        return self._ended(ended)

    async def revoke_others(self, request: Request) -> Response:
        """End all but the one that asks."""
        grant, _ = await self.reception.write(request, Nothing, "administer")
        with answering():
            ended = await self.devices.revoke_others(Actor.of(grant.claims), self._caller(request, grant))
        return self._ended(ended)

    async def register_key(self, request: Request) -> Response:
        """Have the device that asks sign its writes from now on."""
        grant, raw = await self.reception.write_raw(request, "administer")
        require_step_up(grant)
        key = key_of(decoded(DeviceKey, raw).public_key)
        if key is None:
            raise Unprocessable("an Ed25519 key is 64 hex digits", reason_code="invalid_value", field="public_key")
        await self.signatures.register(request.scope, grant, raw, key)
        self.grants.forget(grant.session_id)
        with answering():
            device = await self.devices.current(Actor.of(grant.claims))
        assert device is not None
        return json_answer({"data": encode(device)})

    def _ended(self, ended: RevokedDevices) -> Response:
        for session_id in (*ended.session_ids, *ended.guest_session_ids):
            self.grants.forget(session_id)
            self.watch.end_session(session_id)
        shown = Revoked(revoked=len(ended.session_ids), guests=len(ended.guest_ids))
        return json_answer({"data": encode(shown)})

    def _caller(self, request: Request, grant: Grant) -> Caller:
        return self.reception.caller(request, grant.claims.surface)
