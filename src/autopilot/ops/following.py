"""A value read from the files of a folder, as they are now: who uses it needs no restart when they are replaced.

Each use looks at the folder's time of change (one `stat`, about a microsecond) and reads again when it moved. So a
process knows a replaced file from its first use after the replacement on, with no interval in which it does not.
Relies on files being replaced by renaming, never written in place (ops.secrets_file). Never writes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from autopilot.ops.log import get_logger
from autopilot.ops.settings import SettingsRefused

T = TypeVar("T")

GRAIN_NS = 1_000_000_000
"""File systems tell changes apart no better than this: what changed so lately may have changed again since."""

log = get_logger("autopilot.following")


class Following(Generic[T]):
    """`read()`, as of the folder's last change. The same object for as long as it is equal."""

    def __init__(self, folder: Path, read: Callable[[], T]) -> None:
        """Reads at once.

        Raises:
            OSError, SettingsRefused: what `read` does.
        """
        self._folder = os.fspath(folder)
        self._read = read
        self._value = read()
        self._seen: int | None = None
        """The time of change that the value is of, once that is past the grain."""
        self._told: int | None = None

    def __call__(self) -> T:
        """The value now; the last good one while the files can't be read."""
        try:
            changed = os.stat(self._folder).st_mtime_ns  # noqa: PTH116 - half the time of Path's own
            if changed != self._seen:
                self._take(changed)
        except (OSError, SettingsRefused) as error:
            self._tell(error)
        return self._value

    def _take(self, changed: int) -> None:
        settled = time.time_ns() - changed > GRAIN_NS
        read = self._read()
        if read != self._value:
            self._value = read
        self._seen = changed if settled else None

    def _tell(self, error: Exception) -> None:
        """Once a minute: each use would say it again."""
        minute = int(time.monotonic() // 60)
        if minute != self._told:
            self._told = minute
            log.error("files.unreadable", folder=self._folder, error=str(error))
