"""The secrets of a pairing: how they are made, read back as a person typed them, and stored.

Pure. The secret of a QR code or link has 160 bits of chance. The short code has ten characters of 32: the first four
name the pairing, so that a wrong guess counts against that one alone; the other six are the secret (30 bits), stored as
a keyed digest. What guessing takes is counted in docs/protocol.md, "Pairing". Never stores, never logs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from autopilot.api.opaque import ACCESS_PREFIX, REFRESH_PREFIX

SECRET_PREFIX = "appair_"  # noqa: S105 - what makes a leaked one recognizable
SECRET_BYTES = 20
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without 0, 1, I and O."""
LOCATOR_CHARACTERS = 4
CODE_CHARACTERS = 10


@dataclass(frozen=True, slots=True)
class Code:
    """A short code, in its two parts."""

    locator: str
    proof: str

    @property
    def shown(self) -> str:
        """As it is read out: `K7QM-3XF-B2D`."""
        return f"{self.locator}-{self.proof[:3]}-{self.proof[3:]}"

    def digest(self, key: bytes) -> bytes:
        """How it is stored: bound to its pairing."""
        return hmac.new(key, f"pairing\0{self.locator}\0{self.proof}".encode(), hashlib.sha256).digest()


def new_secret() -> str:
    """For a QR code or link."""
    return SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def new_code() -> Code:
    """For typing."""
    characters = "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARACTERS))
    return Code(characters[:LOCATOR_CHARACTERS], characters[LOCATOR_CHARACTERS:])


def read_code(written: str) -> Code | None:
    """A short code as a person typed it, in any case, with blanks and hyphens; None where it is none."""
    characters = "".join(one for one in written.upper() if not one.isspace() and one not in "-.")
    if len(characters) != CODE_CHARACTERS or any(one not in ALPHABET for one in characters):
        return None
    return Code(characters[:LOCATOR_CHARACTERS], characters[LOCATOR_CHARACTERS:])


def new_salt() -> bytes:
    """What makes tokens out of a ticket."""
    return secrets.token_bytes(32)


def tokens_of(ticket: str, salt: bytes) -> tuple[str, str]:
    """Access and refresh token: only the holder of the ticket and the salt together can make them, and again.

    The database has the salt but never the ticket; the holder has the ticket but never the salt.
    """

    def made(purpose: str) -> str:
        raw = hmac.new(ticket.encode(), f"autopilot pairing {purpose}\0".encode() + salt, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    return ACCESS_PREFIX + made("access"), REFRESH_PREFIX + made("refresh")
