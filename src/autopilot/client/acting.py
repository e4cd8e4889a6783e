"""Something that is asked for and something that is done about it, on one screen: one thing at a time.

What the server says counts: after every act the question is asked again, and nothing is shown as done before. Asking
for a code, where the server wants one, is the session's business (`Session.ask_code`). Knows no subject: stores do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from autopilot.client.asked import Asked, AskedView
from autopilot.client.clock import Clock
from autopilot.client.observable import Observable
from autopilot.client.presenters.labels import Label
from autopilot.contract.errors import AutopilotError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ActingView(Generic[T]):
    """One moment of it."""

    asked: AskedView[T]
    doing: str | None = None
    """What something is being done about; None: about nothing."""
    said: Label | None = None
    """What became of the last act."""
    error: AutopilotError | None = None
    """Why the last act was not done, or is not known to be."""


class ActingStore(Observable[ActingView[T]], Generic[T]):
    """One question, and the acts that change its answer."""

    def __init__(self, clock: Clock, ask: Callable[[], Awaitable[T]]) -> None:
        super().__init__()
        self._asked: Asked[T] = Asked(clock, ask)
        self._asked.subscribe(lambda _view: self._change())
        self._doing: str | None = None
        self._said: Label | None = None
        self._error: AutopilotError | None = None

    async def look(self) -> None:
        """Ask now; what was said is in the view afterwards. Never raises for what a server says."""
        await self._asked.look()
        self._change()

    async def act(self, about: str, work: Callable[[], Awaitable[Label | None]], *, is_end: bool = False) -> bool:
        """Do it, unless something is being done; whether it was.

        `about`: what a screen shows as busy meanwhile; `is_end`: afterwards there is nothing to ask about any more.
        """
        if self._doing is not None:
            return False
        self._doing, self._said, self._error = about, None, None
        self._change()
        try:
            self._said = await work()
        except AutopilotError as error:
            self._error = error
        finally:
            self._doing = None
            self._change()
        is_done = self._error is None
        if not (is_done and is_end):
            await self.look()
        return is_done

    def _seen(self) -> ActingView[T]:
        return ActingView(self._asked.view, self._doing, self._said, self._error)
