"""A certificate of one's own: checked before it serves, and replaced while it does.

Owns what is said when certificate and key can't be used. Never makes a certificate, and never tells what a key is.
"""

from __future__ import annotations

import ssl
import stat
from dataclasses import dataclass
from pathlib import Path

from autopilot.ops.log import get_logger
from autopilot.ops.settings import SettingsRefused

log = get_logger("autopilot.tls")


@dataclass(frozen=True, slots=True)
class Tls:
    """The server's side of TLS: 1.2 and newer, HTTP/1.1."""

    certificate: Path
    key: Path
    context: ssl.SSLContext

    @classmethod
    def of(cls, certificate: Path, key: Path) -> Tls:
        """From files in PEM: the certificate first, then what it was signed with; the key without a passphrase.

        Raises:
            SettingsRefused: they can't be used, and why.
        """
        return cls(certificate, key, _context(certificate, key))

    def reload(self) -> bool:
        """Use what the files hold now for new connections; where that can't be used, what was used before stays."""
        try:
            _context(self.certificate, self.key)
            self.context.load_cert_chain(self.certificate, self.key, password=_no_passphrase)
        except (SettingsRefused, OSError) as error:
            log.warning("certificate_not_reloaded", error=str(error))
            return False
        log.info("certificate_reloaded")
        return True


def tls_of(certificate: Path | None, key: Path | None) -> Tls | None:
    """TLS with what the settings name; None where they name nothing.

    Raises:
        SettingsRefused: only one of them is set, or they can't be used, and why.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise SettingsRefused("AUTOPILOT_TLS_CERTIFICATE and AUTOPILOT_TLS_KEY: one of them is not set")
    return Tls.of(certificate, key)


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    for name, path in (("AUTOPILOT_TLS_CERTIFICATE", certificate), ("AUTOPILOT_TLS_KEY", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise SettingsRefused(f"{name}: {path}: {error.strerror}") from None
    if stat.S_IMODE(key.stat().st_mode) & stat.S_IRWXO:
        raise SettingsRefused(f"AUTOPILOT_TLS_KEY: everybody on this machine can use {key}: chmod o= {key}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsRefused(f"AUTOPILOT_TLS_KEY: {key} is not the key of {certificate}") from None
        raise SettingsRefused(
            f"AUTOPILOT_TLS_CERTIFICATE, AUTOPILOT_TLS_KEY: {certificate} and {key} are no certificate and key in PEM"
        ) from None
    except _Passphrase:
        raise SettingsRefused(f"AUTOPILOT_TLS_KEY: {key} has a passphrase; nobody is there to type it") from None
    return context


class _Passphrase(Exception):
    """The key asks for one."""


def _no_passphrase() -> str:
    raise _Passphrase
