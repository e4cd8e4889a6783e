"""What an operator may set about the API (docs/settings.md), and the limits that only a test would change.

Relies on autopilot.ops.settings, which reads them from the environment. Never holds what could be derived.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from autopilot.api.sessions import Lifetimes
from autopilot.ops.settings import Secret, Settings

DAY_SECONDS = 86400.0

Rate = Annotated[float, msgspec.Meta(gt=0)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1)]
AccessSeconds = Annotated[float, msgspec.Meta(gt=0, le=900)]


class ApiSettings(Settings, frozen=True, kw_only=True):
    """The public facade."""

    smtp_host: str | None = msgspec.field(name="AUTOPILOT_SMTP_HOST", default=None)
    """Where sign-in codes are handed to the mail system. Unset: they are printed on the server's console."""
    smtp_port: Port = msgspec.field(name="AUTOPILOT_SMTP_PORT", default=587)
    smtp_user: str | None = msgspec.field(name="AUTOPILOT_SMTP_USER", default=None)
    smtp_password: Secret | None = msgspec.field(name="AUTOPILOT_SMTP_PASSWORD", default=None)
    smtp_tls: Literal["starttls", "implicit", "none"] = msgspec.field(name="AUTOPILOT_SMTP_TLS", default="starttls")
    smtp_from: str = msgspec.field(name="AUTOPILOT_SMTP_FROM", default="autopilot@localhost")

    owner_email: str | None = msgspec.field(name="AUTOPILOT_OWNER_EMAIL", default=None)
    """Who becomes the owner of a new installation. Unset: nobody who comes over the network."""
    sign_up: Literal["open", "closed"] = msgspec.field(name="AUTOPILOT_SIGN_UP", default="closed")
    """closed: only the owner and who is invited into a team gets an account; open: everybody who reads their mail."""
    code_key: Secret | None = msgspec.field(name="AUTOPILOT_CODE_KEY", default=None)
    """Keys the digests of sign-in codes. Unset: made anew at each start, so that open codes end with the process;
    several API processes need the same one."""
    access_seconds: AccessSeconds = msgspec.field(name="AUTOPILOT_ACCESS_SECONDS", default=900.0)
    """Life of an access token: at most 15 minutes."""
    refresh_days: Rate = msgspec.field(name="AUTOPILOT_REFRESH_DAYS", default=60.0)
    """A session that nobody refreshed for so long is over."""

    client_per_second: Rate = msgspec.field(name="AUTOPILOT_CLIENT_RATE", default=1000.0)
    """Calls a second of one session in the long run; five times as many at once."""
    executor_per_second: Rate = msgspec.field(name="AUTOPILOT_EXECUTOR_RATE", default=10000.0)
    """The same for a machine: a companion that catches up must not be held back."""
    sign_ins_per_minute: Rate = msgspec.field(name="AUTOPILOT_SIGN_IN_RATE", default=30.0)
    """Sign-in calls a minute of one network address."""
    trusted_proxies: str = msgspec.field(name="AUTOPILOT_TRUSTED_PROXIES", default="")
    """Addresses or networks, separated by commas, whose X-Forwarded-For, -Host and -Proto are believed."""
    public_url: str | None = msgspec.field(name="AUTOPILOT_PUBLIC_URL", default=None)
    """Where clients reach the API: its host is answered to. With https:// answers carry Strict-Transport-Security."""
    hosts: str = msgspec.field(name="AUTOPILOT_HOSTS", default="")
    """Further names or addresses, separated by commas, that are answered to."""
    address_connections: Count = msgspec.field(name="AUTOPILOT_ADDRESS_CONNECTIONS", default=2000)
    """Open connections of one network address; trusted proxies have no limit of their own."""
    tls_certificate: Path | None = msgspec.field(name="AUTOPILOT_TLS_CERTIFICATE", default=None)
    """A certificate and its chain, in PEM: with it and its key the API is served with TLS too. SIGHUP: read anew."""
    tls_key: Path | None = msgspec.field(name="AUTOPILOT_TLS_KEY", default=None)
    tls_listen: str = msgspec.field(name="AUTOPILOT_TLS_LISTEN", default="0.0.0.0:8443")
    """Where; the plain port stays, for the companion and commands of this machine."""
    cors_origins: str = msgspec.field(name="AUTOPILOT_CORS_ORIGINS", default="")
    """Origins of other sites, separated by commas, whose pages may call the API."""
    passkey_origins: str = msgspec.field(name="AUTOPILOT_PASSKEY_ORIGINS", default="")
    """Further origins, separated by commas, at which this installation's passkeys may be used: apps, other pages."""

    oidc_issuer: str | None = msgspec.field(name="AUTOPILOT_OIDC_ISSUER", default=None)
    """The OpenID provider that people may sign in with, by its own name for itself. Unset: none."""
    oidc_client_id: str | None = msgspec.field(name="AUTOPILOT_OIDC_CLIENT_ID", default=None)
    oidc_client_secret: Secret | None = msgspec.field(name="AUTOPILOT_OIDC_CLIENT_SECRET", default=None)
    oidc_client_secret_file: Path | None = msgspec.field(name="AUTOPILOT_OIDC_CLIENT_SECRET_FILE", default=None)
    """A file with the secret instead."""
    oidc_domains: str = msgspec.field(name="AUTOPILOT_OIDC_DOMAINS", default="")
    """Domains, separated by commas, about whose addresses the provider is believed; nobody else signs in with it."""
    oidc_name: str | None = msgspec.field(name="AUTOPILOT_OIDC_NAME", default=None)
    """What people call it. Unset: the host of the issuer."""

    def lifetimes(self, grace_seconds: float) -> Lifetimes:
        """How long tokens live; `grace_seconds`: within which a lost rotation is given again."""
        return Lifetimes(self.access_seconds, self.refresh_days * DAY_SECONDS, grace_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much, how many, how long."""

    burst_seconds: float = 5.0
    """A session may spend the calls of so many seconds at once."""
    strangers_per_second: float = 10.0
    """Calls of one network address with a token nobody knows; more are 429 instead of 401."""
    strangers_burst: float = 100.0
    sessions_per_user: float = 4.0
    """All sessions of a user together make so many times the calls of one; machines aside."""
    streams_per_session: int = 4000
    streams_per_user: int = 8000
    streams_per_address: int = 8000
    streams: int = 20000
    """Open streams of the process."""
    body_bytes: int = 16 * 1024 * 1024
    auth_body_bytes: int = 64 * 1024
    target_bytes: int = 16 * 1024
    """Path and query; a stream of many workers has its cursor there."""
    header_bytes: int = 32 * 1024
    header_count: int = 100
    body_idle_seconds: float = 15.0
    """A body that pauses for longer is a 408."""
    body_seconds: float = 120.0
    """A body that takes longer in all is a 408."""
    code_seconds: float = 600.0
    code_attempts: int = 5
    codes_per_hour: int = 10
    """Codes sent to one e-mail address."""
    ceremony_seconds: float = 300.0
    """Within which an authenticator's answer is taken, once."""
    ceremonies: int = 100
    """Questions to authenticators that are open at once, of a user, and of a network address that signs in."""
    passkeys: int = 20
    """Of one account."""
    pairing_seconds: float = 300.0
    pairings: int = 10
    """Under way at once, of a user, and of a network address that asks to be let in."""
    single_sign_ons: int = 50
    """Under way at once, of a network address."""
    guests: int = 50
    """Of one user, at once."""
    push_subscriptions: int = 20
    """Of one user."""
    push_seconds: float = 1.0
    """How often it is looked for what is to be sent."""
    push_tries_per_minute: float = 20.0
    """Subscriptions and test notifications of one user."""
    pairing_tries_per_minute: float = 10.0
    """Pairings that one network address asks for, claims or looks for."""
    pairing_polls_per_second: float = 10.0
    """Looks at pairings, of one network address."""
    grace_seconds: float = 60.0
    """The very same refresh retried within this time gets the very same successor (docs/protocol.md, "Refresh")."""
    remember_seconds: float = 1.0
    """How long a token's lookup is relied on."""
    watch_seconds: float = 1.0
    """How often open streams are checked against revoked and expired tokens."""
