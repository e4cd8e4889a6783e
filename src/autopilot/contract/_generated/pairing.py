# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Pairing: letting a device or machine in by having it beside a person who is signed in."""

from dataclasses import dataclass
from enum import StrEnum


__all__ = [
    "AnswerPairing",
    "AskPairing",
    "ClaimPairing",
    "CollectPairing",
    "DecidePairing",
    "FindPairing",
    "OfferPairing",
    "Pairing",
    "PairingDevice",
    "PairingKind",
    "PairingState",
    "PairingWay",
    "RequestPairing",
    "StartedPairing",
]


class PairingWay(StrEnum):
    """Who began."""

    OFFER = "offer"
    """A person who is signed in shows a secret; what is to be let in reads it."""
    REQUEST = "request"
    """What is to be let in shows a secret; a person who is signed in reads it."""


class PairingKind(StrEnum):
    """What is let in."""

    DEVICE = "device"
    """A person's device: `observe` and `administer`."""
    MACHINE = "machine"
    """A machine with a companion: `execute`, bound to it."""


class PairingState(StrEnum):
    """How far it is."""

    OPEN = "open"
    """Nobody has read the secret yet."""
    CLAIMED = "claimed"
    """The other side is there; it sends its nonce next."""
    ANSWERED = "answered"
    """The nonce of the other side is there; the side that began reveals its own next."""
    COMPARED = "compared"
    """Both sides can show the words."""
    CONFIRMED = "confirmed"
    """The person said that the words are the same."""
    DONE = "done"
    """The tokens were fetched."""
    DECLINED = "declined"
    """The person said no."""
    EXPIRED = "expired"
    """Five minutes are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingDevice:
    """What is to be let in says of itself."""

    device_name: str | None = None
    """What its owner will call it."""
    device_platform: str | None = None
    """What it runs on, for people: `iOS 26`."""
    installation_id: str | None = None
    """Made once by an installation of the client and kept: paired again, it is the same device."""
    machine_id: str | None = None
    """The machine that it is; needed for a machine."""
    public_key: str | None = None
    """The Ed25519 key that signs its writes from its first one on, in lower-case hex; only a device's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferPairing:
    """Body that begins a pairing at the side of a person who is signed in."""

    kind: str
    """Who may come, of PairingKind. (`PairingKind`)"""
    commitment: str
    """SHA-256 of the nonce that this side reveals later, in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPairing:
    """Body that begins a pairing at the side of what is to be let in."""

    kind: str
    """What it is, of PairingKind. (`PairingKind`)"""
    commitment: str
    """SHA-256 of the nonce that this side reveals later, in hex."""
    ticket: str
    """Known to this side alone: 32 bytes in hex. By it the server knows this side again."""
    device: PairingDevice
    """Who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPairing:
    """Body with which what is to be let in takes up an offer."""

    credential: str
    """The secret of the QR code or link, or the short code."""
    ticket: str
    """Known to this side alone: 32 bytes in hex. By it the server knows this side again."""
    device: PairingDevice
    """Who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPairing:
    """Body with which a person takes up what asks to be let in."""

    credential: str
    """The secret of the QR code or link, or the short code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPairing:
    """Body with which what is to be let in asks how far it is, and sends its nonce."""

    ticket: str
    """Its ticket."""
    nonce: str | None = None
    """Its nonce, when it is its turn: 32 bytes in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPairing:
    """Body with which a person's side sends its nonce."""

    nonce: str
    """The nonce: 32 bytes in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidePairing:
    """Body that says whether the words are the same on both screens."""

    accept: bool
    """True lets it in."""
    words: str | None = None
    """The words that this side showed, with blanks between; needed to accept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectPairing:
    """Body that fetches the tokens of a confirmed pairing."""

    ticket: str
    """The ticket."""
    credential: str
    """The secret or short code, again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """A pairing, as both sides see it."""

    pairing_id: str
    """Which one; no secret."""
    way: str
    """Who began. (`PairingWay`)"""
    kind: str
    """What is let in. (`PairingKind`)"""
    state: str
    """How far it is. (`PairingState`)"""
    expires_at: str
    """When it ends."""
    device: PairingDevice | None = None
    """Who is to be let in; null until it is there."""
    device_address: str | None = None
    """Where that calls from: an IPv4 address or an IPv6 /64."""
    account: str | None = None
    """The e-mail address of the person; null until there is one, and for an owner without."""
    commitment: str
    """What the side that began committed itself to."""
    claimer_nonce: str | None = None
    """The nonce of the side that came; null until it was sent."""
    starter_nonce: str | None = None
    """The nonce of the side that began; null until it was revealed."""
    wrong_codes: int
    """How many wrong short codes were tried on it."""
    contested: bool
    """Whether somebody else came with the right secret after it was taken up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedPairing:
    """A pairing that was begun, with what is shown, once."""

    pairing: Pairing
    """The pairing."""
    secret: str
    """For a QR code or link: good once, for five minutes."""
    code: str
    """For typing."""
