"""What screens have in common that do something about what they show: what became of it, and whose phone it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import flet as ft

from autopilot.client.acting import ActingStore
from autopilot.client.app_core import AppCore
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import blocks
from autopilot_ios.screens.looking import LookingScreen
from autopilot_ios.screens.phones import NOT_OWNER, PhoneWays, is_theirs, trouble


class ActingScreen(LookingScreen):
    """One that shows what a store of the client core knows, and has it do things."""

    def __init__(self, core: AppCore, store: ActingStore[Any], hands: PhoneWays) -> None:
        super().__init__(core, store)
        self._acting = store
        self.hands = hands

    async def refresh(self) -> None:
        """See Screen."""
        await self._acting.look()

    def error(self) -> AutopilotError | None:
        """See LookingScreen."""
        return self._acting.view.asked.error

    def as_of(self) -> datetime | None:
        """See LookingScreen."""
        return self._acting.view.asked.as_of

    @property
    def is_busy(self) -> bool:
        """Whether something is being done: one thing at a time."""
        return self._acting.view.doing is not None

    def told(self) -> list[ft.Control]:
        """What became of the last act; empty before there was one."""
        view = self._acting.view
        if view.error is not None:
            return [trouble(view.error, key="trouble")]
        return [blocks.notice(view.said, key="done")] if view.said is not None else []

    async def do(self, reason: str, work: Callable[[], Awaitable[bool]]) -> bool:
        """Do it, if whoever holds the phone may; whether it was done."""
        if not await is_theirs(self.core, self.hands, reason):
            self.stage.say(NOT_OWNER)
            return False
        is_done = await work()
        await (self.hands.succeeded() if is_done else self.hands.failed())
        return is_done
