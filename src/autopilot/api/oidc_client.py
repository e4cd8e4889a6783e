"""Who this installation is to the organisation's OpenID provider: made of the settings, once, at the start.

Relies on nothing else; never talks to anybody. Source: docs/guide/sign-in.md, docs/decisions/0021-single-sign-on.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from autopilot.api.settings import ApiSettings
from autopilot.ops.settings import Secret, SettingsRefused

CALLBACK = "/api/auth/oidc/callback"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class OidcClient:
    """A client of one provider."""

    issuer: str
    client_id: str
    secret: Secret | None
    """None: a public client, which PKCE alone protects."""
    domains: frozenset[str]
    """Those of whose addresses the provider is believed; empty: of none in particular."""
    name: str
    redirect_uri: str

    def allows(self, email_key: str) -> bool:
        """Whether the provider is believed about this (folded) address: its domain is named."""
        return email_key.rpartition("@")[2] in self.domains


def oidc_client(settings: ApiSettings) -> OidcClient | None:
    """None where no provider is set.

    Raises:
        SettingsRefused: one is, but not so that it can be meant.
    """
    if settings.oidc_issuer is None:
        return None
    wrong: list[str] = []
    if not is_fit(settings.oidc_issuer) or urlsplit(settings.oidc_issuer).query:
        wrong.append("AUTOPILOT_OIDC_ISSUER: an https:// URL without a query")
    if not settings.oidc_client_id:
        wrong.append("AUTOPILOT_OIDC_CLIENT_ID: not set")
    if not settings.public_url:
        wrong.append("AUTOPILOT_PUBLIC_URL: not set; the provider sends browsers there")
    elif not is_fit(settings.public_url):
        wrong.append("AUTOPILOT_PUBLIC_URL: the provider sends browsers to https:// only")
    secret = _secret(settings, wrong)
    domains = frozenset(filter(None, (name.strip().lower() for name in settings.oidc_domains.split(","))))
    if not domains:
        wrong.append("AUTOPILOT_OIDC_DOMAINS: not set; name the domains about whose addresses the provider is believed")
    wrong.extend(
        f"AUTOPILOT_OIDC_DOMAINS: {name!r} is no domain" for name in sorted(domains) if "@" in name or "." not in name
    )
    if wrong:
        raise SettingsRefused("Settings are wrong:\n" + "\n".join(wrong), details=[{"setting": line} for line in wrong])
    parts = urlsplit(settings.public_url or "")
    return OidcClient(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id or "",
        secret=secret,
        domains=domains,
        name=settings.oidc_name or urlsplit(settings.oidc_issuer).hostname or "",
        redirect_uri=f"{parts.scheme}://{parts.netloc}{CALLBACK}",
    )


def is_fit(url: str) -> bool:
    """Whether secrets may go there: with TLS, or without leaving the machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)


def _secret(settings: ApiSettings, wrong: list[str]) -> Secret | None:
    file: Path | None = settings.oidc_client_secret_file
    if file is None:
        return settings.oidc_client_secret
    if settings.oidc_client_secret is not None:
        wrong.append("AUTOPILOT_OIDC_CLIENT_SECRET: set it, or AUTOPILOT_OIDC_CLIENT_SECRET_FILE, not both")
        return None
    try:
        found = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        wrong.append("AUTOPILOT_OIDC_CLIENT_SECRET_FILE: can't be read")
        return None
    if not found:
        wrong.append("AUTOPILOT_OIDC_CLIENT_SECRET_FILE: is empty")
    return Secret(found)
