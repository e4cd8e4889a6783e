"""The options that every command takes, and the environment they fall back to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from cyclopts import Parameter, validators

PORT = validators.Number(gte=0, lte=65535)
Port = Annotated[int, Parameter(env_var="AUTOPILOT_PORT", help="TCP port; 0: any that is free.", validator=PORT)]


def is_server(_kind: Any, url: str | None) -> None:
    """Refuse what is no server's URL.

    Raises:
        ValueError: with what one looks like.
    """
    if url is None:
        return
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ValueError("A server's URL looks like http://127.0.0.1:8787 or https://autopilot.example.com.")


def is_dash_at_most(_kind: Any, name: str | None) -> None:
    """Refuse an option in the place of a name; `-` alone is standard input.

    Goes with `allow_leading_hyphen`, without which a `-` is taken for an option that nobody knows.

    Raises:
        ValueError: with how such a name is written.
    """
    if name is not None and name.startswith("-") and name != "-":
        raise ValueError(f"{name} is no option here; as a name it is written ./{name}, and - is standard input.")


def is_time(_kind: Any, seconds: float | None) -> None:
    """Refuse what nobody can wait for.

    Raises:
        ValueError: with what is meant.
    """
    if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError("A number of seconds is meant, 0 or more.")


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where to ask, and how to answer."""

    json: Annotated[bool, Parameter(negative=(), help="Print the result as one JSON document on one line.")] = False
    url: Annotated[
        str | None,
        Parameter(
            env_var="AUTOPILOT_URL",
            show_env_var=True,
            validator=is_server,
            help="The server; else the one that runs on this machine, else the one signed in to.",
        ),
    ] = None


DEFAULT = Options()
"""What a command called without any option gets."""
