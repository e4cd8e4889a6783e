"""A person is asked for a code that was mailed: what a screen shows and gives back (`Session.ask_code`).

One at a time. Never knows what the code is good for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from autopilot.client.observable import Observable
from autopilot.contract.errors import Forbidden


@dataclass(frozen=True, slots=True)
class PromptView:
    """Whether somebody is being asked."""

    is_asked: bool = False


class CodePrompt(Observable[PromptView]):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self._answer: asyncio.Future[str] | None = None

    async def ask(self) -> str:
        """The code, when a person has typed it.

        Raises:
            Forbidden: `step_up_required`: they would not, or are being asked already.
        """
        if self._answer is not None:
            raise _not_proved()
        self._answer = asyncio.get_running_loop().create_future()
        self._change()
        try:
            return await self._answer
        finally:
            self._answer = None
            self._change()

    def give(self, code: str) -> None:
        """This is the code; nothing is none."""
        if self._answer is not None and not self._answer.done() and code.strip():
            self._answer.set_result(code.strip())

    def cancel(self) -> None:
        """There will be none."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(_not_proved())

    def _seen(self) -> PromptView:
        return PromptView(is_asked=self._answer is not None)


def _not_proved() -> Forbidden:
    return Forbidden("nobody said who they are", reason_code="step_up_required")
