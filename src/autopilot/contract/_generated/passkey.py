# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Passkeys: signing in and stepping up with a key that a phone, computer or security key guards (WebAuthn, level
3).
"""

from dataclasses import dataclass
from typing import Any


__all__ = [
    "AssertionCredential",
    "AssertionResponse",
    "AttestationResponse",
    "Passkey",
    "PasskeyCeremony",
    "PasskeyRemoved",
    "RegisterPasskey",
    "RegistrationCredential",
    "RenamePasskey",
    "SignInByPasskey",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One that a user has registered."""

    passkey_id: str
    """Which one; not the id that its authenticator gave it."""
    name: str
    """What its owner calls it."""
    created_at: str
    """When it was registered."""
    last_used_at: str | None = None
    """When it was used last; null: never."""
    backup_eligible: bool
    """Whether its owner's other devices may have it too."""
    backed_up: bool
    """Whether they had when it was used last."""
    transports: tuple[str, ...] = ()
    """How it can be reached, as its authenticator said: `internal`, `hybrid`, `usb`, …"""
    rp_id: str
    """The name of the site that it is for; it works there only."""
    suspected_at: str | None = None
    """When a copy of it showed up: it proves nothing since. Null: none has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyCeremony:
    """What a browser or app hands to its authenticator, and how its answer is known again."""

    ceremony: str
    """A secret of this one try; it goes back with the answer."""
    expires_in: int
    """For how many seconds the answer is taken, once."""
    options: dict[str, Any]
    """For `PublicKeyCredential.parseCreationOptionsFromJSON`, or `parseRequestOptionsFromJSON`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationResponse:
    """What an authenticator says of a key that it made."""

    clientDataJSON: str
    """What the browser was asked, and where; base64url."""
    attestationObject: str
    """The key; base64url."""
    transports: tuple[str, ...] = ()
    """How the authenticator can be reached; at most ten are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationCredential:
    """`PublicKeyCredential.toJSON()` of one that was created."""

    id: str
    """The credential's id; base64url."""
    rawId: str
    """The same."""
    type: str
    """`public-key`."""
    response: AttestationResponse
    """What the authenticator said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionResponse:
    """What an authenticator says to prove that it has a key."""

    clientDataJSON: str
    """What the browser was asked, and where; base64url."""
    authenticatorData: str
    """What the authenticator adds; base64url."""
    signature: str
    """Over both; base64url."""
    userHandle: str | None = None
    """Whose it is; base64url. Needed to sign in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionCredential:
    """`PublicKeyCredential.toJSON()` of one that was got."""

    id: str
    """The credential's id; base64url."""
    rawId: str
    """The same."""
    type: str
    """`public-key`."""
    response: AssertionResponse
    """What the authenticator said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterPasskey:
    """Body that registers a passkey."""

    ceremony: str
    """Of the options that it answers."""
    name: str | None = None
    """What to call it; without it, `Passkey`."""
    credential: RegistrationCredential
    """The answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInByPasskey:
    """Body that signs in with a passkey."""

    ceremony: str
    """Of the options that it answers."""
    credential: AssertionCredential
    """The answer."""
    device_name: str | None = None
    """What its owner calls the device that signs in."""
    device_platform: str | None = None
    """What it runs on, for people: `iOS 26`."""
    public_key: str | None = None
    """The Ed25519 key that signs the device's writes, this one already; in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenamePasskey:
    """Body that renames a passkey."""

    name: str
    """What to call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyRemoved:
    """Answer to a removal."""

    ok: bool
    """Always true."""
