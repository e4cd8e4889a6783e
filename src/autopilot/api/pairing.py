"""Pairings: what is to be let in and the person who lets it in find each other, compare words, and one says yes.

Relies on the schema `api`. A pairing lives five minutes and is taken up once: whoever comes second learns nothing, and
the person is told. Every refusal is the same. Never makes a token: that is `pairing_collect`.
Source: docs/protocol.md, "Pairing".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import asyncpg

from autopilot.api import audit, guest_ends, opaque, pairing_secrets
from autopilot.api.alarm import Alarm
from autopilot.api.audit import NOBODY, Actor, Caller
from autopilot.client.pairing_words import commitment_of, words_of
from autopilot.contract import Pairing, PairingDevice, StartedPairing
from autopilot.contract.errors import Conflict, NotFound, RateLimited, Unavailable, Unprocessable
from autopilot.contract.instants import instant
from autopilot.db.queries import load
from autopilot.ops.log import get_logger

SQL = load("autopilot.api", "pairing")

Way = Literal["offer", "request"]
CODE_ATTEMPTS = 5
"""Wrong short codes that a pairing bears; its secret stays good."""
COLLECT_SECONDS = 60.0
"""A pairing that was confirmed at the last moment is still worth so long."""
LOCATOR_TRIES = 8

log = get_logger("autopilot.api")


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """What is to be let in, and what it says of itself."""

    ticket: str
    device: PairingDevice
    surface: str


@dataclass(frozen=True, slots=True)
class Pairings:
    """Keeps the pairings that are under way."""

    pool: asyncpg.Pool
    code_keys: Callable[[], tuple[bytes, ...]]
    """Key the digests of short codes, asked at each: the first makes them, all are accepted."""
    life_seconds: float
    at_once: int
    """Under way, of a user, and of a network address that asks to be let in."""
    alarm: Alarm
    """Told of every refusal."""

    async def offer(self, actor: Actor, kind: str, commitment: str, caller: Caller) -> StartedPairing:
        """Begin one at the side of a person.

        Raises:
            RateLimited: too many are under way.
        """
        return await self._start("offer", kind, commitment, caller, actor=actor)

    async def request(self, joining: Joining, kind: str, commitment: str, caller: Caller) -> StartedPairing:
        """Begin one at the side of what is to be let in.

        Raises:
            RateLimited: as `offer`.
            Conflict: the ticket was used.
        """
        return await self._start("request", kind, commitment, caller, joining=joining)

    async def claim(self, credential: str, joining: Joining, caller: Caller) -> Pairing:
        """Take up an offer; again with the same ticket: the same.

        Raises:
            NotFound: no such offer, or it is over, or taken by another.
            Unprocessable: a machine must say which it is.
            Conflict: the ticket was used.
        """
        taken = False
        async with self.pool.acquire() as connection, connection.transaction():
            row = await self._found(connection, "offer", credential, caller)
            if row is not None and row["state"] == "open":
                _check_device(row["kind"], joining.device)
                await _unused(connection, joining.ticket)
                await connection.execute(SQL.claim_offer, row["pairing_id"], *_joining_values(joining, caller))
                await self._note(connection, "pairing_claimed", row["pairing_id"], caller, detail=_told(joining))
                taken = True
            elif row is not None:
                taken = opaque.same(row["ticket_digest"], opaque.token_digest(joining.ticket))
                if not taken:
                    await self._contested(connection, row["pairing_id"], caller)
        if not taken:
            raise no_such_pairing()
        return await self.of_ticket(joining.ticket)

    async def find(self, actor: Actor, credential: str, caller: Caller) -> Pairing:
        """Take up what asks to be let in; again by the same user: the same.

        Raises:
            NotFound: nothing asks so, or it is over, or another user took it up.
        """
        taken = False
        async with self.pool.acquire() as connection, connection.transaction():
            row = await self._found(connection, "request", credential, caller, actor)
            if row is not None and row["state"] == "open":
                await connection.execute(SQL.claim_request, row["pairing_id"], actor.user_id)
                await self._note(connection, "pairing_claimed", row["pairing_id"], caller, actor)
                taken = True
            elif row is not None:
                taken = row["user_id"] == actor.user_id
                if not taken:
                    await self._contested(connection, row["pairing_id"], caller, actor)
        if row is None or not taken:
            raise no_such_pairing()
        return await self.of_user(actor, row["pairing_id"])

    async def of_ticket(self, ticket: str, nonce: str | None = None) -> Pairing:
        """The pairing of what is to be let in; `nonce`: what it sends, when it is its turn.

        Raises:
            NotFound: no such ticket.
            Conflict, Unprocessable: as `answer`.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(SQL.lock_by_ticket, opaque.token_digest(ticket), COLLECT_SECONDS)
            if row is None:
                raise no_such_pairing()
            if nonce is not None:
                await _take_nonce(connection, row, nonce, is_starter=row["way"] == "request")
                row = await connection.fetchrow(SQL.lock_by_ticket, opaque.token_digest(ticket), COLLECT_SECONDS)
        return shown(row)

    async def of_user(self, actor: Actor, pairing_id: str) -> Pairing:
        """A pairing of the actor's user.

        Raises:
            NotFound: there is none.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            return shown(await _of_user(connection, actor, pairing_id))

    async def answer(self, actor: Actor, pairing_id: str, nonce: str) -> Pairing:
        """Take the nonce of the person's side.

        Raises:
            NotFound: as `of_user`.
            Conflict: it is not its turn, or it was another one before.
            Unprocessable: it is not what this side committed itself to.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            row = await _of_user(connection, actor, pairing_id)
            await _take_nonce(connection, row, nonce, is_starter=row["way"] == "offer")
            return shown(await _of_user(connection, actor, pairing_id))

    async def decide(
        self, actor: Actor, pairing_id: str, words: str | None, caller: Caller, *, accept: bool
    ) -> Pairing:
        """Let in, or not. The same again is the same.

        Raises:
            NotFound: as `of_user`.
            Conflict: there are no words yet, they are others, it was decided otherwise, or it is over.
            Unauthorized: the actor's session has ended: it lets nobody in any more.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            await guest_ends.hold_signed_in(connection, actor)
            row = await _of_user(connection, actor, pairing_id)
            state = shown(row).state
            if accept and state not in {"confirmed", "done"}:
                _check_words(row, state, words)
                await connection.execute(SQL.decide, pairing_id, "confirmed")
                await self._note(connection, "pairing_confirmed", pairing_id, caller, actor)
            elif not accept and state != "declined":
                if state in {"done", "expired"}:
                    raise _over(state)
                await connection.execute(SQL.decide, pairing_id, "declined")
                await self._note(connection, "pairing_declined", pairing_id, caller, actor)
            return shown(await _of_user(connection, actor, pairing_id))

    async def sweep(self) -> None:
        """Forget those that ended."""
        await self.pool.execute(SQL.sweep)

    async def _start(
        self,
        way: Way,
        kind: str,
        commitment: str,
        caller: Caller,
        *,
        actor: Actor = NOBODY,
        joining: Joining | None = None,
    ) -> StartedPairing:
        secret, pairing_id = pairing_secrets.new_secret(), opaque.identifier("pair_")
        async with self.pool.acquire() as connection, connection.transaction():
            address = caller.address if joining is not None else None
            await connection.execute(SQL.lock_counted, f"user {actor.user_id}" if address is None else address)
            if await connection.fetchval(SQL.count_live, actor.user_id, address) >= self.at_once:
                raise RateLimited(
                    "too many pairings are under way",
                    reason_code="too_many_pairings",
                    retry_after_seconds=self.life_seconds,
                )
            said: tuple[Any, ...] = (None, "", None, None, None, None, None, None)
            if joining is not None:
                _check_device(kind, joining.device)
                await _unused(connection, joining.ticket)
                said = _joining_values(joining, caller)
            who = (commitment, actor.user_id, *said)
            code = await self._insert(connection, (pairing_id, way, kind), secret, who)
            await self._note(
                connection, "pairing_started", pairing_id, caller, actor, detail={"way": way, "kind": kind}
            )
            row = await connection.fetchrow(SQL.by_secret, opaque.token_digest(secret), way)
        return StartedPairing(pairing=shown(row), secret=secret, code=code.shown)

    async def _insert(
        self, connection: Any, identity: tuple[str, str, str], secret: str, said: tuple[Any, ...]
    ) -> pairing_secrets.Code:
        commitment, user_id, ticket_digest, name, platform, *rest = said
        for _ in range(LOCATOR_TRIES):
            code = pairing_secrets.new_code()
            kept = (opaque.token_digest(secret), code.locator, code.digest(self.code_keys()[0]), CODE_ATTEMPTS)
            who = (commitment, user_id, ticket_digest, name, platform)
            if await connection.fetchval(SQL.start, *identity, *kept, *who, self.life_seconds, *rest):
                return code
        raise Unavailable("no short code is free", reason_code="no_code", outcome="not_recorded")

    async def _found(
        self, connection: Any, way: Way, credential: str, caller: Caller, actor: Actor = NOBODY
    ) -> Any | None:
        """The live pairing that a secret or short code is of. A wrong guess counts: the transaction must commit."""
        code = pairing_secrets.read_code(credential)
        if code is None:
            row = await connection.fetchrow(SQL.by_secret, opaque.token_digest(credential), way)
            is_right = row is not None and row["is_live"]
        else:
            row = await connection.fetchrow(SQL.by_locator, code.locator, way)
            kept = row["code_digest"] if row is not None else b""
            is_right = any(opaque.same(kept, code.digest(key)) for key in self.code_keys())
            is_right = is_right and row is not None and row["is_live"] and row["code_attempts_left"] > 0
        if is_right:
            return row
        subject = None if row is None else f"pairing:{row['pairing_id']}"
        await audit.record(connection, "pairing_refused", caller, actor=actor, outcome="refused", subject=subject)
        self.alarm.refused(caller, None)
        if row is not None and row["is_live"] and code is not None:
            await self._guessed(connection, row, caller)
        return None

    async def _guessed(self, connection: Any, row: Any, caller: Caller) -> None:
        left = await connection.fetchval(SQL.count_wrong_code, row["pairing_id"])
        if left == 0 and row["code_attempts_left"] > 0:
            log.warning("pairing.guessed", pairing_id=row["pairing_id"], address=caller.address)
            await self._note(connection, "pairing_guessed", row["pairing_id"], caller, outcome="refused")

    async def _contested(self, connection: Any, pairing_id: str, caller: Caller, actor: Actor = NOBODY) -> None:
        log.warning("pairing.contested", pairing_id=pairing_id, address=caller.address)
        await connection.execute(SQL.contest, pairing_id)
        await self._note(connection, "pairing_contested", pairing_id, caller, actor, outcome="refused")

    async def _note(
        self,
        connection: Any,
        action: audit.Action,
        pairing_id: str,
        caller: Caller,
        actor: Actor = NOBODY,
        *,
        detail: dict[str, Any] | None = None,
        outcome: audit.Outcome = "done",
    ) -> None:
        subject = f"pairing:{pairing_id}"
        await audit.record(
            connection, action, caller, actor=actor, outcome=outcome, subject=subject, detail=detail or {}
        )


def no_such_pairing() -> NotFound:
    """The one answer to who has no part in a pairing: a wrong secret, one that is over, another's, none."""
    return NotFound("no such pairing, or it is over: start another one", reason_code="no_such_pairing")


def shown(row: Any) -> Pairing:
    """A pairing as the contract has it."""
    state = row["state"]
    if not row["is_live"] and state in {"open", "claimed", "answered", "compared"}:
        state = "expired"
    device = PairingDevice(
        device_name=row["device_name"] or None,
        device_platform=row["device_platform"],
        installation_id=row["installation_id"],
        machine_id=row["machine_id"],
        public_key=row["public_key"].hex() if row["public_key"] is not None else None,
    )
    return Pairing(
        pairing_id=row["pairing_id"],
        way=row["way"],
        kind=row["kind"],
        state=state,
        expires_at=instant(row["expires_at"]),
        device=device if row["ticket_digest"] is not None else None,
        device_address=row["device_address"],
        account=row["account"],
        commitment=row["commitment"],
        claimer_nonce=row["claimer_nonce"],
        starter_nonce=row["starter_nonce"],
        wrong_codes=row["wrong_codes"],
        contested=row["contested"],
    )


async def _of_user(connection: Any, actor: Actor, pairing_id: str) -> Any:
    row = await connection.fetchrow(SQL.lock_by_id, pairing_id, actor.user_id)
    if row is None:
        raise no_such_pairing()
    return row


async def _take_nonce(connection: Any, row: Any, nonce: str, *, is_starter: bool) -> None:
    kept = row["starter_nonce" if is_starter else "claimer_nonce"]
    if kept is not None:
        if kept != nonce:
            raise Conflict("another nonce was sent before", reason_code="different_content")
        return
    state = shown(row).state
    if state != ("answered" if is_starter else "claimed"):
        raise Conflict("it is not this side's turn", reason_code="pairing_order", state=state)
    if is_starter and commitment_of(nonce) != row["commitment"]:
        raise Unprocessable("not the nonce committed to", reason_code="invalid_value", field="nonce")
    await connection.execute(SQL.reveal if is_starter else SQL.answer, row["pairing_id"], nonce)


def _check_words(row: Any, state: str, words: str | None) -> None:
    if state in {"declined", "expired"}:
        raise _over(state)
    expected = words_of(shown(row))
    if expected is None:
        raise Conflict("there are no words to compare yet", reason_code="pairing_order", state=state)
    if (words or "").split() != list(expected):
        raise Conflict("these are not the words of this pairing: decline it", reason_code="words_differ")


def _over(state: str) -> Conflict:
    return Conflict(f"this pairing is {state}", reason_code="pairing_over", state=state)


def _check_device(kind: str, device: PairingDevice) -> None:
    if kind == "machine" and device.machine_id is None:
        raise Unprocessable("a machine says which it is", reason_code="invalid_value", field="device.machine_id")
    if kind == "device" and device.machine_id is not None:
        raise Unprocessable("a device is no machine", reason_code="invalid_value", field="device.machine_id")
    if kind == "machine" and device.public_key is not None:
        raise Unprocessable("a machine signs nothing", reason_code="invalid_value", field="device.public_key")


async def _unused(connection: Any, ticket: str) -> None:
    if await connection.fetchrow(SQL.lock_by_ticket, opaque.token_digest(ticket), COLLECT_SECONDS) is not None:
        raise Conflict("this ticket was used: make another one", reason_code="different_content")


def _joining_values(joining: Joining, caller: Caller) -> tuple[Any, ...]:
    said = joining.device
    return (
        opaque.token_digest(joining.ticket),
        said.device_name or "",
        said.device_platform,
        said.installation_id,
        said.machine_id,
        joining.surface,
        caller.address,
        None if said.public_key is None else bytes.fromhex(said.public_key),
    )


def _told(joining: Joining) -> dict[str, Any]:
    return {"name": joining.device.device_name, "machine_id": joining.device.machine_id}
