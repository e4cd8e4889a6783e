"""Signed writes: whether a call of a device that has a key was made by that key, now, and for the first time.

Relies on the schema `api` for nonces, so that a write replayed at another node is refused too; on the database's clock,
which all nodes share. A device without a key costs nothing here: nobody calls. Source: docs/protocol.md, "Signed
writes".
"""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.types import Scope

from autopilot.api import audit
from autopilot.api.address import Addresses
from autopilot.api.audit import Actor, Caller
from autopilot.api.database import answering
from autopilot.api.grants import Grant
from autopilot.api.limits import Limit
from autopilot.contract.errors import Conflict, Unauthorized
from autopilot.contract.instants import instant
from autopilot.contract.write_signature import HEADER, SKEW_SECONDS, WriteSignature, parsed, signed_bytes
from autopilot.db.queries import load

SQL = load("autopilot.api", "signatures")

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Signatures:
    """Checks them."""

    pool: asyncpg.Pool
    addresses: Addresses
    told: Limit
    """How many refusals of a device are worth a line of the audit."""

    async def check(self, scope: Scope, grant: Grant, body: bytes) -> None:
        """Let a write of a device with a key through.

        Raises:
            Unauthorized: `signature_missing`, `signature_wrong`, `signature_expired` (with `server_time`) or
                `signature_replayed`.
            Unavailable: the database can't be asked.
        """
        try:
            await self._check(scope, grant, body)
        except Unauthorized as refusal:
            await self._tell(scope, grant, refusal)
            raise

    async def sweep(self) -> None:
        """Forget nonces that can't come again."""
        await self.pool.execute(SQL.forget)

    async def _check(self, scope: Scope, grant: Grant, body: bytes) -> None:
        assert grant.public_key is not None
        await self._use(grant, verified(scope, grant.public_key, body))

    async def register(self, scope: Scope, grant: Grant, body: bytes, key: bytes) -> None:
        """Give the grant's device a key; the call itself must be signed by it.

        Raises:
            Unauthorized: as `check`.
            Conflict: `has_key`: it has one, which only ends with its session.
            Unavailable: as `check`.
        """
        if grant.public_key is not None:
            raise Conflict("this device has a key: sign in anew for another", reason_code="has_key")
        await self._use(grant, verified(scope, key, body))
        address = self.addresses.of(scope.get("client"), scope["headers"])
        caller = Caller(address, grant.claims.surface, scope["state"].get("x_request_id"))
        with answering():
            async with self.pool.acquire() as connection, connection.transaction():
                taken = await connection.fetchval(SQL.set_key, grant.claims.device_id, key)
                if taken is None:
                    raise Conflict("this device has a key: sign in anew for another", reason_code="has_key")
                await audit.record(connection, "device_key_registered", caller, actor=Actor.of(grant.claims))

    async def _use(self, grant: Grant, said: WriteSignature) -> None:
        with answering(outcome="not_recorded"):
            used = await self.pool.fetchrow(SQL.use, grant.claims.device_id, said.nonce, said.time, SKEW_SECONDS)
        assert used is not None
        if not used["is_timely"]:
            raise Unauthorized(
                "the signature is too old, or of a clock that is off",
                reason_code="signature_expired",
                server_time=instant(used["now"]),
                skew_seconds=SKEW_SECONDS,
            )
        if not used["is_new"]:
            raise Unauthorized("the signature was used before", reason_code="signature_replayed")

    async def _tell(self, scope: Scope, grant: Grant, refusal: Unauthorized) -> None:
        if self.told.wait_seconds(grant.claims.device_id):
            return
        address = self.addresses.of(scope.get("client"), scope["headers"])
        caller = Caller(address, grant.claims.surface, scope["state"].get("x_request_id"))
        detail = {"reason_code": refusal.reason_code, "method": scope["method"]}
        with answering(outcome="not_recorded"):
            await audit.record(
                self.pool, "write_refused", caller, actor=Actor.of(grant.claims), outcome="refused", detail=detail
            )


def verified(scope: Scope, public_key: bytes, body: bytes) -> WriteSignature:
    """What a call's signature says, once it is sure that this key made it over this call.

    Raises:
        Unauthorized: `signature_missing`, `signature_wrong`.
    """
    said = _said(scope)
    query: bytes = scope["query_string"]
    signed = signed_bytes(
        public_key,
        time=said.time,
        nonce=said.nonce,
        method=scope["method"],
        target=scope["raw_path"] + (b"?" + query if query else b""),
        body=body,
    )
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(said.signature, signed)
    except (InvalidSignature, ValueError):
        raise Unauthorized("the signature does not fit the call", reason_code="signature_wrong") from None
    return said


def _said(scope: Scope) -> WriteSignature:
    values = [value for name, value in scope["headers"] if name == HEADER.encode()]
    if not values:
        raise Unauthorized("this device signs its writes", reason_code="signature_missing", header=HEADER)
    said = parsed(values[0].decode("latin-1")) if len(values) == 1 else None
    if said is None:
        raise Unauthorized("the signature is malformed", reason_code="signature_wrong")
    return said


def key_of(written: str | None) -> bytes | None:
    """A public key as it is registered, from hex; None where it is none. Its first signature says if it is of use."""
    try:
        key = bytes.fromhex(written or "")
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES else None
