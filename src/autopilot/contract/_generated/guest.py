# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Guests: people without an account who read single workers for a while."""

from dataclasses import dataclass


__all__ = ["EnterAsGuest", "Guest", "GuestRevoked", "GuestSession", "InviteGuest", "InvitedGuest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody who may read, or come yet."""

    guest_id: str
    """The scope that they read under."""
    name: str
    """What their host calls them."""
    worker_ids: tuple[str, ...] = ()
    """The workers that they may read."""
    created_at: str
    """When they were invited."""
    expires_at: str
    """Until when they may read."""
    entered_at: str | None = None
    """When they came; null: not yet."""
    device_id: str | None = None
    """The device that they were invited from, and end with when it is revoked; null: before this was kept."""
    device_name: str | None = None
    """What that device is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteGuest:
    """Body that invites a guest."""

    name: str
    """What to call them."""
    worker_ids: tuple[str, ...] = ()
    """One's own workers that they may read, 1 to 20."""
    expires_in: int | None = None
    """For how many seconds they may read, from now on; a day when missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitedGuest:
    """Answer to an invitation: the only time that the secret is said."""

    guest: Guest
    """Who may come."""
    secret: str
    """Lets them in, once: the link is the server's URL, `/guest#` and this."""
    link: str | None = None
    """The link itself; null where the installation knows of no public URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterAsGuest:
    """Body with which a guest comes in."""

    secret: str
    """What follows the `#` of the link."""
    verifier: str | None = None
    """32 bytes in hex that the client made for this call and keeps: with them it may be repeated for two minutes,
    should its answer be lost.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSession:
    """A guest's session: it reads these workers, and nothing else."""

    ok: bool
    """Always true."""
    guest_scope: str
    """The scope that it reads under."""
    name: str
    """What the host calls the guest."""
    worker_ids: tuple[str, ...] = ()
    """The workers that it reads."""
    expires_at: str
    """When it ends for good."""
    token: str
    """Access token, for `Authorization: Bearer`."""
    refresh_token: str
    """Good once: for the next access token."""
    expires_in: int
    """How long the access token lives, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestRevoked:
    """Answer: the guest reads nothing more."""

    ok: bool
    """Always true."""
