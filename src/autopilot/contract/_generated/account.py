# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Accounts: signing in, sessions, devices."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autopilot.contract._generated.passkey import AssertionCredential

__all__ = [
    "AccountDeleted",
    "Device",
    "DeviceKey",
    "EmailSignIn",
    "EmailSignInSent",
    "Me",
    "RefreshBody",
    "RenameDevice",
    "Revoked",
    "Scope",
    "SignedIn",
    "SignedOut",
    "StepUp",
    "StepUpMethod",
    "SteppedUp",
    "User",
    "VerifyCode",
]


class Scope(StrEnum):
    """What a token may do. `administer` includes `observe`."""

    OBSERVE = "observe"
    """Read."""
    ADMINISTER = "administer"
    """Read, ask and stop."""
    EXECUTE = "execute"
    """Execute for the workers of one machine."""
    ADMIN = "admin"
    """Manage the installation."""


class StepUpMethod(StrEnum):
    """A way to prove who uses a session."""

    EMAIL_CODE = "email_code"
    """A code sent to the user's address."""
    PASSKEY = "passkey"
    """A passkey of the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person."""

    id: int
    """Positive."""
    email: str
    """The address a code is sent to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSignIn:
    """Body that asks for a sign-in code by e-mail."""

    email: str
    """Where to send it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSignInSent:
    """Answer: the code is on its way, if anybody may sign in with this address."""

    ok: bool
    """Always true."""
    expires_in: int | None = None
    """How long the code is good for, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyCode:
    """Body that turns a code into a session."""

    email: str | None = None
    """The address the code was sent to; may be missing where the code alone is enough."""
    code: str
    """The code."""
    device_name: str | None = None
    """What its owner calls the device that signs in."""
    device_platform: str | None = None
    """What it runs on, for people: `iOS 26`."""
    public_key: str | None = None
    """The Ed25519 key that signs the device's writes, this one already; in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUp:
    """Body that proves again who uses a session."""

    method: str | None = None
    """How; without it, `email_code`. (`StepUpMethod`)"""
    code: str | None = None
    """The proof by `email_code`; without it, a code is sent."""
    credential: AssertionCredential | None = None
    """The proof by `passkey`; without it, there are `options` in the answer."""
    ceremony: str | None = None
    """Of the options that the proof answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppedUp:
    """Answer to a step-up: a code is on its way, or the session is stepped up."""

    ok: bool
    """Always true."""
    stepped_up: bool
    """Whether the session is stepped up now."""
    expires_in: int
    """For how many seconds it is; or how long the code or the ceremony is good for."""
    methods: tuple[str, ...] = ()
    """The ways there are for this user. (`StepUpMethod`)"""
    ceremony: str | None = None
    """A secret of this one try, which goes back with the proof; null: no passkey was asked for."""
    options: dict[str, Any] | None = None
    """For `PublicKeyCredential.parseRequestOptionsFromJSON`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session: what signing in and refreshing answer."""

    ok: bool
    """Always true."""
    userId: int
    """The user's id."""
    user: User
    """The user."""
    token: str
    """Access token, for `Authorization: Bearer`."""
    refresh_token: str | None = None
    """Good once: for the next access token. Null for tokens that are not refreshed."""
    expires_in: int
    """How long the access token lives, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshBody:
    """Body that turns a refresh token into a new pair. The old one again revokes the whole family."""

    refresh_token: str
    """The refresh token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut:
    """Answer to a sign-out."""

    ok: bool
    """Always true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDeleted:
    """Answer: the account is deleted."""

    ok: bool
    """Always true."""
    user_id: int
    """Whose it was; nobody else is ever given this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device with a session of its own."""

    device_id: str
    """Which one."""
    name: str | None = None
    """What its owner calls it."""
    surface: str
    """The kind of client. (`Surface`)"""
    created_at: str | None = None
    """When it was first seen."""
    last_seen_at: str | None = None
    """When it was last seen, to the minute."""
    platform: str | None = None
    """What it runs on, for people."""
    address: str | None = None
    """The network address it was last seen at: an IPv4 address or an IPv6 /64."""
    current: bool | None = None
    """Whether it is the one that asks."""
    scopes: tuple[str, ...] = ()
    """What its session may do, of Scope. (`Scope`)"""
    machine_id: str | None = None
    """The machine that its session is bound to."""
    signs: bool | None = None
    """Whether its writes must be signed."""
    held_until: str | None = None
    """Until when it is held: it came in by mail, although its user has passkeys. Null: it isn't."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKey:
    """Body that registers a device's key; the call is signed by it."""

    public_key: str
    """An Ed25519 key, in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameDevice:
    """Body that renames a device."""

    name: str
    """What to call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """What a revocation ended."""

    revoked: int
    """How many sessions."""
    guests: int | None = None
    """How many guests, whom these devices had invited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who a token speaks for."""

    user: User | None = None
    """The user; null for a guest."""
    guest_scope: str | None = None
    """The guest, when it is no user."""
    scopes: tuple[str, ...] = ()
    """What the token may do, of Scope. (`Scope`)"""
    device: Device | None = None
    """The device whose session it is."""
    machine_id: str | None = None
    """The machine that an `execute` token is bound to."""
    stepped_up_until: str | None = None
    """Until when the session is stepped up; null: it is not."""
