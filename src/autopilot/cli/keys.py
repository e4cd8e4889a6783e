"""The keys of an installation: from the environment where several machines share them, else files made on first use."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from autopilot.cli.home import Home
from autopilot.ops.secrets_file import load_or_create
from autopilot.ops.settings import ProcessSettings, Secret
from autopilot.ops.signature import SigningKey

SIGNING_KEY_ID = "installation"


class KeySettings(ProcessSettings, frozen=True, kw_only=True):
    """The keys of a deployment on several machines; each at least 32 random bytes in hex, the same on all."""

    digest_key: Secret | None = msgspec.field(name="AUTOPILOT_DIGEST_KEY", default=None)
    """Keys the digests by which repeats of an event or request are recognized."""
    delivery_key: Secret | None = msgspec.field(name="AUTOPILOT_DELIVERY_KEY", default=None)
    """Encrypts what must reach Codex exactly, until its request has ended."""
    internal_key: Secret | None = msgspec.field(name="AUTOPILOT_INTERNAL_KEY", default=None)
    """Signs what the API says to the runtime, when they are two processes."""
    code_key: Secret | None = msgspec.field(name="AUTOPILOT_CODE_KEY", default=None)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of this installation."""

    settings: KeySettings
    home: Home

    @property
    def digest(self) -> bytes:
        """Of events and requests."""
        return bytes.fromhex(self._text(self.settings.digest_key, "digest.key"))

    @property
    def delivery(self) -> bytes:
        """Of the delivery table."""
        return bytes.fromhex(self._text(self.settings.delivery_key, "delivery.key"))

    @property
    def signing(self) -> SigningKey:
        """Between API and runtime."""
        return SigningKey(SIGNING_KEY_ID, bytes.fromhex(self._text(self.settings.internal_key, "internal.key")))

    @property
    def code(self) -> Secret:
        """Of sign-in codes."""
        return Secret(self._text(self.settings.code_key, "code.key"))

    def _text(self, given: Secret | None, file_name: str) -> str:
        return given.reveal() if given else load_or_create(self.home.secrets / file_name)
