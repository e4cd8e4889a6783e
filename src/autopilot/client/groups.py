"""What went wrong in a task group, told as the one error that it is."""

from __future__ import annotations

import asyncio

from autopilot.contract.errors import AutopilotError


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error of ours that ended the task group, the others being its consequences; the group if it is a bug."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, AutopilotError) else errors


def end_if_cancelled() -> None:
    """For who goes on after an error: a group that ended by it tells nothing of a cancellation that came meanwhile.

    Raises:
        asyncio.CancelledError: there was one.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
