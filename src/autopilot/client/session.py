"""A signed-in device: hands out access tokens, rotates them before they end, and says when a person must sign in.

Relies on a `TokenStore` and on the sign-in calls of docs/protocol.md, "Sign-in". Refresh tokens rotate and the reuse
of an old one ends the session, so that one refresh runs at a time: in this process and, through the store's lock,
among all that share the store; what another one stored meanwhile is used instead. A refresh that was begun is
given a moment to end and be stored even when its caller is cancelled. Never touches cursors.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Literal, Self

import httpx2

from autopilot.client import ed25519, log, session_answers
from autopilot.client.answers import DEFAULT_BOUNDS, AnswerBounds
from autopilot.client.calls import as_message, one
from autopilot.client.clock import SYSTEM_CLOCK, Clock, finishing
from autopilot.client.http import Http, Reply, Trace
from autopilot.client.pairing_words import commitment_of, fresh_nonce
from autopilot.client.session_signing import SessionSigning, signing_as
from autopilot.client.tokens import Credentials, SignInAgain, TokenStore
from autopilot.client.write_signer import WriteSigner
from autopilot.contract import (
    AssertionCredential,
    BeginSso,
    BegunSso,
    CollectSso,
    EmailSignIn,
    EnterAsGuest,
    GuestSession,
    PasskeyCeremony,
    RefreshBody,
    SignInByPasskey,
    SsoOffer,
    SteppedUp,
    StepUp,
    User,
    VerifyCode,
    encode,
)
from autopilot.contract.errors import AutopilotError, NetworkError, NotFound, Unauthorized, UnknownError

REFRESH_AHEAD_SECONDS = 60.0
"""An access token with less left is replaced before it is used."""
REFRESH_AHEAD_SHARE = 0.25
"""One that lives shorter than most is used for this much less than its life: not every call is to be a refresh."""
AUTH_TIMEOUT_SECONDS = 15.0
AUTH_WHOLE_SECONDS = 25.0
"""Whoever shares the store waits while a refresh holds it."""
CANCEL_GRACE_SECONDS = 1.0
"""A refresh whose caller is cancelled gets so long to be stored; the server forgives a repeated one for a minute."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """Whether this device is signed in, as far as it knows."""

    kind: Literal["signed_in", "signed_out"]
    email: str | None = None
    user_id: int | None = None
    reason: AutopilotError | None = None
    """Kind `signed_out`: the server's refusal that ended it; None: nobody signed in, or signed out here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoSignIn:
    """A sign-in with the organisation's provider that this device began; good for that one."""

    url: str
    """For a browser, any browser of the same person."""
    name: str
    """What people call the provider."""
    expires_in: int
    """Seconds it may take."""
    verifier: str = field(repr=False)
    """Leaves this device only with the code."""


Listener = Callable[[SessionState], None]


class Session:
    """One device's session with one installation: a `TokenSource`, and the sign-in calls."""

    def __init__(
        self,
        base_url: str,
        store: TokenStore,
        *,
        surface: str = "sdk",
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: Callable[[], float] = random.random,
        trace: Trace | None = None,
        bounds: AnswerBounds = DEFAULT_BOUNDS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._http = Http(
            base_url,
            tokens=None,
            surface=surface,
            transport=transport,
            clock=clock,
            rng=rng,
            trace=trace,
            signs=self,
            bounds=bounds,
        )
        self._signing = SessionSigning(clock.now)
        self._listeners: list[Listener] = []
        self._state: SessionState | None = None
        self._refused: str | None = None  # a refresh token that the server will not take again
        self._current: Credentials | None = None  # what the store said last: a keyring is slow to ask
        self.ask_code: Callable[[], Awaitable[str]] | None = None
        """Asks a person for the code that was mailed for a step-up; None: nobody is there to ask."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections; the device stays signed in."""
        await self._http.aclose()

    @property
    def state(self) -> SessionState:
        """What is known."""
        if self._state is None:
            held = self._load()
            self._state = _signed_in(held) if held else SessionState("signed_out")
        return self._state

    def on_state(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` when somebody signs in or has to sign in again; returns what cancels that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    # Tokens (a TokenSource).

    async def access_token(self) -> str:
        """A token with some life left, refreshed where it is about to end.

        Raises:
            SignInAgain: nobody is signed in, or the session is over.
        """
        held = self._current or self._held()
        if not self._ends_soon(held) or held.refresh_token is None:
            return held.access_token
        try:
            return await self.renew(held.access_token)
        except SignInAgain:
            raise
        except AutopilotError as error:  # not now: what is held may still do, the server decides
            log.failure("session.refresh_postponed", error)
            return (self._current or held).access_token  # another, where only the store did not take it

    async def renew(self, rejected: str) -> str:
        """Another token than `rejected`.

        Raises:
            SignInAgain: there is none: the session is over.
            NetworkError, Unavailable, RateLimited: not now; nothing is lost.
        """
        return await finishing(self._clock, CANCEL_GRACE_SECONDS, lambda: self._renew_alone(rejected))

    async def _renew_alone(self, rejected: str) -> str:
        async with self._alone():
            held = self._held()
            if held.access_token != rejected:
                self._became(_signed_in(held))  # somebody else was faster, or signed in anew for us
                return held.access_token
            return await self._rotate(held)

    async def _rotate(self, held: Credentials) -> str:
        if held.refresh_token is None:
            raise self._over(Unauthorized("the token was refused and can't be refreshed", reason_code="no_refresh"))
        if held.refresh_token == self._refused:
            raise self._over(self.state.reason)
        try:
            renewed = await self._refreshed(held, held.refresh_token)
        except Unauthorized as error:
            self._refused = held.refresh_token
            raise self._over(error) from error
        self._keep(renewed)
        log.record("session.refreshed", user_id=renewed.user_id)
        return renewed.access_token

    async def _refreshed(self, held: Credentials, refresh_token: str) -> Credentials:
        """What the server gives for what is held, kept nowhere yet."""
        path = "/api/auth/refresh" if held.guest_scope is None else "/api/guests/refresh"
        reply = await self._call("auth.refresh", path, encode(RefreshBody(refresh_token=refresh_token)), retry=True)
        if held.guest_scope is None:
            return self._credentials(reply, email=held.email, device_key=held.device_key)
        return self._guests_credentials(session_answers.guest_session(reply))

    # Signed writes (a SignsWrites).

    def sign(self, method: str, target: bytes, body: bytes) -> str | None:
        """See SignsWrites."""
        return self._signing.sign(self._current, method, target, body)

    def keep_to(self, server_time: str) -> bool:
        """See SignsWrites."""
        return self._signing.keep_to(server_time)

    # Step-up (a StepUpSource).

    async def step_up(self) -> str | None:
        """See StepUpSource: has a code mailed and asks for it, where there is somebody to ask."""
        if self.ask_code is None:
            return None
        await self.request_step_up()
        return await self.finish_step_up(await self.ask_code())

    async def request_step_up(self) -> None:
        """Have a code mailed that steps this session up.

        Raises:
            SignInAgain: nobody is signed in.
            Conflict: `no_address`.
        """
        await self._step(StepUp())

    async def finish_step_up(self, code: str) -> str:
        """Give the code; a token that is stepped up from its first use on, at every node.

        Raises:
            Unauthorized: not this code, or no longer.
        """
        token = await self._step(StepUp(code=code))
        return await self.renew(token)

    async def begin_passkey_step_up(self) -> PasskeyCeremony:
        """What to hand to an authenticator (Face ID, a security key, …) that is to step this session up.

        Raises:
            SignInAgain: nobody is signed in.
            Conflict: `passkeys_off`.
        """
        reply = await self._step_reply(await self.access_token(), StepUp(method="passkey"))
        said = as_message(SteppedUp, reply.body, reply.request_id)
        if said.ceremony is None or said.options is None:
            raise UnknownError("the answer asks for no passkey", reason_code="malformed_answer")
        return PasskeyCeremony(ceremony=said.ceremony, expires_in=said.expires_in, options=said.options)

    async def finish_passkey_step_up(self, ceremony: str, credential: dict[str, Any]) -> str:
        """Give its answer, as WebAuthn's JSON; a token as `finish_step_up`.

        Raises:
            Unauthorized: `passkey_refused`.
        """
        answer = session_answers.message_of(AssertionCredential, credential)
        return await self.renew(await self._step(StepUp(method="passkey", ceremony=ceremony, credential=answer)))

    async def _step(self, body: StepUp) -> str:
        token = await self.access_token()
        await self._step_reply(token, body)
        return token

    async def _step_reply(self, token: str, body: StepUp) -> Reply:
        return await self._http.call(
            "auth.step_up",
            "POST",
            "/api/auth/step-up",
            body=encode(body),
            headers={"authorization": f"Bearer {token}"},
            timeout_seconds=AUTH_TIMEOUT_SECONDS,
            whole_seconds=AUTH_WHOLE_SECONDS,
            retry=False,
        )

    # Signing in and out.

    async def request_code(self, email: str) -> None:
        """Have a code sent to `email`. Answers the same whether or not anybody has that address."""
        await self._call("auth.email", "/api/auth/email", encode(EmailSignIn(email=email)))

    async def verify(
        self,
        code: str,
        *,
        email: str | None = None,
        device_name: str | None = None,
        device_platform: str | None = None,
        with_key: bool = False,
    ) -> User:
        """Turn the code into a session of this device, which is listed by this name and platform.

        `with_key`: the device gets a key of its own, and signs its writes: its token alone is good for reading only.

        Raises:
            Unauthorized: not this code, or no longer.
            NetworkError: `store_busy`: the code was not used; else its `outcome` says whether it may have been.
        """

        def said(public_key: str | None) -> VerifyCode:
            return VerifyCode(
                email=email,
                code=code,
                device_name=device_name,
                device_platform=device_platform,
                public_key=public_key,
            )

        return await self._come_in("auth.verify", "/api/auth/verify", said, with_key=with_key)

    async def begin_passkey_sign_in(self) -> PasskeyCeremony:
        """What to hand to an authenticator that is to say who is there: `options`, as WebAuthn's JSON.

        Raises:
            Conflict: `passkeys_off`.
        """
        path = "/api/auth/passkeys/sign-in/options"
        reply = await self._http.call("auth.passkey_options", "POST", path, retry=False)
        return one(PasskeyCeremony, reply)

    async def sign_in_by_passkey(
        self,
        ceremony: str,
        credential: dict[str, Any],
        *,
        device_name: str | None = None,
        device_platform: str | None = None,
        with_key: bool = False,
    ) -> User:
        """Turn its answer into a session of this device; the rest as `verify`.

        Raises:
            Unauthorized: `passkey_refused`.
        """
        answer = session_answers.message_of(AssertionCredential, credential)

        def said(public_key: str | None) -> SignInByPasskey:
            return SignInByPasskey(
                ceremony=ceremony,
                credential=answer,
                device_name=device_name,
                device_platform=device_platform,
                public_key=public_key,
            )

        return await self._come_in("auth.passkey", "/api/auth/passkeys/sign-in", said, with_key=with_key)

    async def sso_provider(self) -> str | None:
        """What people call the organisation's provider; None: this server has none."""
        try:
            reply = await self._http.call("auth.sso_provider", "GET", "/api/auth/oidc")
        except NotFound:
            return None
        return one(SsoOffer, reply).name

    async def begin_sso(self) -> SsoSignIn:
        """Begin a sign-in with the organisation's provider: a browser is to open its `url`, and shows a code.

        Raises:
            NotFound: `sso_off`: this server has no such provider.
            Unavailable: `sso_unavailable`: it does not answer.
        """
        verifier = fresh_nonce()
        body = encode(BeginSso(challenge=commitment_of(verifier)))
        reply = await self._http.call(
            "auth.begin_sso",
            "POST",
            "/api/auth/oidc",
            body=body,
            timeout_seconds=AUTH_TIMEOUT_SECONDS,
            whole_seconds=AUTH_WHOLE_SECONDS,
            retry=False,
        )
        begun = one(BegunSso, reply)
        return SsoSignIn(url=begun.url, name=begun.name, expires_in=begun.expires_in, verifier=verifier)

    async def finish_sso(
        self,
        begun: SsoSignIn,
        code: str,
        *,
        device_name: str | None = None,
        device_platform: str | None = None,
        with_key: bool = False,
    ) -> User:
        """Turn the code that the browser shows into a session of this device; otherwise as `verify`.

        Raises:
            Unauthorized: not this code, or no longer.
            Conflict: `not_confirmed`: nobody has signed in in the browser yet.
        """

        def said(public_key: str | None) -> CollectSso:
            return CollectSso(
                verifier=begun.verifier,
                code=code,
                device_name=device_name,
                device_platform=device_platform,
                public_key=public_key,
            )

        return await self._come_in("auth.sso", "/api/auth/oidc/collect", said, with_key=with_key)

    async def _come_in(
        self, operation: str, path: str, said: Callable[[str | None], object], *, with_key: bool
    ) -> User:
        """The session that a proof opens, kept; `said`: the proof, with the public half of the device's key."""
        async with self._alone():
            signer = WriteSigner(ed25519.new_seed(), self._clock.now) if with_key else None
            with signing_as(signer):
                reply = await self._call(operation, path, encode(said(signer.public_hex if signer else None)))
            signed_in = session_answers.signed_in(reply)
            device_key = signer.seed_hex if signer else None
            self._keep(self._credentials(reply, email=signed_in.user.email, device_key=device_key))
            # that it is open is said first: the store may fail when it is left
            self._became(SessionState("signed_in", email=signed_in.user.email, user_id=signed_in.userId))
        return signed_in.user

    async def enter(self, secret: str, *, verifier: str | None = None) -> GuestSession:
        """Come in as a guest, by the secret of a link (what follows its `#`): this session reads what was shown.

        `verifier`: 32 bytes in hex, for who would repeat this later; with the same one it lets in for two minutes.

        Raises:
            Unauthorized: `link_refused`: it was used, revoked, or is too old.
            NetworkError: as `renew`; but the link may be used: it was repeated in vain.
        """
        body = encode(EnterAsGuest(secret=secret, verifier=verifier or fresh_nonce()))
        async with self._alone():
            entered = session_answers.guest_session(
                await self._call("guests.enter", "/api/guests/enter", body, retry=True)
            )
            self._keep(self._guests_credentials(entered))
            self._became(SessionState("signed_in"))
        return entered

    async def sign_out(self) -> None:
        """Forget the tokens here, and end the session at the server if it can be reached.

        Raises:
            NetworkError, Unavailable: forgotten here, but the server was not told; `store_busy`: nothing was done.
            StorageFailed: the server was told, but the store still holds something.
        """
        held, failed = None, None
        try:
            async with self._alone():
                held = self._load()
                with contextlib.ExitStack() as forgotten:
                    forgotten.callback(self._became, SessionState("signed_out"))
                    self._current = None
                    self._store.clear()
        except AutopilotError as error:
            failed = error
        if held is not None:  # the more so where the store may still hold it
            await self._end_at_server(held)
        if failed is not None:
            raise failed

    async def _end_at_server(self, held: Credentials) -> None:
        """End the session: by what is held, or where that token is over and the session may not be, by another."""
        with signing_as(self._signing.signer_of(held)):
            try:
                await self._end_by(held.access_token)
            except Unauthorized:
                if held.refresh_token is None or held.refresh_token == self._refused:
                    return
            else:
                return
            try:
                renewed = await self._refreshed(held, held.refresh_token)
            except Unauthorized:
                return  # it was over already
            await self._end_by(renewed.access_token)

    async def _end_by(self, token: str) -> None:
        bearer = {"authorization": f"Bearer {token}"}
        await self._http.call(
            "auth.sign_out",
            "POST",
            "/api/auth/signout",
            headers=bearer,
            timeout_seconds=AUTH_TIMEOUT_SECONDS,
            whole_seconds=AUTH_WHOLE_SECONDS,
        )

    # Inside.

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Hold off everybody who shares the store.

        Raises:
            NetworkError: somebody holds it, and doesn't end (`reason_code: store_busy`).
        """
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._store.exclusive())
            except TimeoutError as error:
                raise NetworkError("another process is refreshing and doesn't end", reason_code="store_busy") from error
            yield

    async def _call(self, operation: str, path: str, body: Any, *, retry: bool = False) -> Any:
        reply = await self._http.call(
            operation,
            "POST",
            path,
            body=body,
            retry=retry,
            timeout_seconds=AUTH_TIMEOUT_SECONDS,
            whole_seconds=AUTH_WHOLE_SECONDS,
        )
        return reply.body

    def _load(self) -> Credentials | None:
        held = self._store.load()
        ours = held is not None and held.base_url in (None, self._http.base_url)
        self._current = held if ours else None
        return self._current

    def _keep(self, credentials: Credentials) -> None:
        self._store.save(credentials)
        self._current = credentials

    def _held(self) -> Credentials:
        held = self._load()
        if held is None:
            raise self._over(None)
        return held

    def _ends_soon(self, held: Credentials) -> bool:
        if held.expires_at is None:
            return False
        ahead_seconds = REFRESH_AHEAD_SECONDS
        if held.lives_seconds is not None:
            ahead_seconds = min(ahead_seconds, held.lives_seconds * REFRESH_AHEAD_SHARE)
        return held.expires_at - self._clock.now() < timedelta(seconds=ahead_seconds)

    def _credentials(self, body: Any, *, email: str | None, device_key: str | None) -> Credentials:
        signed_in = session_answers.signed_in(body)
        return Credentials(
            access_token=signed_in.token,
            refresh_token=signed_in.refresh_token,
            expires_at=self._clock.now() + timedelta(seconds=signed_in.expires_in),
            user_id=signed_in.userId,
            email=email or signed_in.user.email,
            base_url=self._http.base_url,
            lives_seconds=signed_in.expires_in,
            device_key=device_key,
        )

    def _guests_credentials(self, entered: GuestSession) -> Credentials:
        return Credentials(
            access_token=entered.token,
            refresh_token=entered.refresh_token,
            expires_at=self._clock.now() + timedelta(seconds=entered.expires_in),
            base_url=self._http.base_url,
            lives_seconds=entered.expires_in,
            guest_scope=entered.guest_scope,
        )

    def _over(self, reason: AutopilotError | None) -> SignInAgain:
        self._became(SessionState("signed_out", reason=reason))
        if reason is None:
            return SignInAgain("nobody is signed in", reason_code="signed_out")
        return SignInAgain(reason.message, details=reason.details, request_id=reason.request_id)

    def _became(self, state: SessionState) -> None:
        known, self._state = self._state, state
        if known is not None and (known.kind, known.user_id) == (state.kind, state.user_id):
            return
        log.record("session.state", state=state.kind, reason_code=state.reason.reason_code if state.reason else None)
        for listener in tuple(self._listeners):
            listener(state)


def _signed_in(held: Credentials) -> SessionState:
    return SessionState("signed_in", email=held.email, user_id=held.user_id)
