"""What a phone keeps in its Keychain: the session, the key of the offline cache, and what it is known by.

Owns the list of all keys that are ever written (`Kept`), and `KeychainTokenStore`. Relies on a `SecretStorage`, which
an app makes of the system's. The storage answers later and a `TokenStore` at once, so that all of it is read once, and
then memory answers; what was saved within `exclusive()` is in the storage before that is left. What the storage does
not take stays in memory, is tried again at every occasion, and is told: by `StorageFailed`, `trouble` and the log.
Never writes a secret anywhere else, and never logs a value.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Protocol, Self, TypeVar

from autopilot.client import log
from autopilot.client.clock import SYSTEM_CLOCK, Clock, finishing, within
from autopilot.client.tokens import Credentials, StorageFailed
from autopilot.contract.errors import Forbidden

CACHE_KEY_BYTES = 32
STORAGE_WAIT_SECONDS = 10.0
"""A storage that has not answered by then has failed."""
CANCEL_GRACE_SECONDS = 1.0
"""A write whose caller is cancelled gets so long."""
SCOPES = frozenset({"observe", "administer"})
"""All that a token of a phone may be good for."""
T = TypeVar("T")


class Kept(StrEnum):
    """Every key that is written to the storage. There is no other."""

    CREDENTIALS = "autopilot.credentials"
    """Tokens and the device's signing key, as `Credentials.to_json`."""
    CACHE_KEY = "autopilot.cache-key"
    """What the offline cache is encrypted with, in hex."""
    DEVICE_ID = "autopilot.device-id"
    """What this installation of the app calls itself."""
    SERVER = "autopilot.server"
    """The address of the installation."""
    SETTINGS = "autopilot.settings"
    """What a person chose for this app (`AppSettings`); no secret, but nobody else is to change it."""


class SecretStorage(Protocol):
    """The system's place for secrets: on an iPhone the Keychain, for this device only, from its first unlock on."""

    async def get(self, key: str) -> str | None:
        """What is kept under this key; None: nothing."""
        ...

    async def set(self, key: str, value: str) -> None:
        """Keep, whole or not at all."""
        ...

    async def remove(self, key: str) -> None:
        """Forget; nothing to forget is no error."""
        ...


def check_scopes(scopes: Iterable[str]) -> None:
    """Refuse a session that may do more than a phone's ever needs (an offer to a machine, taken up by a phone).

    Raises:
        Forbidden: `too_powerful`: sign out and keep nothing.
    """
    beyond = sorted(set(scopes) - SCOPES)
    if beyond:
        raise Forbidden("this session may do more than a phone keeps", reason_code="too_powerful", scopes=beyond)


class Keychain:
    """All of `Kept`, in memory and in the storage. For one task group of one process."""

    def __init__(self, storage: SecretStorage, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Use `opened`: this one knows nothing of what is kept."""
        self.clock = clock
        self.trouble: StorageFailed | None = None
        """Why the storage lacks something that is in memory; None: it lacks nothing."""
        self.rotating = asyncio.Lock()
        """Held by whoever rotates the session's tokens, through whichever store."""
        self._storage = storage
        self._held: dict[Kept, str] = {}
        self._owed: dict[Kept, str | None] = {}
        self._writing = asyncio.Lock()
        self._listeners: list[Callable[[StorageFailed | None], None]] = []

    @classmethod
    async def opened(cls, storage: SecretStorage, *, marker: Path | None = None, clock: Clock = SYSTEM_CLOCK) -> Self:
        """Read all that is kept.

        `marker`: a file in the app's own folder. A Keychain outlives the app; where it holds something and the marker
        is missing, the app was deleted and installed anew, and what it kept before is wiped.

        Raises:
            StorageFailed: it can't be read (that is not: nobody is signed in), or not wiped.
        """
        keychain = cls(storage, clock=clock)
        for kept in Kept:
            value = await keychain._asked("read", kept, lambda kept=kept: storage.get(kept))
            if value is not None:
                keychain._held[kept] = value
        if marker is not None and not _is_there(marker):
            if keychain._held:
                log.record("keychain.of_a_deleted_app", keys=len(keychain._held))
                await keychain.wipe()
            _leave(marker)
        return keychain

    def get(self, kept: Kept) -> str | None:
        """What is kept, from memory."""
        return self._held.get(kept)

    async def put(self, kept: Kept, value: str | None) -> None:
        """Keep; None forgets.

        Raises:
            StorageFailed: in memory only, for now.
        """
        self.stage(kept, value)
        await self.settle({kept})

    async def cache_key(self) -> bytes:
        """The key of the offline cache, made when it is first asked for (or was damaged).

        Raises:
            StorageFailed: it can't be kept: what it encrypts would be lost with the process.
        """
        with contextlib.suppress(ValueError):
            key = bytes.fromhex(self._held.get(Kept.CACHE_KEY, ""))
            if len(key) == CACHE_KEY_BYTES:
                return key
        key = secrets.token_bytes(CACHE_KEY_BYTES)
        await self.put(Kept.CACHE_KEY, key.hex())
        return key

    async def device_id(self) -> str:
        """What this installation calls itself, made when it is first asked for.

        Raises:
            StorageFailed: in memory only, for now.
        """
        if Kept.DEVICE_ID not in self._held:
            await self.put(Kept.DEVICE_ID, str(uuid.uuid4()))
        return self._held[Kept.DEVICE_ID]

    async def wipe(self) -> None:
        """Forget everything.

        Raises:
            StorageFailed: the storage still holds some of it; it is tried again.
        """
        self.stage_wipe()
        await self.settle(set(Kept))

    def stage(self, kept: Kept, value: str | None) -> None:
        """Keep in memory; `settle` brings it to the storage."""
        if value is None:
            self._held.pop(kept, None)
        else:
            self._held[kept] = value
        self._owed[kept] = value

    def stage_wipe(self) -> None:
        """Forget everything in memory; `settle` makes the storage forget."""
        for kept in Kept:
            self.stage(kept, None)

    async def settle(self, needed: Iterable[Kept] | None = None) -> None:
        """Bring the storage all that it lacks. A caller that is cancelled waits a moment for it.

        Raises:
            StorageFailed: it did not take one of `needed` (None: of all); the others are only told by `trouble`.
        """
        failed = await finishing(self.clock, CANCEL_GRACE_SECONDS, self._settle)
        wanted = frozenset(Kept) if needed is None else frozenset(needed)
        for kept in sorted(wanted & failed.keys()):
            raise failed[kept]

    def on_trouble(self, listener: Callable[[StorageFailed | None], None]) -> Callable[[], None]:
        """Call `listener` when `trouble` becomes another; returns what cancels that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    async def _settle(self) -> dict[Kept, StorageFailed]:
        """What could not be brought, and why."""
        failed: dict[Kept, StorageFailed] = {}
        async with self._writing:
            for kept, value in list(self._owed.items()):
                try:
                    await self._bring(kept, value)
                except StorageFailed as error:
                    failed[kept] = error
                else:
                    if self._owed.get(kept) == value:  # else it was changed meanwhile, and is owed still
                        self._owed.pop(kept, None)
            self._became(next(iter(failed.values()), None))
        return failed

    async def _bring(self, kept: Kept, value: str | None) -> None:
        if value is None:
            await self._asked("remove", kept, lambda: self._storage.remove(kept))
        else:
            await self._asked("write", kept, lambda: self._storage.set(kept, value))

    async def _asked(self, what: str, kept: Kept, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await within(self.clock, STORAGE_WAIT_SECONDS, call)
        except Exception as error:
            cause = type(error).__name__
            log.record("keychain.failed", level=30, what=what, key=kept.value, error=cause)
            raise StorageFailed(
                f"the Keychain did not {what} {kept.value}: {cause}",
                reason_code=f"keychain_{what}",
                key=kept.value,
                cause=cause,
            ) from error

    def _became(self, trouble: StorageFailed | None) -> None:
        known, self.trouble = self.trouble, trouble
        if (known is None) != (trouble is None):
            for listener in tuple(self._listeners):
                listener(trouble)


class KeychainTokenStore:
    """A `TokenStore` over a `Keychain`: answers from memory, durable when `exclusive()` is left.

    A phone that is killed after the server rotated a refresh token and before the storage has the new one wakes up
    with the old one. The server forgives its use for a minute, where the app is opened again within it; later it ends
    the session, and a person signs in again. Nothing is ever half written: the credentials are one value.
    """

    def __init__(self, keychain: Keychain) -> None:
        self.keychain = keychain
        self._staged: set[Kept] = set()
        """What was changed since `exclusive()` was entered."""

    @classmethod
    async def opened(
        cls, storage: SecretStorage, *, marker: Path | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> KeychainTokenStore:
        """See `Keychain.opened`."""
        return cls(await Keychain.opened(storage, marker=marker, clock=clock))

    def load(self) -> Credentials | None:
        """What was saved last; None: nothing, or it was damaged."""
        text = self.keychain.get(Kept.CREDENTIALS)
        return Credentials.from_json(text) if text else None

    def save(self, credentials: Credentials) -> None:
        """Keep: in memory at once, in the storage when `exclusive()` is left (or at `keychain.settle()`)."""
        self.keychain.stage(Kept.CREDENTIALS, credentials.to_json())
        self._staged.add(Kept.CREDENTIALS)

    def clear(self) -> None:
        """Forget the session and everything else that is kept; when that is done, see `save`."""
        self.keychain.stage_wipe()
        self._staged.update(Kept)

    @contextlib.asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold off the other tasks, and see to it that what is saved meanwhile is in the storage afterwards.

        Raises:
            StorageFailed: on leaving: what was saved or cleared within is so in memory only, for now.
        """
        async with self.keychain.rotating:
            self._staged.clear()
            try:
                yield
            except BaseException:
                with contextlib.suppress(StorageFailed):  # told by `trouble`; what went wrong first is what is raised
                    await self.keychain.settle()
                raise
            await self.keychain.settle(frozenset(self._staged))


def _is_there(marker: Path) -> bool:
    return marker.exists()


def _leave(marker: Path) -> None:
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
