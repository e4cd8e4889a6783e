"""For which site passkeys are, and on which pages and in which apps one may be used.

Passkeys are for a name, which AUTOPILOT_PUBLIC_URL gives; without it for `localhost`, where they work on this machine
only. Apps of ours that have an origin of another form, and further pages below the same name, are listed in
AUTOPILOT_PASSKEY_ORIGINS. Never goes by what a call's own headers say about where it went to.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import Scope

from autopilot.api.settings import ApiSettings
from autopilot.api.site import DEFAULT_PORTS, Origin, parsed_url
from autopilot.ops.settings import SettingsRefused

LOCALHOST = "localhost"
ANDROID_APP = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whom a passkey is shown to."""

    rp_id: str
    listed: frozenset[str]
    """Origins that are ours, as browsers and apps write them."""
    is_local: bool
    """Nobody said where clients reach this server: pages of this very port on this machine."""

    def origins(self, scope: Scope) -> frozenset[str]:
        """Those that an answer which came by this call may name."""
        if not self.is_local or scope.get("server") is None:
            return self.listed
        return self.listed | {_written((scope["scheme"], LOCALHOST, int(scope["server"][1])))}


def relying_party(settings: ApiSettings) -> RelyingParty | None:
    """What the settings say; None: passkeys work for no page of this server (an address, or no TLS).

    Raises:
        SettingsRefused: an origin is none.
    """
    try:
        listed = frozenset(_checked(written) for written in _split(settings.passkey_origins))
        if settings.public_url is None:
            return RelyingParty(LOCALHOST, listed, is_local=True)
        public = parsed_url(settings.public_url)
    except ValueError as error:
        raise SettingsRefused(f"Settings are wrong:\n{error}") from None
    scheme, name, _ = public
    if _is_address(name) or (scheme != "https" and name != LOCALHOST):
        return None
    return RelyingParty(name, listed | {_written(public)}, is_local=False)


def _checked(written: str) -> str:
    if ANDROID_APP.fullmatch(written):
        return written
    origin = parsed_url(written)
    if _written(origin) != written or (origin[0] != "https" and origin[1] != LOCALHOST):
        raise ValueError(f"{written!r} is no origin of a passkey: https://app.example.com, android:apk-key-hash:…")
    return written


def _written(origin: Origin) -> str:
    """As a browser writes it: without the port that the scheme has anyway."""
    scheme, name, port = origin
    return f"{scheme}://{name}" if port == DEFAULT_PORTS.get(scheme) else f"{scheme}://{name}:{port}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _split(listed: str) -> Iterable[str]:
    return (written.strip() for written in listed.split(",") if written.strip())
