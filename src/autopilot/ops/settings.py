"""Settings: one frozen struct a process part, read once from the environment, wrong ones named all at once.

Each field spells its environment variable out (`msgspec.field(name="AUTOPILOT_PORT")`), so that a name found in the
documentation is found in the source. `__main__` hands the environment in; only the place of the user's data folder
(XDG_DATA_HOME, a setting of the desktop) is looked up here.
"""

from __future__ import annotations

import hmac
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from autopilot.contract.errors import AutopilotError


class SettingsRefused(AutopilotError):
    """One or more settings are wrong; the message has a line for each."""

    code = "settings"


class Secret:
    """A string that does not print itself: in logs and tracebacks it is stars."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('****')"

    def __str__(self) -> str:
        return "****"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(other._value.encode(), self._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every settings struct."""


SettingsT = TypeVar("SettingsT", bound=Settings)


def default_home() -> Path:
    """The data folder where AUTOPILOT_HOME says nothing: in the user's data folder."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "autopilot"
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / "autopilot"


class ProcessSettings(Settings, frozen=True, kw_only=True):
    """What every process of an installation has in common."""

    home: Path = msgspec.field(name="AUTOPILOT_HOME", default_factory=default_home)
    """All data of the installation; mode 0700."""
    database_url: Secret | None = msgspec.field(name="DATABASE_URL", default=None)
    """A Postgres (15 or newer) of your own instead of the embedded one: postgresql://user:password@host/database."""
    pg_bin: Path | None = msgspec.field(name="PG_BIN", default=None)
    """Folder of the programs for the embedded Postgres, instead of those that were installed with Autopilot."""
    log_level: Literal["debug", "info", "warning", "error"] = msgspec.field(name="AUTOPILOT_LOG_LEVEL", default="info")
    log_format: Literal["auto", "console", "json"] = msgspec.field(name="AUTOPILOT_LOG_FORMAT", default="auto")
    """auto: for people on a terminal, else JSON lines."""


def load(kind: type[SettingsT], environ: Mapping[str, str]) -> SettingsT:
    """Read the settings of `kind`. Unset and empty variables have their defaults.

    Raises:
        SettingsRefused: some are missing or wrong; values are not repeated, they may be secrets.
    """
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for field in msgspec.structs.fields(kind):
        text = environ.get(field.encode_name, "")
        if text:
            try:
                values[field.name] = msgspec.convert(text, field.type, strict=False, dec_hook=_decode)
            except msgspec.ValidationError as error:
                wrong.append(f"{field.encode_name}: {error}")
        elif field.required:
            wrong.append(f"{field.encode_name}: not set")
    if wrong:
        raise SettingsRefused("Settings are wrong:\n" + "\n".join(wrong), details=[{"setting": line} for line in wrong])
    return kind(**values)


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret:
        return Secret(value)
    if kind is Path:
        return Path(value).expanduser()
    raise TypeError(f"settings can't be of type {kind}")
