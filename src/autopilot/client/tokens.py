"""Where credentials are kept, and what a client needs of whoever has them.

Owns the `TokenStore` protocol and its three implementations: memory, a file of the user's own (0600, replaced
atomically), the system's keyring with that file as a fallback that says so. Never refreshes anything: that is
`session.Session`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from autopilot.client import log
from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.contract.errors import Unauthorized

try:
    import fcntl
except ImportError:  # not on Windows: there one process owns the file
    fcntl = None

LOCK_POLL_SECONDS = 0.025
LOCK_WAIT_SECONDS = 30.0
_NEVER = datetime.max.replace(tzinfo=UTC)


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
        """Forget."""
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


class KeyringTokenStore:
    """The system's keyring; where there is none that works, a file, and `where` says which it is."""

    def __init__(self, fallback: FileTokenStore, *, service: str = "autopilot", account: str = "default") -> None:
        self._fallback = fallback
        self._service = service
        self._account = account
        self._keyring = _working_keyring()

    @property
    def where(self) -> str:
        """For people: where the credentials are kept."""
        if self._keyring is not None:
            return f"keyring ({type(self._keyring.get_keyring()).__name__})"
        return f"file {self._fallback.path} (no usable keyring on this system)"

    def load(self) -> Credentials | None:
        """What the keyring or the file holds; where both do (the keyring was locked for a while), the younger."""
        held = [one for one in (self._in_keyring(), self._fallback.load()) if one is not None]
        return max(held, key=lambda one: one.expires_at or _NEVER, default=None)

    def _in_keyring(self) -> Credentials | None:
        if self._keyring is None:
            return None
        try:
            text = self._keyring.get_password(self._service, self._account)
        except self._keyring.errors.KeyringError as error:
            self._give_up(error)
            return None
        return Credentials.from_json(text) if text else None

    def save(self, credentials: Credentials) -> None:
        """Keep in the keyring; the file only where that fails."""
        if self._keyring is not None:
            try:
                self._keyring.set_password(self._service, self._account, credentials.to_json())
            except self._keyring.errors.KeyringError as error:
                self._give_up(error)
            else:
                self._fallback.clear()
                return
        self._fallback.save(credentials)

    def clear(self) -> None:
        """Forget in both places."""
        if self._keyring is not None:
            with contextlib.suppress(self._keyring.errors.KeyringError):
                self._keyring.delete_password(self._service, self._account)
        self._fallback.clear()

    def exclusive(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Hold off others, by the lock file beside the fallback."""
        return self._fallback.exclusive()

    def _give_up(self, error: Exception) -> None:
        self._keyring = None
        log.record("tokens.keyring_unusable", level=30, error=type(error).__name__, instead=str(self._fallback.path))


def _working_keyring() -> Any:
    """The keyring module, if it is installed and has a backend that stores anything."""
    try:
        import keyring  # noqa: PLC0415 - optional: not on a phone
        import keyring.errors  # noqa: PLC0415 - as above
        from keyring.backends import fail, null  # noqa: PLC0415 - as above
    except ImportError:
        return None
    backend = keyring.get_keyring()
    return None if isinstance(backend, (fail.Keyring, null.Keyring)) else keyring
