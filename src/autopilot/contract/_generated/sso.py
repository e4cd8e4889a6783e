# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Signing in with the organisation's own provider (OpenID Connect)."""

from dataclasses import dataclass


__all__ = ["BeginSso", "BegunSso", "CollectSso", "SsoOffer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoOffer:
    """What single sign-on there is."""

    name: str
    """What people call the provider: `Example Corp`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginSso:
    """Body that begins a sign-in with the provider."""

    challenge: str
    """SHA-256 of the verifier, which the device made itself and keeps: 64 hex digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunSso:
    """A sign-in that was begun."""

    url: str
    """What a browser is to open."""
    name: str
    """What people call the provider."""
    expires_in: int
    """How long it may take, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectSso:
    """Body that fetches the tokens of a sign-in that was finished in the browser."""

    verifier: str
    """What the challenge is the digest of: 32 bytes in hex."""
    code: str
    """The code that the browser shows."""
    device_name: str | None = None
    """What its owner calls the device that signs in."""
    device_platform: str | None = None
    """What it runs on, for people: `iOS 26`."""
    public_key: str | None = None
    """The Ed25519 key that signs the device's writes, this one already; in hex."""
