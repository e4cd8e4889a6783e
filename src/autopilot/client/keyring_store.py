"""The system's keyring as a place for credentials, with a file as the fallback that says so.

Relies on `tokens.FileTokenStore` for the fallback and its lock. A keyring may be locked, or gone, at any time: what was
saved meanwhile is in the file, and of two copies the younger counts. Signing out leaves no token behind: what a
keyring would not remove is never read again, also by later processes (a file beside the fallback says so, with no
secret in it), and removed as soon as the keyring answers.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from typing import Any

from autopilot.client import log
from autopilot.client.tokens import Credentials, FileTokenStore, StorageFailed

MOST_COPIES = 16
"""Of one entry: some keyrings remove the first of several only."""
_NEVER = datetime.max.replace(tzinfo=UTC)


class KeyringTokenStore:
    """The system's keyring; where there is none that works, a file, and `where` says which it is."""

    def __init__(self, fallback: FileTokenStore, *, service: str = "autopilot", account: str = "default") -> None:
        self._fallback = fallback
        self._service = service
        self._account = account
        self._installed = self._keyring = _working_keyring()  # the latter: until it fails once
        self._left_path = fallback.path.with_name(f".{fallback.path.name}.left-in-keyring")

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
            if self._left_path.exists():
                self._empty()
                self._left_path.unlink(missing_ok=True)
                return None
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
                self._left_path.unlink(missing_ok=True)  # what was left is overwritten
                self._fallback.clear()
                return
        self._fallback.save(credentials)

    def clear(self) -> None:
        """Forget in both places, also in a keyring that has failed before.

        Raises:
            StorageFailed: `keyring_remove`: the keyring may hold something still, which is not used any more.
        """
        self._leave()  # first: whatever happens from here on, nobody reads what is in any keyring
        self._fallback.clear()
        if self._installed is None:  # now; another session of this person may have one, and something in it
            return
        try:
            self._empty()
        except self._installed.errors.KeyringError as error:
            log.record("tokens.left_in_keyring", level=30, error=type(error).__name__)
            raise StorageFailed(
                "the keyring can't be emptied now; what it holds is not used any more", reason_code="keyring_remove"
            ) from error
        self._left_path.unlink(missing_ok=True)

    def exclusive(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Hold off others, by the lock file beside the fallback."""
        return self._fallback.exclusive()

    def _leave(self) -> None:
        self._left_path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self._left_path, os.O_CREAT | os.O_WRONLY, 0o600))

    def _empty(self) -> None:
        """Remove every copy.

        Raises:
            KeyringError: it is locked, or gone, or keeps what it holds.
        """
        for _copy in range(MOST_COPIES):
            if self._installed.get_password(self._service, self._account) is None:
                return
            self._installed.delete_password(self._service, self._account)
        raise self._installed.errors.PasswordDeleteError

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
