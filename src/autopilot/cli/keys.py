"""The keys of an installation: from the environment where several machines share them, else files made on first use.

Beside a key there may be those before it, in `<purpose>.previous.key`, one a line: they make nothing new, and what they
made holds until that file is removed. There may be the one after it, in `<purpose>.next.key`: it makes nothing yet, and
what another process made with it holds. `…_now` follow the files while a process runs.
Source: SECURITY.md, "Replacing a key".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from autopilot.api.push_keys import PushKey, new_secret
from autopilot.cli.home import Home
from autopilot.ops.following import Following
from autopilot.ops.secrets_file import load_if_there, load_or_create
from autopilot.ops.settings import ProcessSettings, Secret, SettingsRefused
from autopilot.ops.signature import SigningKey
from autopilot.runtime.seal_keys import PublicKeys, SealKey
from autopilot.runtime.settings import RuntimeKeys


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
    vapid_key: Secret | None = msgspec.field(name="AUTOPILOT_VAPID_KEY", default=None)
    """Says to push services who sends (P-256)."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of this installation."""

    settings: KeySettings
    home: Home

    @property
    def digest(self) -> tuple[bytes, ...]:
        """Of events and requests: the key that makes digests, then the others that are accepted."""
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
        """Of sign-in codes: the key that makes their digests."""
        return Secret(self._text(self.settings.code_key, "code.key"))

    @property
    def codes(self) -> tuple[bytes, ...]:
        """Of sign-in codes, likewise."""
        return tuple(text.encode() for text in self._texts(self.settings.code_key, "code"))

    @property
    def vapid(self) -> PushKey:
        """Of notifications: there is one at a time, since browsers subscribe for it.

        Raises:
            SettingsRefused: it is no number of P-256 in hexadecimal, or its file can be read by others.
        """
        given = self.settings.vapid_key
        text = given.reveal() if given else load_or_create(self.home.secrets / "vapid.key", new_secret)
        try:
            return PushKey(bytes.fromhex(text))
        except ValueError:
            raise SettingsRefused("the vapid key is no number of P-256, 32 bytes in hexadecimal.") from None

    @property
    def vapid_now(self) -> Callable[[], PushKey]:
        """The same, following the files."""
        return Following(self.home.secrets, lambda: self.vapid)

    @property
    def runtime(self) -> RuntimeKeys:
        """All that a runtime needs."""
        return RuntimeKeys(self.digest, self.delivery, self.seal)

    @property
    def runtime_now(self) -> Callable[[], RuntimeKeys]:
        """The same, following the files."""
        return Following(self.home.secrets, lambda: self.runtime)

    @property
    def codes_now(self) -> Callable[[], tuple[bytes, ...]]:
        """`codes`, following the files."""
        return Following(self.home.secrets, lambda: self.codes)

    @property
    def signing_now(self) -> Callable[[], SigningKey]:
        """What signs now, following the files."""
        ring = Following(self.home.secrets, lambda: self.signing)
        return lambda: ring()[0]

    @property
    def verifying_now(self) -> Mapping[str, bytes]:
        """Secrets that verify, by the names of their keys, following the files."""
        return _Verifying(Following(self.home.secrets, lambda: {key.key_id: key.secret for key in self.signing}))

    def _ring(self, given: Secret | None, purpose: str) -> tuple[bytes, ...]:
        """The keys of a purpose.

        Raises:
            SettingsRefused: one is not hexadecimal, or its file can be read by others.
        """
        try:
            return tuple(bytes.fromhex(text) for text in self._texts(given, purpose))
        except ValueError:
            raise SettingsRefused(f"the {purpose} key, or one beside it, is not hexadecimal.") from None

    def _texts(self, given: Secret | None, purpose: str) -> tuple[str, ...]:
        """As they are written: the one that makes, those before it, the one after it."""
        while True:
            coming = load_if_there(self.home.secrets / f"{purpose}.next.key")
            current = self._text(given, f"{purpose}.key")
            previous = load_if_there(self.home.secrets / f"{purpose}.previous.key") or ""
            texts = tuple(dict.fromkeys([current, *previous.split(), *(() if coming is None else (coming,))]))
            if current == self._text(given, f"{purpose}.key"):  # else it was replaced while we read
                return texts

    def _text(self, given: Secret | None, file_name: str) -> str:
        return given.reveal() if given else load_or_create(self.home.secrets / file_name)


class _Verifying(Mapping[str, bytes]):
    """A mapping as it is at each look."""

    def __init__(self, now: Callable[[], Mapping[str, bytes]]) -> None:
        self._now = now

    def __getitem__(self, key_id: str) -> bytes:
        return self._now()[key_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())


def _key_id(key: bytes) -> str:
    """What a signature may tell of its key: enough to find it among two."""
    return hashlib.sha256(b"autopilot internal key id\x00" + key).hexdigest()[:16]
