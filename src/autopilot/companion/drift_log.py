"""Say in the logs of the workers that their Codex speaks another protocol than the one that is recorded.

Owns the event `desktop/codex_drift`: once for each worker, version of Codex and verdict, so that whoever reads a log
later knows under which Codex it was made. Nothing is said where the protocol is the recorded one. Judges nothing.
"""

from __future__ import annotations

import msgspec

from autopilot.companion.codex.supervisor import Codex
from autopilot.companion.gate import Gate
from autopilot.companion.recorder import Recorder
from autopilot.companion.standing import DRIFT
from autopilot.companion.threads import Thread


class DriftLog:
    """One for each companion."""

    def __init__(self, codex: Codex, gate: Gate, recorder: Recorder) -> None:
        self._codex = codex
        self._gate = gate
        self._recorder = recorder

    async def tell(self, thread: Thread) -> None:
        """Of the Codex that we are connected to, in the log of a thread that we hear of there."""
        session = self._codex.session
        if session is None:
            return
        version = session.connection.version
        await self._gate.of(version)
        told = self._gate.standing(version)
        if told.verdict == "same":
            return
        event_id = f"codex_drift:{version}:{told.baseline}:{told.verdict}"
        await self._recorder.record([self._recorder.fact(thread, DRIFT, msgspec.to_builtins(told), event_id=event_id)])
