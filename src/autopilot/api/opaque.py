"""Secrets that are only ever compared: how they are made and how they are stored.

Tokens have 256 bits of chance, so that a plain SHA-256 of one gives nothing away. Sign-in codes have few digits, so
that their digest is keyed. Never stores, never logs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

ACCESS_PREFIX = "apat_"
REFRESH_PREFIX = "aprt_"
"""Prefixes make a leaked token recognizable to redaction and to secret scanners."""

CODE_DIGITS = 8
"""A number, because phones show a keypad of digits for it; docs/protocol.md counts what guessing it takes."""


def access_token() -> str:
    """A new access token."""
    return ACCESS_PREFIX + secrets.token_urlsafe(32)


def refresh_token() -> str:
    """A new refresh token, the first of its family."""
    return REFRESH_PREFIX + secrets.token_urlsafe(32)


def successor_salt() -> bytes:
    """What turns a refresh token into the next one."""
    return secrets.token_bytes(32)


def successor(token: str, salt: bytes) -> str:
    """The refresh token after `token`: only its holder and the salt together can make it, so it can be made again.

    The database has the salt but never the token; the holder has the token but never the salt.
    """
    made = hmac.new(token.encode(), b"autopilot refresh successor\0" + salt, hashlib.sha256).digest()
    return REFRESH_PREFIX + _urlsafe(made)


def token_digest(token: str) -> bytes:
    """How a token is stored."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def digest(raw: bytes) -> bytes:
    """How a challenge is stored."""
    return hashlib.sha256(raw).digest()


def identifier(prefix: str) -> str:
    """A name that nobody guesses, for what is no secret: `dev_…`, `ses_…`."""
    return prefix + secrets.token_hex(12)


def sign_in_code() -> str:
    """Eight digits."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"


def folded_code(written: str) -> str:
    """A code as a person typed or pasted it, without blanks and hyphens."""
    return "".join(character for character in written if not character.isspace() and character not in "-.")


def code_digest(key: bytes, email_key: str, code: str) -> bytes:
    """How a sign-in code is stored: bound to its address, so that one row says nothing about another."""
    return hmac.new(key, f"{email_key}\0{code}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def same(kept: bytes | None, given: bytes) -> bool:
    """Whether two digests are the same, in a time that doesn't tell where they differ."""
    return hmac.compare_digest(kept or b"", given)


def _urlsafe(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
