"""Letting a phone, a browser or a machine in: a code here or there, the same words on both screens, and a yes.

The side of who is signed in. `run` goes on for as long as a screen shows it; words are there only where all that was
said adds up, and the yes is said to just those that were shown. Never lets anything in by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.observable import Observable
from autopilot.client.pairing import OVER, POLL_SECONDS, Approver
from autopilot.client.pairing_words import PairingTampered, words_of
from autopilot.client.presenters import errors, pairings
from autopilot.client.presenters.labels import Label
from autopilot.contract import Pairing
from autopilot.contract.errors import AutopilotError, Conflict, NotFound

Step = Literal["choose", "waiting", "comparing", "confirmed", "over"]
DEVICE = "device"


@dataclass(frozen=True, slots=True)
class LettingInView:
    """One moment of it."""

    step: Step = "choose"
    code: str | None = None
    """What is to be typed at the other side; None: its code was typed here."""
    pairing: Pairing | None = None
    words: tuple[str, ...] = ()
    """Step `comparing`: what must be on both screens."""
    end: Label | None = None
    """Step `over`: how it ended."""
    error: AutopilotError | None = None
    """Why it was not possible to begin, to look or to decide, the last time."""
    is_busy: bool = False


class LettingIn(Observable[LettingInView]):
    """One after another."""

    def __init__(self, client: RuntimeCodexClient) -> None:
        super().__init__()
        self._client = client
        self._approver: Approver = client.approver()
        self._now = LettingInView()
        self._has_not_seen = False
        """The last look failed: the next one that does not takes its error away."""

    def begin_anew(self) -> None:
        """Choose again; what was under way ends by itself."""
        self._approver = self._client.approver()
        self._become(LettingInView())

    async def offer(self) -> bool:
        """Show a code; whether there is one."""

        async def work() -> None:
            started = await self._approver.offer(DEVICE)
            self._become(LettingInView("waiting", code=started.code, pairing=started.pairing))

        return await self._do(work)

    async def find(self, code: str) -> bool:
        """Take up what shows this code; whether something does."""

        async def work() -> None:
            self._become(LettingInView("waiting", pairing=await self._approver.find(code.strip())))

        return await self._do(work)

    async def accept(self) -> bool:
        """The words that are shown are on the other screen too: let it in; whether that was said."""
        words = self._now.words

        async def work() -> None:
            pairing = await self._approver.accept(words)
            self._become(LettingInView("confirmed", pairing=pairing))

        return bool(words) and await self._do(work)

    async def decline(self) -> bool:
        """They differ: let it not in; whether that was said."""

        async def work() -> None:
            await self._approver.decline()
            self._end(pairings.ENDS["declined"])

        return await self._do(work)

    async def run(self) -> None:
        """Look how far it is, once a second, until cancelled."""
        while True:
            await self._client.clock.sleep(POLL_SECONDS)
            if self._now.step in ("waiting", "comparing", "confirmed") and not self._now.is_busy:
                await self.look()

    async def look(self) -> None:
        """Look how far it is now. Never raises for what a server says."""
        approver = self._approver
        try:
            pairing = await approver.step()
            words = words_of(pairing)
        except PairingTampered:
            if approver is self._approver:
                self._end(pairings.TAMPERED)
        except NotFound as error:
            if approver is self._approver:
                self._end(errors.words(error))
        except AutopilotError as error:
            if approver is self._approver:
                self._has_not_seen = True
                self._become(replace(self._now, error=error))
        else:
            if approver is self._approver and not self._now.is_busy and self._now.step != "over":
                self._saw(pairing, words)

    def _saw(self, pairing: Pairing, words: tuple[str, ...] | None) -> None:
        error = None if self._has_not_seen else self._now.error
        self._has_not_seen = False
        if pairing.state in OVER:
            self._end(pairings.ENDS[pairing.state], is_in=pairing.state == "done")
        elif pairing.state == "confirmed":
            self._become(LettingInView("confirmed", pairing=pairing))
        elif self._now.step == "confirmed":
            self._become(replace(self._now, error=error))  # this was said before the yes
        elif words is None:
            self._become(replace(self._now, pairing=pairing, error=error))
        else:
            self._become(LettingInView("comparing", pairing=pairing, words=words, error=error))

    async def _do(self, work: Callable[[], Awaitable[None]]) -> bool:
        if self._now.is_busy:
            return False
        self._become(replace(self._now, is_busy=True, error=None))
        approver = self._approver
        try:
            await work()
        except AutopilotError as error:
            if approver is self._approver:
                self._failed(error)
            return False
        return True

    def _failed(self, error: AutopilotError) -> None:
        is_over = self._now.step == "comparing" and isinstance(error, Conflict | NotFound)
        if is_over:
            self._end(errors.words(error))
        else:
            self._become(replace(self._now, error=error, is_busy=False))

    def _end(self, words: str, *, is_in: bool = False) -> None:
        self._become(LettingInView("over", end=Label(words, "good" if is_in else "bad")))

    def _become(self, view: LettingInView) -> None:
        if view != self._now:
            self._now = view
            self._change()

    def _seen(self) -> LettingInView:
        return self._now
