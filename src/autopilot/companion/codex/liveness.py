"""Whether a Codex that is connected still does its part: asked now and then, and shown; nothing is ended for it.

Any frame of Codex's is a sign of life, so a busy one is asked nothing. One that has been quiet is asked what it has
loaded, which Codex answers from memory, in the middle of a turn too. One that stays silent is `unresponsive` until its
next word. Relies on the connection for when Codex was heard; never closes it, never judges a call of somebody else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from autopilot.companion.codex.connection import Connection
from autopilot.companion.codex.messages import CodexRefused, CodexSilent
from autopilot.ops.clock import Clock

QUIET_SECONDS = 5.0
"""Who said nothing for so long is asked."""
ANSWER_SECONDS = 7.5
"""Codex answers within milliseconds."""
ATTEMPTS = 2
"""So often it is asked: a companion that was held up itself must hear the answer that already lies there."""
LOOK_SECONDS = 0.5
"""How often it is looked whether a silent one was heard again."""
METHOD = "thread/loaded/list"

log = structlog.get_logger(__name__)


class Liveness:
    """Of the connection that `watch` is given."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.unresponsive_since: datetime | None = None
        """Since when Codex has been silent although it was asked, by the machine's clock; None: it answers."""
        self.changed: Callable[[], None] = lambda: None
        """Called when `unresponsive_since` is another."""

    async def watch(self, connection: Connection) -> None:
        """Look after this connection, until cancelled or its end.

        Raises:
            CodexGone: the connection ended.
        """
        try:
            while True:
                await self._clock.sleep(QUIET_SECONDS)
                if connection.quiet_seconds >= QUIET_SECONDS and not await self._answers(connection):
                    await self._silent(connection)
        finally:
            self._say(None)

    async def _answers(self, connection: Connection) -> bool:
        asked_at = self._clock.monotonic()
        for _ in range(ATTEMPTS):
            try:
                await connection.ask_beside(METHOD, within_seconds=ANSWER_SECONDS)
            except CodexRefused:  # an answer, too
                return True
            except CodexSilent:
                if connection.quiet_seconds < self._clock.monotonic() - asked_at:
                    return True
            else:
                return True
        return False

    async def _silent(self, connection: Connection) -> None:
        """Say so, until it is heard again."""
        quiet = connection.quiet_seconds
        self._say(self._clock.now() - timedelta(seconds=quiet))
        log.warning("codex.unresponsive", quiet_seconds=round(quiet, 1))
        while connection.quiet_seconds >= quiet:
            await self._clock.sleep(LOOK_SECONDS)
        log.info("codex.responsive")
        self._say(None)

    def _say(self, since: datetime | None) -> None:
        if since != self.unresponsive_since:
            self.unresponsive_since = since
            self.changed()
