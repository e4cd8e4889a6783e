"""What the exit code of a command means; the table of docs/cli.md.

Relies on the contract's error tree. Never prints: `autopilot.cli.main` does.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from autopilot.contract import errors
from autopilot.db.errors import BackupRefused, DatabaseAway, DatabaseRefused
from autopilot.ops.settings import SettingsRefused


class Exit(IntEnum):
    """The exit codes of `autopilot`."""

    OK = 0
    """It was done."""
    FAILED = 1
    """It was tried, and the answer is no: a request that failed, a check that found something."""
    USAGE = 2
    """The command line makes no sense."""
    UNREACHABLE = 3
    """Nothing answers there, or it can't at the moment; trying again is safe."""
    SIGN_IN = 4
    """No sign-in, or it has ended."""
    FORBIDDEN = 5
    """Signed in, but not allowed."""
    NOT_FOUND = 6
    """There is no such worker, machine, request or approval."""
    CONFLICT = 7
    """True, but not now: stopped, other content under a known id, answered otherwise, a cursor outside the log."""
    REFUSED = 8
    """A value that the server doesn't accept."""
    RATE_LIMITED = 9
    """Too many at once."""
    UNDECIDED = 10
    """Not ended in time, or nobody can know whether it happened."""
    CANNOT_START = 11
    """It can't start here: port taken, already running, wrong settings, data of another version."""
    INTERRUPTED = 130
    """Ctrl-C."""

    @property
    def word(self) -> str:
        """The `code` of an error that ends a command with this: the contract's, where it has one."""
        return _WORDS.get(self, self.name.lower())


_WORDS = {
    Exit.UNREACHABLE: "unavailable",
    Exit.SIGN_IN: "unauthorized",
    Exit.REFUSED: "unprocessable",
    Exit.UNDECIDED: "timeout",
}


class CommandFailed(errors.AutopilotError):
    """A sentence for the person at the terminal, and the exit code that goes with it."""

    code = "command_failed"

    def __init__(self, message: str, exit_code: Exit = Exit.FAILED, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.exit_code = exit_code


_BY_KIND: dict[type[errors.AutopilotError], Exit] = {
    errors.Unauthorized: Exit.SIGN_IN,
    errors.Forbidden: Exit.FORBIDDEN,
    errors.NotFound: Exit.NOT_FOUND,
    errors.Conflict: Exit.CONFLICT,
    errors.StaleCursor: Exit.CONFLICT,
    errors.RateLimited: Exit.RATE_LIMITED,
    errors.Unavailable: Exit.UNREACHABLE,
    errors.NetworkError: Exit.UNREACHABLE,
    errors.RequestTimeout: Exit.UNREACHABLE,
    errors.UnknownError: Exit.FAILED,
    errors.Problem: Exit.REFUSED,
    BackupRefused: Exit.FAILED,
    DatabaseAway: Exit.UNREACHABLE,
    DatabaseRefused: Exit.CANNOT_START,
    SettingsRefused: Exit.CANNOT_START,
}


def exit_code_of(error: errors.AutopilotError) -> Exit:
    """The exit code that `error` ends a command with."""
    if isinstance(error, CommandFailed):
        return error.exit_code
    for kind in type(error).__mro__:
        if kind in _BY_KIND:
            return _BY_KIND[kind]
    return Exit.FAILED
