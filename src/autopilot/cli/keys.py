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
from autopilot.runtime.seal_keys import PublicKeys, SealKey


class KeySettings(ProcessSettings, frozen=True, kw_only=True):
    """The keys of a deployment on several machines; each at least 32 random bytes in hex, the same on all."""

    digest_key: Secret | None = msgspec.field(name="AUTOPILOT_DIGEST_KEY", default=None)
    """Keys the digests by which repeats of an event or request are recognized."""
    delivery_key: Secret | None = msgspec.field(name="AUTOPILOT_DELIVERY_KEY", default=None)
    """Encrypts what must reach Codex exactly, until its request has ended."""
    internal_key: Secret | None = msgspec.field(name="AUTOPILOT_INTERNAL_KEY", default=None)
    """Signs what the API says to the runtime, when they are two processes."""
    code_key: Secret | None = msgspec.field(name="AUTOPILOT_CODE_KEY", default=None)
    seal_key: Secret | None = msgspec.field(name="AUTOPILOT_SEAL_KEY", default=None)
    """Signs what proves that no log was altered (Ed25519)."""


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
    def seal(self) -> bytes:
        """Of seals: the secret half. Its public half stays in the home, so that what it signed verifies after it.

        Raises:
            SettingsRefused: it is not 32 bytes in hexadecimal, or its file can be read by others.
        """
        try:
            seed = bytes.fromhex(self._text(self.settings.seal_key, "seal.key"))
            key = SealKey(seed)
        except ValueError:
            raise SettingsRefused("the seal key is not 32 bytes in hexadecimal.") from None
        load_or_create(self.home.secrets / f"seal-{key.key_id}.pub", key.public.hex)
        return seed

    @property
    def seal_public(self) -> PublicKeys:
        """All keys that seals of this installation may have been signed with.

        Raises:
            SettingsRefused: a file is no public key, or can be changed or read by others.
        """
        files = sorted(self.home.secrets.glob("seal-*.pub"))
        try:
            return PublicKeys([bytes.fromhex(load_or_create(file)) for file in files])
        except ValueError:
            raise SettingsRefused(f"one of {self.home.secrets}/seal-*.pub is not a public key.") from None

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
