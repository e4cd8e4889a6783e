"""Pairing, both sides of it, without a screen: what to send, when, and the words to show (docs/protocol.md, "Pairing").

`Approver` is the side of a person who is signed in, `Joiner` what is to be let in. Each looks at what the server says
against what it sent and saw itself, and raises where that differs: no words are shown then. Relies on whoever shows
them to call `step` about once a second. Never prints; keeps tokens nowhere but in the store that it is given.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from autopilot.client import session_answers
from autopilot.client.calls import one
from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.client.http import Http
from autopilot.client.pairing_words import PairingTampered, commitment_of, fresh_nonce
from autopilot.client.tokens import Credentials, TokenStore
from autopilot.client.write_signer import WriteSigner
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
    RequestPairing,
    SignedIn,
    StartedPairing,
    decode,
    encode,
)

POLL_SECONDS = 1.0
OVER = frozenset({"done", "declined", "expired"})
PATH = "/api/pairing"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a QR code or link says: which server, and the secret."""

    server: str
    secret: str

    def __repr__(self) -> str:
        return f"Invitation(server={self.server!r}, secret hidden)"


def app_link(server: str, secret: str) -> str:
    """The link that the app opens, for a QR code. The secret is in the fragment, which travels to no server."""
    return f"autopilot://pair?{urlencode({'server': server})}#{secret}"


def web_link(server: str, secret: str) -> str:
    """The link that a browser opens; the secret as above."""
    return f"{server.rstrip('/')}/pair#{secret}"


@dataclass(slots=True)
class Seen:
    """What this side knows of a pairing: what it sent itself, and what it saw first, against what is said later."""

    nonce: str
    is_starter: bool
    device: PairingDevice | None = None
    """Of `Joiner`: what it said of itself."""
    first: Pairing | None = None

    def is_turn(self, pairing: Pairing) -> bool:
        """Whether this side is to say its nonce: once all that the words are made of is fixed but that.

        Raises:
            PairingTampered: it is to be said before; whoever hears it could choose the rest to make the words fit.
        """
        if pairing.state != ("answered" if self.is_starter else "claimed"):
            return False
        if pairing.device is None or (self.is_starter and pairing.claimer_nonce is None):
            raise PairingTampered("the server asks for this side's nonce before the other side is fixed")
        return True

    def check(self, pairing: Pairing) -> Pairing:
        """The pairing, where all that was settled is as it was.

        Raises:
            PairingTampered: it isn't.
        """
        first = self.first or pairing
        settled = replace(
            pairing,
            pairing_id=first.pairing_id,
            way=first.way,
            kind=first.kind,
            commitment=commitment_of(self.nonce) if self.is_starter else first.commitment,
            claimer_nonce=first.claimer_nonce or pairing.claimer_nonce,
            device=self.device or first.device or pairing.device,
        )
        own = pairing.starter_nonce if self.is_starter else pairing.claimer_nonce
        if settled != pairing or own not in {None, self.nonce}:
            raise PairingTampered("the server says something else now than before, or than this side sent")
        self.first = pairing
        return pairing


def _text_of(seen: Seen | None, **fields: object) -> str:
    """What a side knows, as text."""
    if seen is not None:
        fields |= {"is_starter": seen.is_starter, "first": encode(seen.first) if seen.first else None}
    return json.dumps(fields)


def _seen_in(fields: dict[str, Any], nonce: str, device: PairingDevice | None) -> Seen | None:
    first = fields.get("first")
    if not isinstance(first, dict):
        return None
    return Seen(nonce, fields["is_starter"] is True, device, decode(Pairing, first))


def _fields_in(text: str) -> dict[str, Any]:
    """What was written by `saved`.

    Raises:
        ValueError: it was not.
    """
    fields = json.loads(text)
    if not isinstance(fields, dict) or not isinstance(fields.get("nonce"), str):
        raise ValueError("no state of a pairing")  # noqa: TRY004 - whatever is wrong with the text, it is one error
    return fields


@dataclass(slots=True)
class Approver:
    """The side of a person who is signed in: `offer` or `find`, then `step` until there are words, then decide."""

    http: Http
    nonce: str = field(default_factory=fresh_nonce, repr=False)
    _seen: Seen | None = field(default=None, init=False)
    _pairing_id: str = field(default="", init=False)

    async def offer(self, kind: str) -> StartedPairing:
        """Begin one; its secret and code are to be shown.

        Raises:
            RateLimited: too many are under way.
        """
        body = encode(OfferPairing(kind=kind, commitment=commitment_of(self.nonce)))
        started = one(StartedPairing, await self.http.call("pairing.offer", "POST", PATH, body=body, retry=False))
        self._saw(started.pairing, is_starter=True)
        return started

    async def find(self, credential: str) -> Pairing:
        """Take up what asks to be let in, by its secret or short code.

        Raises:
            NotFound: nothing asks so.
        """
        body = encode(FindPairing(credential=credential))
        found = one(Pairing, await self.http.call("pairing.find", "POST", f"{PATH}/find", body=body))
        return self._saw(found, is_starter=False)

    async def step(self) -> Pairing:
        """Look, and send this side's nonce when it is its turn.

        Raises:
            PairingTampered: show nothing, decline.
        """
        pairing = self._saw(one(Pairing, await self.http.call("pairing.show", "GET", self._path())))
        assert self._seen is not None
        if self._seen.is_turn(pairing):
            body = encode(AnswerPairing(nonce=self.nonce))
            reply = await self.http.call("pairing.nonce", "POST", self._path("/nonce"), body=body)
            pairing = self._saw(one(Pairing, reply))
        return pairing

    async def accept(self, words: tuple[str, ...]) -> Pairing:
        """Let it in: a person said that these words are on both screens.

        Raises:
            Forbidden: `step_up_required`.
            Conflict: it is over, or these are not its words.
        """
        return await self._decide(DecidePairing(accept=True, words=" ".join(words)))

    async def decline(self) -> Pairing:
        """Let it not in.

        Raises:
            Conflict: it is over.
        """
        return await self._decide(DecidePairing(accept=False))

    def saved(self) -> str:
        """All that this side knows, as text: for an app that may be ended meanwhile. Secret: keep it from others."""
        return _text_of(self._seen, nonce=self.nonce, pairing_id=self._pairing_id)

    @classmethod
    def restored(cls, http: Http, text: str) -> Approver:
        """This side again, from what `saved` said.

        Raises:
            ValueError: it did not say this.
        """
        fields = _fields_in(text)
        made = cls(http, fields["nonce"])
        made._pairing_id = str(fields.get("pairing_id"))
        made._seen = _seen_in(fields, made.nonce, None)
        return made

    async def _decide(self, decision: DecidePairing) -> Pairing:
        body = encode(decision)
        return one(Pairing, await self.http.call("pairing.decide", "POST", self._path("/decision"), body=body))

    def _path(self, rest: str = "") -> str:
        return f"{PATH}/{quote(self._pairing_id, safe='')}{rest}"

    def _saw(self, pairing: Pairing, *, is_starter: bool = False) -> Pairing:
        if self._seen is None:
            self._seen, self._pairing_id = Seen(self.nonce, is_starter), pairing.pairing_id
        return self._seen.check(pairing)


@dataclass(slots=True)
class Joiner:
    """What is to be let in: `request` or `claim` first, then `step` until it is confirmed, then `collect`."""

    http: Http
    device: PairingDevice
    """As it is to be listed: its names without blanks around them, None where there is none."""
    signer: WriteSigner | None = None
    """Of the key that signs its writes from the first one on; the words cover it. None: it gets none."""
    nonce: str = field(default_factory=fresh_nonce, repr=False)
    ticket: str = field(default_factory=fresh_nonce, repr=False)
    clock: Clock = SYSTEM_CLOCK
    _seen: Seen | None = field(default=None, init=False)
    _credential: str = field(default="", init=False, repr=False)

    async def request(self, kind: str) -> StartedPairing:
        """Begin one; its secret and code are to be shown.

        Raises:
            RateLimited: too many are under way.
        """
        self._introduce()
        body = RequestPairing(kind=kind, commitment=commitment_of(self.nonce), ticket=self.ticket, device=self.device)
        reply = await self.http.call("pairing.request", "POST", f"{PATH}/request", body=encode(body), retry=False)
        started = one(StartedPairing, reply)
        self._credential = started.secret
        self._saw(started.pairing, is_starter=True)
        return started

    async def claim(self, credential: str) -> Pairing:
        """Take up an offer, by its secret or short code.

        Raises:
            NotFound: there is none, or somebody else took it up.
        """
        self._introduce()
        body = encode(ClaimPairing(credential=credential, ticket=self.ticket, device=self.device))
        self._credential = credential
        claimed = one(Pairing, await self.http.call("pairing.claim", "POST", f"{PATH}/claim", body=body))
        return self._saw(claimed, is_starter=False)

    async def step(self) -> Pairing:
        """Look, and send this side's nonce when it is its turn.

        Raises:
            PairingTampered: show nothing, give up.
        """
        pairing = await self._ask(AskPairing(ticket=self.ticket))
        assert self._seen is not None
        if self._seen.is_turn(pairing):
            pairing = await self._ask(AskPairing(ticket=self.ticket, nonce=self.nonce))
        return pairing

    async def collect(self, store: TokenStore) -> SignedIn:
        """Fetch the tokens of a confirmed pairing into `store`. Repeating it is safe until they are used.

        Raises:
            Conflict: it is not confirmed yet.
            NotFound: it was declined, or is over.
        """
        body = encode(CollectPairing(ticket=self.ticket, credential=self._credential))
        async with store.exclusive():
            reply = await self.http.call("pairing.collect", "POST", f"{PATH}/collect", body=body)
            made = session_answers.signed_in(reply.body)
            store.save(
                Credentials(
                    access_token=made.token,
                    refresh_token=made.refresh_token,
                    expires_at=self.clock.now() + timedelta(seconds=made.expires_in),
                    user_id=made.userId,
                    email=made.user.email,
                    base_url=self.http.base_url,
                    lives_seconds=made.expires_in,
                    device_key=None if self.signer is None else self.signer.seed_hex,
                )
            )
        return made

    def saved(self) -> str:
        """All that this side knows, but for the key that signs, as text; as `Approver.saved`."""
        return _text_of(
            self._seen,
            nonce=self.nonce,
            ticket=self.ticket,
            credential=self._credential,
            device=encode(self.device),
        )

    @classmethod
    def restored(cls, http: Http, text: str) -> Joiner:
        """This side again, from what `saved` said.

        Raises:
            ValueError: it did not say this.
        """
        fields = _fields_in(text)
        device = decode(PairingDevice, fields.get("device"))
        made = cls(http, device, nonce=fields["nonce"], ticket=str(fields.get("ticket")))
        made._credential = str(fields.get("credential"))
        made._seen = _seen_in(fields, made.nonce, device)
        return made

    def _introduce(self) -> None:
        """Say which key signs, where there is one, and sign with it."""
        if self.signer is not None:
            self.device = replace(self.device, public_key=self.signer.public_hex)
            self.http.sign_with(self.signer)

    async def _ask(self, asked: AskPairing) -> Pairing:
        reply = await self.http.call("pairing.state", "POST", f"{PATH}/state", body=encode(asked))
        return self._saw(one(Pairing, reply))

    def _saw(self, pairing: Pairing, *, is_starter: bool = False) -> Pairing:
        if self._seen is None:
            self._seen = Seen(self.nonce, is_starter, self.device)
        return self._seen.check(pairing)
