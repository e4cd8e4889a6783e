"""Sign-ins with the organisation's provider: begun by a device, proved in a browser, collected by the device.

Relies on the schema `api`, on `Provider` for what the provider says and on `oidc_identities` for whose account that is.
A sign-in lives ten minutes. Its OAuth state is good once. The browser that proves it shows a code; only that code and
the verifier, which never left the device that began, make a session together: a link that somebody else began is of no
use to them when it is opened here, and a sign-in that somebody else proved is none of this device. No secret is stored:
nonce and PKCE verifier are made of the state and a salt, tokens of the verifier and another.
Source: docs/decisions/0021-single-sign-on.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncpg

from autopilot.api import audit, opaque, pairing_secrets, recovery
from autopilot.api.accounts import Account, SignUp
from autopilot.api.alarm import Alarm
from autopilot.api.audit import NOBODY, Actor, Caller
from autopilot.api.codes import refusal
from autopilot.api.database import answering
from autopilot.api.oidc_id_token import NotProved
from autopilot.api.oidc_identities import account_of
from autopilot.api.oidc_provider import Provider
from autopilot.api.pairing import SQL as PAIRING_SQL
from autopilot.api.sessions import PERSON_SCOPES, DeviceNote, Sessions, Tokens
from autopilot.contract import BegunSso
from autopilot.contract.errors import Conflict, RateLimited, Unavailable, Unprocessable
from autopilot.db.queries import load

SQL = load("autopilot.api", "oidc")

LIFE_SECONDS = 600.0
ATTEMPTS = 5
"""Wrong codes that a sign-in bears."""
STATE_CHARACTERS = 43


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What the browser brought back from the provider; all of it may be anybody's words."""

    state: str
    code: str | None
    issuer: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What the browser shows at the end."""

    email: str
    code: str


@dataclass(frozen=True, slots=True)
class OidcSignIns:
    """Keeps the sign-ins that are under way."""

    pool: asyncpg.Pool
    provider: Provider
    sessions: Sessions
    code_keys: Callable[[], tuple[bytes, ...]]
    """Key the digests of what browsers show, asked at each: the first makes them, all are accepted."""
    sign_up: SignUp
    alarm: Alarm
    """Told of every refusal."""
    at_once: int
    """Under way, of a network address."""

    async def begin(self, challenge: str, caller: Caller) -> BegunSso:
        """Begin one; `challenge`: SHA-256 of the device's verifier, in hex.

        Raises:
            Unavailable: the provider does not answer.
            RateLimited: too many are under way.
            Unprocessable: the verifier was used before.
        """
        state, salt = secrets.token_urlsafe(32), secrets.token_bytes(32)
        nonce, verifier = made_of(state, salt)
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        url = await self.provider.authorization_url(state=state, nonce=nonce, challenge=digest)
        sign_in_id = opaque.identifier("sso_")
        kept = (sign_in_id, opaque.token_digest(state), bytes.fromhex(challenge), salt, caller.address)
        with answering():
            async with self.pool.acquire() as connection, connection.transaction():
                await connection.execute(SQL.lock_counted, caller.address)
                if await connection.fetchval(SQL.count_live, caller.address) >= self.at_once:
                    raise RateLimited(
                        "too many sign-ins are under way",
                        reason_code="too_many_sign_ins",
                        retry_after_seconds=LIFE_SECONDS,
                    )
                if await connection.fetchval(SQL.begin, *kept, ATTEMPTS, LIFE_SECONDS) is None:
                    raise Unprocessable("another verifier is needed", reason_code="invalid_value", field="challenge")
        return BegunSso(url=url, name=self.provider.client.name, expires_in=int(LIFE_SECONDS))

    async def come_back(self, said: Returned, caller: Caller) -> Shown:
        """The provider sent the browser back; what it is to show.

        Raises:
            NotProved: nobody is signed in by it, and why.
            Unavailable: the provider, or the database, does not answer: begin again.
        """
        with answering():
            known = await self.pool.fetchrow(SQL.ask, opaque.token_digest(said.state)) if is_state(said.state) else None
        if known is None:
            raise NotProved("state", "this sign-in is over, or was never begun: begin again in your app")
        try:
            return await self._proved(known, said, caller)
        except (NotProved, Unavailable) as problem:
            reason = problem.reason if isinstance(problem, NotProved) else "provider_away"
            with answering():
                await self._refuse(known["sign_in_id"], reason, caller)
            raise

    async def _proved(self, row: Any, said: Returned, caller: Caller) -> Shown:
        metadata = await self.provider.metadata()
        if said.issuer != self.provider.client.issuer and (said.issuer is not None or metadata.names_itself):
            raise NotProved("issuer", "this answer is not of the provider that was asked")
        if said.error is not None or not said.code:
            raise NotProved("provider_refused", "the provider did not sign you in")
        nonce, verifier = made_of(said.state, row["salt"])
        proof = await self.provider.prove(said.code, verifier=verifier, nonce=nonce)
        shown_code = opaque.sign_in_code()
        digest = opaque.code_digest(self.code_keys()[0], row["sign_in_id"], shown_code)
        with answering():
            async with self.pool.acquire() as connection, connection.transaction():
                account = await account_of(connection, proof, self.provider.client, self.sign_up, caller)
                if await connection.fetchval(SQL.prove, row["sign_in_id"], account.user_id, digest) is None:
                    raise NotProved("state", "this sign-in is over: begin again in your app")
        return Shown(proof.email or "", shown_code)

    async def collect(self, verifier: str, code: str, device: DeviceNote, caller: Caller) -> Tokens:
        """The tokens of a sign-in that a browser proved; the very same call again: the very same ones, until used.

        Raises:
            Unauthorized: not this verifier or code, over, or the tokens were used.
            Conflict: `not_confirmed`: no browser has proved it yet.
        """
        tokens: Tokens | None = None
        async with self.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(SQL.lock_by_verifier, hashlib.sha256(bytes.fromhex(verifier)).digest())
            if row is not None and row["is_live"] and row["state"] in {"open", "asked"}:
                raise Conflict("nobody has signed in in the browser yet", reason_code="not_confirmed")
            if row is not None and row["is_live"] and row["user_id"] is not None:
                if row["attempts_left"] > 0 and self._is_of(row, code):
                    tokens = await self._tokens(connection, row, verifier, device, caller)
                else:
                    await self._guessed(connection, row, caller)
        if tokens is None:
            raise refusal()
        return tokens

    async def sweep(self) -> None:
        """Forget those that ended."""
        await self.pool.execute(SQL.sweep)

    def _is_of(self, row: Any, code: str) -> bool:
        written = opaque.folded_code(code)
        digests = [opaque.code_digest(key, row["sign_in_id"], written) for key in self.code_keys()]
        return any(hmac.compare_digest(row["code_digest"], digest) for digest in digests)

    async def _tokens(
        self, connection: Any, row: Any, verifier: str, device: DeviceNote, caller: Caller
    ) -> Tokens | None:
        account = Account(row["user_id"], row["email"], row["is_owner"])
        if row["state"] == "done":
            return await self._again(connection, row, verifier, account)
        salt = pairing_secrets.new_salt()
        made = pairing_secrets.tokens_of(verifier, salt)
        tokens = await self.sessions.open(connection, account, device, scopes=PERSON_SCOPES, made=made)
        await connection.execute(SQL.finish, row["sign_in_id"], tokens.session_id, salt)
        detail = {"method": "oidc", "issuer": self.provider.client.issuer}
        await audit.record(connection, "signed_in", caller, actor=tokens.actor, detail=detail)
        return await recovery.begin(connection, tokens, caller)

    async def _again(self, connection: Any, row: Any, verifier: str, account: Account) -> Tokens | None:
        access, refresh = pairing_secrets.tokens_of(verifier, row["token_salt"])
        digests = (opaque.token_digest(refresh), opaque.token_digest(access))
        made = await connection.fetchrow(PAIRING_SQL.made_tokens, row["session_id"], *digests)
        if made is None:
            return None
        return Tokens(account, made["device_id"], made["session_id"], access, refresh, int(made["seconds_left"]))

    async def _guessed(self, connection: Any, row: Any, caller: Caller) -> None:
        self.alarm.refused(caller, None)
        if row["state"] == "proved":
            left = await connection.fetchval(SQL.count_wrong_code, row["sign_in_id"])
            actor = Actor(user_id=row["user_id"])
            await self._note(connection, row["sign_in_id"], "wrong_code", caller, actor)
            if left == 0:
                await connection.execute(SQL.refuse, row["sign_in_id"])

    async def _refuse(self, sign_in_id: str, reason: str, caller: Caller) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL.refuse, sign_in_id)
            await self._note(connection, sign_in_id, reason, caller)

    async def _note(self, connection: Any, sign_in_id: str, reason: str, caller: Caller, actor: Actor = NOBODY) -> None:
        subject, detail = f"sso:{sign_in_id}", {"reason_code": reason, "issuer": self.provider.client.issuer}
        await audit.record(
            connection, "sso_refused", caller, actor=actor, outcome="refused", subject=subject, detail=detail
        )


def made_of(state: str, salt: bytes) -> tuple[str, str]:
    """Nonce and PKCE verifier of a sign-in: its state and the salt together make them, and again."""

    def made(purpose: str) -> str:
        raw = hmac.new(salt, f"autopilot oidc {purpose}\0{state}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    return made("nonce"), made("verifier")


def is_state(written: str) -> bool:
    """Whether it has the form of one of ours: else it is worth no look."""
    return len(written) == STATE_CHARACTERS and written.isascii()
