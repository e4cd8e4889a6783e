"""The keys of an installation: from the environment where several machines share them, else files made on first use.

Beside a key there may be the one before it, in `<purpose>.previous.key`: it makes nothing new, and what it made holds
until that file is removed. Source: SECURITY.md, "Replacing a key".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from autopilot.cli.home import Home
from autopilot.ops.secrets_file import load_if_there, load_or_create
from autopilot.ops.settings import ProcessSettings, Secret, SettingsRefused
from autopilot.ops.signature import SigningKey


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
    def digest(self) -> tuple[bytes, ...]:
        """Of events and requests: the key, and the previous one where there is one."""
        return self._ring(self.settings.digest_key, "digest")

    @property
    def delivery(self) -> tuple[bytes, ...]:
        """Of the delivery table, likewise."""
        return self._ring(self.settings.delivery_key, "delivery")

    @property
    def signing(self) -> tuple[SigningKey, ...]:
        """Between API and runtime, likewise: the first signs, each verifies."""
        return tuple(SigningKey(_key_id(key), key) for key in self._ring(self.settings.internal_key, "internal"))

    @property
    def code(self) -> Secret:
        """Of sign-in codes."""
        return Secret(self._text(self.settings.code_key, "code.key"))

    def _ring(self, given: Secret | None, purpose: str) -> tuple[bytes, ...]:
        """The key of a purpose, and the one before it.

        Raises:
            SettingsRefused: one is not hexadecimal, or its file can be read by others.
        """
        previous = load_if_there(self.home.secrets / f"{purpose}.previous.key")
        texts = [self._text(given, f"{purpose}.key"), *([] if previous is None else [previous])]
        try:
            return tuple(bytes.fromhex(text) for text in texts)
        except ValueError:
            raise SettingsRefused(f"the {purpose} key, or the one before it, is not hexadecimal.") from None

    def _text(self, given: Secret | None, file_name: str) -> str:
        return given.reveal() if given else load_or_create(self.home.secrets / file_name)


def _key_id(key: bytes) -> str:
    """What a signature may tell of its key: enough to find it among two."""
    return hashlib.sha256(b"autopilot internal key id\x00" + key).hexdigest()[:16]
