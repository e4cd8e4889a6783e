"""The signature of a device's writes: its form on the wire, and the bytes it is over. Pure; signs and verifies nothing.

    X-Autopilot-Signature: v1 time=<unix seconds> nonce=<32 hex> sig=<128 hex>

Source: docs/protocol.md, "Signed writes".
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

HEADER = "x-autopilot-signature"
SKEW_SECONDS = 90
"""How far the device's clock may be from the server's."""
READS = frozenset({"GET", "HEAD"})
"""Methods that change nothing, and take no signature."""
_FORM = re.compile(r"v1 time=(?P<time>[0-9]{1,12}) nonce=(?P<nonce>[0-9a-f]{32}) sig=(?P<sig>[0-9a-f]{128})")


@dataclass(frozen=True, slots=True)
class WriteSignature:
    """What the header says."""

    time: int
    """Unix seconds, by the device's clock."""
    nonce: str
    signature: bytes

    def __str__(self) -> str:
        return f"v1 time={self.time} nonce={self.nonce} sig={self.signature.hex()}"


def parsed(header: str) -> WriteSignature | None:
    """The header's value; None where it has another form."""
    form = _FORM.fullmatch(header)
    return None if form is None else WriteSignature(int(form["time"]), form["nonce"], bytes.fromhex(form["sig"]))


def signed_bytes(public_key: bytes, *, time: int, nonce: str, method: str, target: bytes, body: bytes) -> bytes:
    """What the signature is over. `target`: path and query as they are sent, percent-encoded."""
    digest = hashlib.sha256(body).hexdigest()
    head = f"autopilot write v1\n{public_key.hex()}\n{time}\n{nonce}\n{method.upper()}\n"
    return head.encode() + target + b"\n" + digest.encode()
