"""Which key signs what this task writes: that of the session which is held, or of one that is coming or going.

Owns the signer of the key that is held, made once, and what a sign-in or sign-out puts in its place for its own task.
Never stores a key, never asks for one: the session says what is held.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from autopilot.client.tokens import Credentials
from autopilot.client.write_signer import WriteSigner


@dataclass(frozen=True, slots=True)
class _Signing:
    """What a sign-in or sign-out writes with; without a signer nothing is signed."""

    signer: WriteSigner | None


_SIGNING: ContextVar[_Signing | None] = ContextVar("signing", default=None)
"""Of a sign-in or sign-out that this task makes: what is held is another, and signs what other tasks write."""


class SessionSigning:
    """A session's signatures."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._signer: WriteSigner | None = None

    def sign(self, held: Credentials | None, method: str, target: bytes, body: bytes) -> str | None:
        """The signature of a write; `held`: what the session holds. None: no key."""
        signing = _SIGNING.get()
        signer = self.signer_of(held) if signing is None else signing.signer
        return None if signer is None else signer.sign(method, target, body)

    def keep_to(self, server_time: str) -> bool:
        """See SignsWrites."""
        signing = _SIGNING.get()
        signer = self._signer if signing is None else signing.signer
        return signer is not None and signer.keep_to(server_time)

    def signer_of(self, held: Credentials | None) -> WriteSigner | None:
        """The signer of the key that is held, made once."""
        if held is None or held.device_key is None:
            return None
        if self._signer is None or self._signer.seed_hex != held.device_key:
            self._signer = WriteSigner(bytes.fromhex(held.device_key), self._now)
        return self._signer


@contextlib.contextmanager
def signing_as(signer: WriteSigner | None) -> Iterator[None]:
    """What this task writes within it is signed by this one, or not at all."""
    token = _SIGNING.set(_Signing(signer))
    try:
        yield
    finally:
        _SIGNING.reset(token)
