"""How a key of an installation is replaced while everything runs.

A key of a ring is made known first (`<purpose>.next.key`), and makes something only once whoever was in the middle of
something knows it; then it takes the place of the current one, which stays good beside it. Every step is one renaming
or removal of a file: killed between any two, the installation works, and the same command goes on where it was.
Relies on processes that follow the files (ops.following). Source: SECURITY.md, "Replacing a key".
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from autopilot.api.push_keys import new_secret
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.keys import KeySettings
from autopilot.ops import secrets_file
from autopilot.ops.clock import Clock
from autopilot.ops.secrets_file import random_secret
from autopilot.ops.settings import Secret
from autopilot.runtime.seal_keys import SealKey

SETTLE_SECONDS = 5.0
"""An append that computed its digest before the new key was known is committed or refused by then."""
MOST_PREVIOUS = 8
"""Each key that is still accepted is one more digest for every event that a client appends."""
SEAL = "seal"
VAPID = "vapid"
ALONE = frozenset({SEAL, VAPID})
"""Of these none of before is kept."""
PURPOSES = {
    "digest": "recognizes an event or request that is sent again",
    "delivery": "encrypts what must reach Codex exactly",
    "internal": "signs what the API says to the runtime",
    "code": "sign-in codes",
    SEAL: "signs what proves that no log was altered",
    VAPID: "says to push services who sends notifications",
}


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What may be shown of a key."""

    name: str
    used_for: str
    source: str
    """`file`, or the name of the variable of the environment that it comes from."""
    key: str | None
    """A name to tell keys apart by, which says nothing about them; None: it is made at the next start."""
    since: str | None
    """When the file was put in place, RFC 3339."""
    previous: int
    """How many of before are accepted still."""
    coming: bool
    """Whether a rotation was begun and not finished."""


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """The files of one key."""

    secrets: Path
    purpose: str
    settings: KeySettings

    @property
    def current(self) -> Path:
        """Makes what is new."""
        return self.secrets / f"{self.purpose}.key"

    @property
    def coming(self) -> Path:
        """Accepted already."""
        return self.secrets / f"{self.purpose}.next.key"

    @property
    def previous(self) -> Path:
        """Accepted still, one a line."""
        return self.secrets / f"{self.purpose}.previous.key"

    @property
    def variable(self) -> str:
        """The variable that it may come from instead."""
        return f"AUTOPILOT_{self.purpose.upper()}_KEY"

    @property
    def given(self) -> Secret | None:
        """The key of the environment."""
        value: Secret | None = getattr(self.settings, f"{self.purpose}_key")
        return value

    def facts(self) -> KeyFacts:
        """Raises SettingsRefused: others may read a file."""
        text = self.given.reveal() if self.given else secrets_file.load_if_there(self.current)
        in_file = self.given is None and text is not None
        return KeyFacts(
            name=self.purpose,
            used_for=PURPOSES[self.purpose],
            source=self.variable if self.given else "file",
            key=None if text is None else shown(self.purpose, text),
            since=_changed(self.current) if in_file else None,
            previous=len(self._previous()),
            coming=self.coming.exists(),
        )

    async def rotate(self, clock: Clock) -> None:
        """Put a new key in the place of the current one, or finish what was begun.

        Raises:
            CommandFailed: the key does not come from a file of this folder; too many of before are accepted still.
            SettingsRefused: others may read a file.
        """
        self._require_files()
        with _alone(self.secrets):
            text = secrets_file.load_or_create(self.coming, new_secret if self.purpose == VAPID else random_secret)
            if self.purpose == SEAL:
                public = SealKey(bytes.fromhex(text))
                secrets_file.load_or_create(self.secrets / f"seal-{public.key_id}.pub", public.public.hex)
            elif self.purpose not in ALONE:
                await clock.sleep(SETTLE_SECONDS)
                self._keep_current()
            secrets_file.move(self.coming, self.current)

    def forget(self) -> int:
        """Accept those of before no longer; how many there were."""
        with _alone(self.secrets):
            count = len(self._previous())
            secrets_file.remove(self.previous)
        return count

    def _keep_current(self) -> None:
        current, kept = secrets_file.load_or_create(self.current), self._previous()
        if current not in kept:
            secrets_file.put(self.previous, "\n".join([current, *kept]))

    def _previous(self) -> list[str]:
        return (secrets_file.load_if_there(self.previous) or "").split()

    def _require_files(self) -> None:
        if self.given is not None:
            raise CommandFailed(
                f"This key comes from {self.variable}: where it is set, it is replaced, on all machines alike. "
                "How without downtime: SECURITY.md, Replacing a key.",
                Exit.CONFLICT,
                reason_code="key_from_environment",
            )
        if not self.current.exists():
            raise CommandFailed(
                f"There is no {self.current}: it is made at the first start, or comes from {self.variable}.",
                Exit.NOT_FOUND,
                reason_code="no_key_file",
            )
        if len(self._previous()) >= MOST_PREVIOUS and not self.coming.exists():  # what was begun is finished
            raise CommandFailed(
                f"{MOST_PREVIOUS} keys of before are accepted still: forget them first.",
                Exit.CONFLICT,
                reason_code="too_many_previous",
            )


def shown(purpose: str, text: str) -> str:
    """A name for a key of 32 random bytes: the start of a digest of it."""
    return hashlib.sha256(f"autopilot shown key\0{purpose}\0{text}".encode()).hexdigest()[:12]


def _changed(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")


@contextmanager
def _alone(secrets: Path) -> Iterator[None]:
    """Be the only one who replaces keys here.

    Raises:
        CommandFailed: somebody else is at it.
    """
    descriptor = os.open(secrets, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CommandFailed("Keys of this installation are being replaced already.", Exit.CONFLICT) from None
    finally:
        os.close(descriptor)
