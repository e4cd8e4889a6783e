"""Where each thread lives: in the app-server that we are connected to, in another process, or nowhere at present.

Owns what may be taken up without being asked, and the facts `desktop/thread_elsewhere`. A thread has one writer: to
take one up is to become it, and to keep the user's own programs from it. Relies on Codex's refusals for who that is.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import structlog

from autopilot.companion.codex import history
from autopilot.companion.codex.messages import CodexRefused
from autopilot.companion.codex.shared import PREFIX
from autopilot.companion.codex.supervisor import Codex, Session
from autopilot.companion.recorder import Recorder
from autopilot.companion.threads import Thread

ELSEWHERE = "desktop/thread_elsewhere"
HELD = "already has an active writer"
"""What Codex says of a thread that another process holds."""

log = structlog.get_logger(__name__)


class Places:
    """Asked by `Recovery` and `Following`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.codex: Codex | None = None
        """Set once, by whoever composes."""
        self.changed: Callable[[], None] = lambda: None
        """Called when a thread is held elsewhere, or no more."""

    async def loaded(self) -> list[str]:
        """The threads that the present app-server has in its memory.

        Raises:
            CodexError: it did not say.
        """
        assert self.codex is not None
        return await history.loaded(self.codex.call)

    def may_be_taken_up(self, thread: Thread, session: Session) -> bool:
        """Whether it is taken up though nobody asks for it, and it is not loaded.

        On the shared daemon, and after it, threads are the user's until something happens in them.
        """
        return not (session.shared or thread.elsewhere or (thread.incarnation or "").startswith(PREFIX))

    async def may_run(self, thread: Thread) -> bool:
        """Whether a process that is not ours to look into may be running a turn of this thread."""
        if thread.elsewhere is not None:
            return True
        return self.codex is not None and await self.codex.shared_lives_as(thread.incarnation)

    async def taken_up(self, thread: Thread) -> None:
        """This thread is loaded where we are, and we hear of it."""
        thread.subscribed = True
        if thread.elsewhere is not None:
            thread.elsewhere = None
            await self._say(thread, {"elsewhere": False})

    async def refused(self, thread: Thread, refused: CodexRefused) -> bool:
        """Whether Codex refused because another process is the writer; then the thread can only be watched."""
        if HELD not in refused.message:
            return False
        await self.watched(thread, refused.message)
        return True

    async def watched(self, thread: Thread, reason: str) -> None:
        """Another process is the writer of this thread."""
        thread.subscribed = False
        if thread.elsewhere is None:
            log.info("thread.elsewhere", thread_id=thread.thread_id, reason=reason)
            thread.elsewhere = reason
            await self._say(thread, {"elsewhere": True, "reason": reason})

    async def _say(self, thread: Thread, told: dict[str, Any]) -> None:
        event_id = f"elsewhere:{uuid.uuid4().hex[:12]}"
        await self._recorder.record([self._recorder.fact(thread, ELSEWHERE, told, event_id=event_id)])
        self.changed()
