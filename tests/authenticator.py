"""An authenticator and the browser in front of it, in software: ES256, Ed25519, RS256, and every lie one may tell."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Literal

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

Algorithm = Literal["ES256", "EdDSA", "RS256"]
ALGORITHMS: tuple[Algorithm, ...] = ("ES256", "EdDSA", "RS256")
NUMBERS = {"ES256": -7, "EdDSA": -8, "RS256": -257}
UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(written: str) -> bytes:
    return urlsafe_b64decode(written + "===")


def _private(algorithm: Algorithm) -> Any:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class SoftPasskey:
    """One credential. Its attributes are what it will say next: change one to have it lie."""

    origin: str
    algorithm: Algorithm = "ES256"
    counts: bool = True
    """Whether it counts its uses, as security keys do and synced passkeys don't."""
    flags: int = UP | UV
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    handle: bytes = b""
    sign_count: int = 0
    cross_origin: bool = False
    rp_id: str | None = None
    """Says another than it was asked."""
    key: Any = None

    def __post_init__(self) -> None:
        self.key = self.key or _private(self.algorithm)

    def create(self, options: dict[str, Any], **lies: Any) -> dict[str, Any]:
        """`navigator.credentials.create`, and `toJSON()` of what comes of it. `lies`: CBOR parts to replace."""
        assert NUMBERS[self.algorithm] in {one["alg"] for one in options["pubKeyCredParams"]}
        self.handle = decoded(options["user"]["id"])
        public = lies.pop("public", None)
        attested = (
            bytes(16)
            + len(self.credential_id).to_bytes(2, "big")
            + self.credential_id
            + (public if public is not None else cbor2.dumps(self._cose()))
        )
        data = self._data(options["rp"]["id"], self.flags | AT) + attested
        whole = {"fmt": "none", "attStmt": {}, "authData": data, **lies}
        response = {
            "clientDataJSON": self._client_data("webauthn.create", options["challenge"]),
            "attestationObject": encoded(cbor2.dumps(whole)),
            "transports": ["internal", "hybrid"],
        }
        return self._credential(response)

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """`navigator.credentials.get`, and `toJSON()` of what comes of it."""
        if self.counts:
            self.sign_count += 1
        data = self._data(options["rpId"], self.flags)
        client_data = self._client_data("webauthn.get", options["challenge"])
        signature = self._sign(data + hashlib.sha256(decoded(client_data)).digest())
        response = {
            "clientDataJSON": client_data,
            "authenticatorData": encoded(data),
            "signature": encoded(signature),
            "userHandle": encoded(self.handle) or None,
        }
        return self._credential(response)

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        own = encoded(self.credential_id)
        return {
            "id": own,
            "rawId": own,
            "type": "public-key",
            "response": response,
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
        }

    def _data(self, rp_id: str, flags: int) -> bytes:
        return (
            hashlib.sha256((self.rp_id or rp_id).encode()).digest()
            + bytes([flags])
            + self.sign_count.to_bytes(4, "big")
        )

    def _client_data(self, kind: str, challenge: str) -> str:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin}
        return encoded(json.dumps(said).encode())

    def _cose(self) -> dict[int, Any]:
        public = self.key.public_key()
        if self.algorithm == "ES256":
            at = public.public_numbers()
            return {1: 2, 3: -7, -1: 1, -2: at.x.to_bytes(32, "big"), -3: at.y.to_bytes(32, "big")}
        if self.algorithm == "EdDSA":
            return {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}
        at = public.public_numbers()
        size = (public.key_size + 7) // 8
        return {1: 3, 3: -257, -1: at.n.to_bytes(size, "big"), -2: at.e.to_bytes(3, "big")}

    def _sign(self, what: bytes) -> bytes:
        if self.algorithm == "ES256":
            return self.key.sign(what, ec.ECDSA(hashes.SHA256()))
        if self.algorithm == "EdDSA":
            return self.key.sign(what)
        return self.key.sign(what, padding.PKCS1v15(), hashes.SHA256())
