"""Signs the writes of a device that has a key, and keeps to the server's clock where the device's own is off.

Relies on `ed25519` and on the form of contract.write_signature. Holds the secret half for as long as it lives; never
stores it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, runtime_checkable

from autopilot.client import ed25519
from autopilot.contract.write_signature import WriteSignature, signed_bytes


@runtime_checkable
class SignsWrites(Protocol):
    """A token source whose device may have a key."""

    def sign(self, method: str, target: bytes, body: bytes) -> str | None:
        """The signature header of a write; None: this device has no key."""
        ...

    def keep_to(self, server_time: str) -> bool:
        """Sign by the server's clock from now on; False where that is no time."""
        ...


class WriteSigner:
    """One key."""

    def __init__(self, seed: bytes, now: Callable[[], datetime]) -> None:
        self._seed = seed
        self._public = ed25519.public_key(seed)
        self._now = now
        self._ahead_seconds = 0.0

    @property
    def seed_hex(self) -> str:
        """The secret half, for the store that it came from."""
        return self._seed.hex()

    @property
    def public_hex(self) -> str:
        """The public half, for the server."""
        return self._public.hex()

    def __repr__(self) -> str:
        return f"WriteSigner({self._public.hex()}, ****)"

    def sign(self, method: str, target: bytes, body: bytes) -> str:
        """The header's value for a write, good once and for a minute and a half."""
        time = int(self._now().timestamp() + self._ahead_seconds)
        nonce = secrets.token_hex(16)
        signed = signed_bytes(self._public, time=time, nonce=nonce, method=method, target=target, body=body)
        return str(WriteSignature(time, nonce, ed25519.sign(self._seed, signed)))

    def keep_to(self, server_time: str) -> bool:
        """See SignsWrites."""
        try:
            ahead = datetime.fromisoformat(server_time) - self._now()
        except (ValueError, TypeError):
            return False
        self._ahead_seconds = ahead.total_seconds()
        return True
