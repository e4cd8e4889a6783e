"""What a person at a terminal is asked, and types.

Owns that Ctrl-C and the end of the input end a question: asyncio's own handler of the signal only asks the task to end,
and the task is what waits for the line; a thread that waits for it is waited for in turn. Without a terminal a line is
read beside everything else. Never decides what is asked.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from autopilot.cli.exits import CommandFailed, Exit


def reply(ask: Callable[[], str]) -> str:
    """What a person at the terminal answers, without the spaces around it; everything else waits meanwhile.

    Raises:
        CommandFailed: the input ended (Ctrl-D).
        KeyboardInterrupt: Ctrl-C, at once.
    """
    with _ctrl_c_at_once():
        try:
            return ask().strip()
        except EOFError:
            sys.stderr.write("\n")
            raise CommandFailed("There was no answer.", Exit.USAGE, reason_code="no_answer") from None


async def line() -> str:
    """The next line of standard input: a person's, or a program's."""
    if sys.stdin.isatty():
        return reply(sys.stdin.readline)
    return (await asyncio.to_thread(sys.stdin.readline)).strip()


@contextmanager
def _ctrl_c_at_once() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only there signals are taken
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
