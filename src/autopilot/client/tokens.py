"""Where credentials are kept, and what a client needs of whoever has them.

Owns the `TokenStore` protocol and two implementations: memory, and a file of the user's own (0600, replaced
atomically); `keyring_store` and `keychain` have the others. Never refreshes anything: that is `session.Session`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.contract.errors import AutopilotError, Unauthorized

try:
    import fcntl
except ImportError:  # not on Windows: there one process owns the file
    fcntl = None

LOCK_POLL_SECONDS = 0.025
LOCK_WAIT_SECONDS = 30.0


class SignInAgain(Unauthorized):
    """The session is over (revoked, expired, signed out): a person has to sign in. Cursors stay valid."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a signed-in device holds."""

    access_token: str
    refresh_token: str | None = None
    expires_at: datetime | None = None
    """When the access token ends, by this device's wall clock; None: unknown."""
    user_id: int | None = None
    email: str | None = None
    base_url: str | None = None
    """The installation they are for: tokens are never sent elsewhere."""
    lives_seconds: float | None = None
    """The access token's whole life; None: unknown."""
    device_key: str | None = None
    """The secret half of the key that signs this device's writes, in hex; None: it signs none."""
    guest_scope: str | None = None
    """The guest whose session it is; None: a user's."""

    def __repr__(self) -> str:
        return f"Credentials(user_id={self.user_id}, email={self.email!r}, expires_at={self.expires_at}, tokens hidden)"

    def to_json(self) -> str:
        """As text, for a store."""
        fields = asdict(self)
        fields["expires_at"] = self.expires_at.isoformat() if self.expires_at else None
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> Credentials | None:
        """From a store's text; None where that is no credentials (damaged: the same as signed out)."""
        try:
            fields: dict[str, Any] = json.loads(text)
            expires_at = fields.get("expires_at")
            known: dict[str, Any] = {name: fields.get(name) for name in cls.__slots__}
            known["expires_at"] = datetime.fromisoformat(expires_at) if expires_at else None
            return cls(**known) if isinstance(known["access_token"], str) else None
        except (ValueError, TypeError, AttributeError, RecursionError):
            return None


class StorageFailed(AutopilotError):
    """A place for secrets refused, or did not answer.

    `reason_code`: `keychain_read`, `keychain_write` or `keychain_remove` of a phone, `keyring_remove` of a desktop.
    """

    code = "storage_failed"


class TokenSource(Protocol):
    """What the client asks for a token: a `Session`, or a fixed one."""

    async def access_token(self) -> str:
        """A token to try.

        Raises:
            SignInAgain: there is none.
        """
        ...

    async def renew(self, rejected: str) -> str:
        """Another token than `rejected`, which the server answered with 401.

        Raises:
            SignInAgain: there is none.
            NetworkError, Unavailable: not now.
        """
        ...


@runtime_checkable
class StepUpSource(Protocol):
    """A token source that can prove anew who uses it (docs/protocol.md, "Step-up")."""

    async def step_up(self) -> str | None:
        """A token of a session that is stepped up; None: it can't be proved here and now.

        Raises:
            Unauthorized: the proof was refused.
        """
        ...


@dataclass(frozen=True, slots=True, repr=False)
class FixedToken:
    """One token, for scripts: when it is refused, that is the end."""

    token: str

    async def access_token(self) -> str:
        """The token."""
        return self.token

    async def renew(self, rejected: str) -> str:  # noqa: ARG002 - the protocol's shape
        """Refuse: there is no other.

        Raises:
            SignInAgain: always.
        """
        raise SignInAgain("the token was refused and there is nothing to renew it with", reason_code="fixed_token")


class TokenStore(Protocol):
    """One place for one set of credentials."""

    def load(self) -> Credentials | None:
        """What is stored now (other processes may have changed it), or None."""
        ...

    def save(self, credentials: Credentials) -> None:
        """Replace what is stored, whole or not at all."""
        ...

    def clear(self) -> None:
        """Forget.

        Raises:
            StorageFailed: something is left that is not used any more, and removed as soon as that can be done.
        """
        ...

    def exclusive(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Hold off everybody who shares this place, while a refresh token is being rotated."""
        ...


class MemoryTokenStore:
    """Gone with the process."""

    def __init__(self, credentials: Credentials | None = None) -> None:
        self._credentials = credentials
        self._lock = asyncio.Lock()

    def load(self) -> Credentials | None:
        """What was saved last."""
        return self._credentials

    def save(self, credentials: Credentials) -> None:
        """Keep."""
        self._credentials = credentials

    def clear(self) -> None:
        """Forget."""
        self._credentials = None

    @contextlib.asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold off the other tasks of this process."""
        async with self._lock:
            yield


class FileTokenStore:
    """A JSON file that only its owner can read, replaced atomically, with a lock file beside it for refreshes."""

    def __init__(self, path: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.path = path
        self._lock_path = path.with_name(f".{path.name}.lock")
        self._clock = clock
        self._lock = asyncio.Lock()

    def load(self) -> Credentials | None:
        """What the file says now; None where it is missing or damaged."""
        try:
            return Credentials.from_json(self.path.read_text("utf-8"))
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def save(self, credentials: Credentials) -> None:
        """Write beside the file, flush to disk, rename over it, flush that too: 0600 from the first byte.

        A power cut in the next moment must not bring the old refresh token back: its use would end the session.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(credentials.to_json())
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _flush_folder(self.path.parent)

    def clear(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold off the other tasks of this process and the other processes of this user.

        Raises:
            TimeoutError: somebody has held the lock for half a minute.
        """
        async with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._lock_path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                await self._flock(descriptor)
                yield
            finally:
                os.close(descriptor)  # and with it the lock

    async def _flock(self, descriptor: int) -> None:
        if fcntl is None:
            return
        give_up_at = self._clock.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._clock.monotonic() >= give_up_at:
                    raise TimeoutError(f"another process holds {self._lock_path.name}") from None
                await self._clock.sleep(LOCK_POLL_SECONDS)
            else:
                return


def _flush_folder(folder: Path) -> None:
    """Have a renaming within it outlive a power cut, where the system lets folders be flushed."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
