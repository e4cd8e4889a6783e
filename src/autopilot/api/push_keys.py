"""The key that says to push services who sends (VAPID, RFC 8292): P-256, one of the installation.

Browsers subscribe for its public half, and their push services take messages that it signed, and no others. So another
key makes every subscription useless: `key_id` says which one a subscription was made for. Never reads files: the
command line does (cli/keys.py). Never says the secret half.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

LIFE_SECONDS = 12 * 3600
"""Of what is signed for one push service; the standard allows a day."""
SECRET_BYTES = 32


def new_secret() -> str:
    """A new key, in hex."""
    return f"{ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value:064x}"


class PushKey:
    """The key."""

    def __init__(self, secret: bytes) -> None:
        """`secret`: the private number, 32 bytes.

        Raises:
            ValueError: it is none.
        """
        if len(secret) != SECRET_BYTES:
            raise ValueError("a key of P-256 has 32 bytes")
        private = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = urlsafe(point)
        """As browsers take it (`applicationServerKey`), base64url."""
        self.key_id = hashlib.sha256(b"autopilot vapid key id\x00" + point).hexdigest()[:16]
        self._jwk = ECKey.import_key(
            {
                "kty": "EC",
                "crv": "P-256",
                "x": urlsafe(point[1:33]),
                "y": urlsafe(point[33:]),
                "d": urlsafe(secret),
            }
        )

    def __repr__(self) -> str:
        return f"PushKey({self.key_id})"

    def authorization(self, endpoint: str, contact: str, now: datetime) -> str:
        """The `Authorization` header of a message to this endpoint; `contact`: who is to be told of trouble."""
        parts = urlsplit(endpoint)
        claims: dict[str, str | int] = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(now.timestamp()) + LIFE_SECONDS,
            "sub": contact,
        }
        token = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, self._jwk)
        return f"vapid t={token}, k={self.public}"


def passing_key() -> PushKey:
    """One for an API that nobody gave any: it ends with the process, and what was subscribed for it with it."""
    while True:
        try:
            return PushKey(secrets.token_bytes(SECRET_BYTES))
        except ValueError:  # one in four billion is no number of the curve
            continue


def urlsafe(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_urlsafe(text: str) -> bytes:
    """What base64url says, padded or not.

    Raises:
        ValueError: it says nothing.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
