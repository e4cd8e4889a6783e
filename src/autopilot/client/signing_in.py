"""The way in, of an app that nobody is signed in to yet: which server, who, and the proof; or a pairing.

Owns how far somebody has come, what they typed, and what went wrong; a screen draws `view` and calls what is asked for.
A device that comes in gets a key of its own, which signs its writes. A session that may do more than a phone needs is
ended at once. Relies on `Session` and `Joiner` for the calls and on a `Keychain` for what is kept. Never draws.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

import httpx2

from autopilot.client import ed25519
from autopilot.client.addresses import AddressRefused, PairLink, ServerAddress, read_deep_link, server_address
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.client.http import Http
from autopilot.client.keychain import Kept, Keychain, KeychainTokenStore, check_scopes
from autopilot.client.pairing import OVER, POLL_SECONDS, Joiner
from autopilot.client.pairing_words import PairingTampered, words_of
from autopilot.client.presenters import errors
from autopilot.client.session import Session
from autopilot.client.write_signer import WriteSigner
from autopilot.contract import PairingDevice
from autopilot.contract.errors import AutopilotError

Step = Literal["server", "invited", "email", "code", "words", "done"]
"""
server  where the server is, or a pairing code or link
invited a link has opened the app: whether to pair with that server
email   whose mail a code goes to
code    the code
words   a pairing: the words that must be on both screens
done    somebody is signed in
"""
TAMPERED = "Something between this phone and the other device does not add up. Nothing was let in. Begin anew."
NAME_CHARACTERS = 100
ENDS = {
    "declined": "It was declined on the other device.",
    "expired": "Five minutes are over. Begin anew.",
    "done": "This was done already.",
}


@dataclass(frozen=True, slots=True)
class SigningInView:
    """How far it is."""

    step: Step = "server"
    server: ServerAddress | None = None
    email: str = ""
    words: tuple[str, ...] = ()
    """Of a pairing; empty until both sides have said theirs."""
    account: str | None = None
    """Whose the other device is."""
    is_busy: bool = False
    problem: str | None = None
    """What went wrong with the last step, and what to do."""


class SigningIn:
    """One way in, from its beginning."""

    def __init__(
        self,
        keychain: Keychain,
        *,
        device_name: str,
        platform: str,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """`device_name`, `platform`: as the device is listed."""
        self._keychain = keychain
        self._store = KeychainTokenStore(keychain)
        self._name = "".join(letter for letter in device_name if letter.isprintable()).strip()[:NAME_CHARACTERS] or None
        self._platform = platform
        self._clock = clock
        self._wiring: dict[str, Any] = {"surface": "ios", "transport": transport, "clock": clock}
        self._joiner: Joiner | None = None
        self._link: PairLink | None = None
        self._listeners: list[Callable[[SigningInView], None]] = []
        self.view = SigningInView()
        if (known := keychain.get(Kept.SERVER)) is not None:
            with suppress(AddressRefused):  # of an older version, which took more
                self.view = replace(self.view, server=server_address(known), step="email")

    def subscribe(self, listener: Callable[[SigningInView], None]) -> Callable[[], None]:
        """Call `listener` whenever `view` is another; returns what cancels that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    # Steps. None of them raises: what goes wrong is `view.problem`, and the step stays.

    async def choose_server(self, written: str) -> None:
        """Go to this address, or take up the pairing that a link says."""
        try:
            link = read_deep_link(written)
            if isinstance(link, PairLink):
                await self.join(link)
                return
            server = server_address(written)
        except AddressRefused as refused:
            self._became(problem=refused.message)
            return
        self._became(step="email", server=server, problem=None)

    async def ask_code(self, email: str) -> None:
        """Have a code sent there."""
        self._became(email=email.strip())

        async def ask() -> None:
            async with self._session() as session:
                await session.request_code(self.view.email)
            self._became(step="code")

        await self._try(ask)

    async def give_code(self, code: str) -> None:
        """The code that came."""

        async def verify() -> None:
            async with self._session() as session:
                await session.verify(
                    code,
                    email=self.view.email,
                    device_name=self._name,
                    device_platform=self._platform,
                    with_key=True,
                )
            await self._done()

        await self._try(verify)

    def invited(self, link: PairLink) -> None:
        """A link has opened the app: nobody knows who wrote it, so that it is only shown where it leads.

        Not while something else is under way: a link of somebody's must not change the server of a sign-in.
        """
        if not self.view.is_busy:
            self._link = link
            self._became(step="invited", server=link.server, words=(), account=None, problem=None)

    async def accept(self) -> None:
        """Take up the pairing that the link offers."""
        if self._link is not None:
            await self.join(self._link)

    async def join(self, link: PairLink) -> None:
        """Take up a pairing, and wait until it is confirmed on the other device, refused, or over.

        Not while something else is under way: a link of somebody's must not change the server of a sign-in.
        """
        if self.view.is_busy:
            return
        self._became(server=link.server, words=(), account=None)
        await self._try(lambda: self._join(link.secret))

    async def join_by_code(self, code: str) -> None:
        """The same by the short code, at the server that was chosen."""
        await self._try(lambda: self._join(code))

    def back(self) -> None:
        """One step back; what was typed stays."""
        self._joiner = self._link = None
        steps: dict[Step, Step] = {"email": "server", "code": "email", "words": "server", "invited": "server"}
        self._became(step=steps.get(self.view.step, "server"), problem=None, is_busy=False)

    # Inside.

    async def _join(self, credential: str) -> None:
        http = Http(self._url, tokens=None, **self._wiring)
        device = PairingDevice(
            device_name=self._name,
            device_platform=self._platform,
            installation_id=f"ios-{await self._keychain.device_id()}",
        )
        joiner = Joiner(http, device, WriteSigner(ed25519.new_seed(), self._clock.now), clock=self._clock)
        self._joiner = joiner
        try:
            await joiner.claim(credential)
            self._became(step="words")
            while self._joiner is joiner:
                pairing = await joiner.step()
                self._became(words=words_of(pairing) or (), account=pairing.account)
                if pairing.state in {"confirmed", "done"}:
                    await joiner.collect(self._store)
                    await self._done()
                    return
                if pairing.state in OVER:
                    self._became(step="server", words=(), problem=ENDS.get(pairing.state, ENDS["expired"]))
                    return
                await self._clock.sleep(POLL_SECONDS)
        except PairingTampered:
            self._became(step="server", words=(), problem=TAMPERED)
        finally:
            await http.aclose()

    async def _done(self) -> None:
        """It has tokens: those of a phone, else they are given back."""
        async with self._session() as session, RuntimeCodexClient(self._url, session, **self._wiring) as client:
            try:
                check_scopes((await client.me()).scopes)
            except AutopilotError:
                await session.sign_out()
                raise
        await self._keychain.put(Kept.SERVER, self._url)
        self._became(step="done")

    async def _try(self, step: Callable[[], Awaitable[None]]) -> None:
        if self.view.is_busy:
            return
        self._became(is_busy=True, problem=None)
        try:
            await step()
        except AutopilotError as error:
            self._became(problem=errors.words(error))
        finally:
            self._became(is_busy=False)

    @property
    def _url(self) -> str:
        assert self.view.server is not None, "a server was chosen before"
        return self.view.server.url

    def _session(self) -> Session:
        return Session(self._url, self._store, **self._wiring)

    def _became(self, **changed: object) -> None:
        view = replace(self.view, **changed)  # pyrefly: ignore[bad-argument-type] - the fields of the view, by name
        if view != self.view:
            self.view = view
            for listener in tuple(self._listeners):
                listener(view)
