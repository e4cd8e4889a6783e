"""The options that every command takes, and the environment they fall back to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where to ask, and how to answer."""

    json: Annotated[bool, Parameter(negative=(), help="Print results as JSON, one document a line.")] = False
    url: Annotated[
        str | None,
        Parameter(
            env_var="AUTOPILOT_URL",
            show_env_var=True,
            help="The server; else the one that runs on this machine, else the one signed in to.",
        ),
    ] = None


DEFAULT = Options()
"""What a command called without any option gets."""
