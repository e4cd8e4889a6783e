"""The signature of the internal contract: who may speak to the runtime, and that nobody changed what was said.

HMAC-SHA256 over the key's id, the expiry, a nonce, method, path with query, the body's digest, and the claims header.
Pure functions; time and randomness are handed in. That a nonce is used only once is for the caller to see to (it has
the database), with the nonce that `verify` returns. Source: docs/runtime-contract.md.

    X-OA-Runtime-Signature: v1 key=<id> expires=<unix seconds> nonce=<32 hex> mac=<64 hex>
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from autopilot.contract.errors import Unauthorized

HEADER = "x-oa-runtime-signature"
LIFETIME_SECONDS = 60
"""How long a signature is good; also how long a nonce must be remembered."""
CLOCK_SKEW_SECONDS = 30
"""How far the two processes' clocks may be apart."""
_FORM = re.compile(
    r"v1 key=(?P<key>[A-Za-z0-9._-]{1,64}) expires=(?P<expires>[0-9]{1,12}) nonce=(?P<nonce>[0-9a-f]{32})"
    r" mac=(?P<mac>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A shared secret and the name it goes by, so that two can be valid while one replaces the other."""

    key_id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id!r}, ****)"


@dataclass(frozen=True, slots=True)
class Verified:
    """What a good signature says of itself. Remember `nonce` until `expires_at`, and refuse it a second time."""

    key_id: str
    nonce: str
    expires_at: datetime


def sign(
    key: SigningKey, *, method: str, target: str, body: bytes, claims: str, now: datetime, nonce: str | None = None
) -> str:
    """The header's value. `target` is the path with its query, as sent; `claims` the claims header, as sent."""
    expires = int(now.timestamp()) + LIFETIME_SECONDS
    nonce = nonce or secrets.token_hex(16)
    signed = _signed(key.key_id, str(expires), nonce, method=method, target=target, body=body, claims=claims)
    return f"v1 key={key.key_id} expires={expires} nonce={nonce} mac={_mac(key.secret, signed)}"


def verify(
    header: str | None,
    keys: Mapping[str, bytes],
    *,
    method: str,
    target: str,
    body: bytes,
    claims: str,
    now: datetime,
) -> Verified:
    """Check a signature against the keys that are valid now (id -> secret).

    Raises:
        Unauthorized: reason_code `signature_missing`, `signature_malformed`, `signature_unknown_key`,
            `signature_expired` or `signature_wrong`.
    """
    if not header:
        raise Unauthorized("The call is not signed.", reason_code="signature_missing")
    form = _FORM.fullmatch(header)
    if form is None:
        raise Unauthorized("The signature is malformed.", reason_code="signature_malformed")
    secret = keys.get(form["key"])
    if secret is None:
        raise Unauthorized("The signature's key is not known.", reason_code="signature_unknown_key")
    key_id, expires, nonce, mac = form.groups()
    signed = _signed(key_id, expires, nonce, method=method, target=target, body=body, claims=claims)
    if not hmac.compare_digest(_mac(secret, signed), mac):
        raise Unauthorized("The signature does not fit the call.", reason_code="signature_wrong")
    left_seconds = int(expires) - now.timestamp()
    if not -CLOCK_SKEW_SECONDS < left_seconds <= LIFETIME_SECONDS + CLOCK_SKEW_SECONDS:
        raise Unauthorized("The signature has expired.", reason_code="signature_expired")
    return Verified(key_id, nonce, datetime.fromtimestamp(int(expires) + CLOCK_SKEW_SECONDS, UTC))


def _signed(key_id: str, expires: str, nonce: str, *, method: str, target: str, body: bytes, claims: str) -> bytes:
    if "\n" in method + target + claims:
        raise Unauthorized("A line break in the request's head.", reason_code="signature_malformed")
    digest = hashlib.sha256(body).hexdigest()
    return f"v1\n{key_id}\n{expires}\n{nonce}\n{method.upper()}\n{target}\n{digest}\n{claims}".encode()


def _mac(secret: bytes, signed: bytes) -> str:
    return hmac.new(secret, signed, hashlib.sha256).hexdigest()
