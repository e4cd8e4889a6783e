"""The way in, of an app that nobody is signed in to yet: which server, who, and the proof; or a pairing.

Owns how far somebody has come, what they typed, and what went wrong; a screen draws `view` and calls what is asked for.
A device that comes in gets a key of its own, which signs its writes. What came in is kept, with its server, when it was
found to be a phone's: a session that may do more, or whose person went back, is ended at once. Relies on `Session` and
`Joiner` for the calls and on a `Keychain` for what is kept. Never draws.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

import httpx2

from autopilot.client import ed25519
from autopilot.client.addresses import AddressRefused, PairLink, ServerAddress, read_deep_link, server_address
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.clock import SYSTEM_CLOCK, Clock, Woken, unless, within
from autopilot.client.http import Http
from autopilot.client.keychain import Kept, Keychain, KeychainTokenStore, StorageFailed, check_scopes
from autopilot.client.pairing import OVER, POLL_SECONDS, Joiner
from autopilot.client.pairing_words import PairingTampered, words_of
from autopilot.client.presenters import errors
from autopilot.client.session import Session
from autopilot.client.tokens import MemoryTokenStore
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
Changes = dict[str, object]
"""Of a view: what a step comes to."""
LEAVE_SECONDS = 5.0
"""A server that can't be told by then that a session is given back is not told."""
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
        self._left = asyncio.Event()
        """Set when somebody goes back: what is under way then comes to nothing."""
        self._link: PairLink | None = None
        self._before: SigningInView | None = None
        """Where somebody was when a link opened the app."""
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

        async def ask() -> Changes:
            async with self._session(MemoryTokenStore()) as session:
                await session.request_code(self.view.email)
            return {"step": "code"}

        await self._try(ask)

    async def give_code(self, code: str) -> None:
        """The code that came."""

        async def verify() -> Changes:
            fresh = MemoryTokenStore()
            async with self._session(fresh) as session:
                await session.verify(
                    code,
                    email=self.view.email,
                    device_name=self._name,
                    device_platform=self._platform,
                    with_key=True,
                )
            return await self._done(fresh)

        await self._try(verify)

    def invited(self, link: PairLink) -> None:
        """A link has opened the app: nobody knows who wrote it, so that it is only shown where it leads.

        Not while something else is under way: a link of somebody's must not change the server of a sign-in.
        """
        if not self.view.is_busy:
            self._link = link
            self._before = self.view if self.view.step != "invited" else self._before
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
        """One step back; what was typed stays, and what is under way comes to nothing.

        From a link that is not wanted: to where one was, at the server that one had chosen.
        """
        self._left.set()
        before, self._link, self._before = self._before, None, None
        if self.view.step == "invited" and before is not None:
            self._became(step=before.step, server=before.server, problem=None, is_busy=False)
            return
        steps: dict[Step, Step] = {"email": "server", "code": "email", "words": "server", "invited": "server"}
        self._became(step=steps.get(self.view.step, "server"), words=(), problem=None, is_busy=False)

    # Inside. A step returns what it changes in the view, which counts where nobody went back meanwhile.

    async def _join(self, credential: str) -> Changes:
        http = Http(self._url, tokens=None, **self._wiring)
        device = PairingDevice(
            device_name=self._name,
            device_platform=self._platform,
            installation_id=f"ios-{await self._keychain.device_id()}",
        )
        joiner = Joiner(http, device, WriteSigner(ed25519.new_seed(), self._clock.now), clock=self._clock)
        left = self._left
        try:
            await joiner.claim(credential)
            self._moved(left, step="words")
            while True:
                pairing = await joiner.step()
                self._moved(left, words=words_of(pairing) or (), account=pairing.account)
                if pairing.state in {"confirmed", "done"}:
                    fresh = MemoryTokenStore()
                    await joiner.collect(fresh)
                    return await self._done(fresh)
                if pairing.state in OVER:
                    return {"step": "server", "words": (), "problem": ENDS.get(pairing.state, ENDS["expired"])}
                await self._clock.sleep(POLL_SECONDS)
        except PairingTampered:
            return {"step": "server", "words": (), "problem": TAMPERED}
        finally:
            await http.aclose()

    async def _done(self, fresh: MemoryTokenStore) -> Changes:
        """It has tokens: those of a phone are kept, with their server; others are given back."""
        left = self._left
        async with self._session(fresh) as session, RuntimeCodexClient(self._url, session, **self._wiring) as client:
            try:
                check_scopes((await client.me()).scopes)
                if left.is_set():
                    raise Woken
            except BaseException:
                with suppress(AutopilotError, TimeoutError):
                    await within(self._clock, LEAVE_SECONDS, session.sign_out)
                raise
        credentials = fresh.load()
        assert credentials is not None, "somebody has just come in"
        self._keychain.stage(Kept.SERVER, self._url)
        self._store.save(credentials)
        self._moved(left, step="done")
        with suppress(StorageFailed):  # it holds for as long as the app runs, and is tried again (`Keychain`)
            await self._keychain.settle()
        return {"step": "done"}

    async def _try(self, step: Callable[[], Awaitable[Changes]]) -> None:
        if self.view.is_busy:
            return
        self._left = left = asyncio.Event()
        self._became(is_busy=True, problem=None)
        changes: Changes = {}
        try:
            changes = await unless(left, step)
        except Woken:
            return
        except AutopilotError as error:
            changes = {"problem": errors.words(error)}
        finally:
            self._moved(left, is_busy=False, **changes)

    @property
    def _url(self) -> str:
        assert self.view.server is not None, "a server was chosen before"
        return self.view.server.url

    def _session(self, store: MemoryTokenStore) -> Session:
        return Session(self._url, store, **self._wiring)

    def _moved(self, left: asyncio.Event, **changed: object) -> None:
        """A step came to this; nothing, where somebody left it."""
        if not left.is_set():
            self._became(**changed)

    def _became(self, **changed: object) -> None:
        view = replace(self.view, **changed)  # pyrefly: ignore[bad-argument-type] - the fields of the view, by name
        if view != self.view:
            self.view = view
            for listener in tuple(self._listeners):
                listener(view)
