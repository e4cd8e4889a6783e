"""A command line as a person would have typed it: without the shell that Codex wraps around it."""

from __future__ import annotations

import shlex

_SHELLS = frozenset({"bash", "sh", "zsh"})
_FLAGS = frozenset({"-lc", "-c"})
_WRAPPED_WORDS = 3
_LONGEST = 20_000
"""Characters of a line that is looked into; a longer one is shown as it is."""


def plain(command: str) -> str:
    """`make test` for `/bin/bash -lc 'make test'`; anything else as it is."""
    if len(command) > _LONGEST:
        return command
    shell, _, rest = command.partition(" ")
    if shell.rpartition("/")[2] not in _SHELLS or rest.partition(" ")[0] not in _FLAGS:
        return command
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    return words[2] if len(words) == _WRAPPED_WORDS else command
