"""Stop means stopped: the turn, then what it left running, then looked at again; and the log says what happened.

Relies on Codex for the ending and on the recorder for what Codex says meanwhile. `worker.stopped` is put behind
everything else of the worker; what comes after it waits for a reattach.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from autopilot.companion.codex import history
from autopilot.companion.codex.messages import CodexError, CodexRefused
from autopilot.companion.codex.supervisor import Codex
from autopilot.companion.execution import INTERRUPT_SECONDS
from autopilot.companion.recorder import Recorder
from autopilot.companion.threads import Thread
from autopilot.ops.clock import Clock

END_SECONDS = 5.0
LOOK_SECONDS = 0.05
NOTHING_RUNS = ("not found", "no rollout", "not materialized")
"""Refusals that mean: there is no such thread (any more), or it never had a turn."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Stopped:
    """What a stop found and did."""

    verified: bool = False
    """Whether we looked, and nothing was running any more."""
    interrupted_turn: str | None = None
    terminated: list[dict[str, Any]] = field(default_factory=list)
    """Background terminals that were ended: `{processId, command}`."""
    still_running: list[dict[str, Any]] = field(default_factory=list)
    trouble: str | None = None

    def body(self) -> dict[str, Any]:
        """As the log has it."""
        found: dict[str, Any] = {
            "interrupted_turn": self.interrupted_turn,
            "terminated": self.terminated,
            "verified": self.verified,
        }
        if self.still_running:
            found["still_running"] = self.still_running
        if self.trouble is not None:
            found["trouble"] = self.trouble
        return found


async def stop(codex: Codex, recorder: Recorder, thread: Thread, clock: Clock) -> Stopped:
    """End everything that runs for this thread; never raises an error of Codex's."""
    done = Stopped()
    if codex.session is None and not codex.server.alive:
        done.verified = True  # a Codex that does not run runs nothing
        return done
    try:
        await _interrupt(codex, thread, done, clock)
        await _end_terminals(codex, thread, done)
        done.verified = not done.still_running and await history.running_turn(codex.call, thread.thread_id) is None
    except CodexRefused as refused:
        done.trouble = refused.message
        done.verified = any(words in refused.message for words in NOTHING_RUNS)
    except CodexError as error:
        done.trouble = str(error)
    await recorder.settle()
    log.info("thread.stopped", thread_id=thread.thread_id, **done.body())
    return done


async def _interrupt(codex: Codex, thread: Thread, done: Stopped, clock: Clock) -> None:
    running = await history.running_turn(codex.call, thread.thread_id)
    if running is None:
        return
    done.interrupted_turn = running
    params = {"threadId": thread.thread_id, "turnId": running}
    await codex.call("turn/interrupt", params, within_seconds=INTERRUPT_SECONDS)
    give_up_at = clock.monotonic() + END_SECONDS
    while await history.running_turn(codex.call, thread.thread_id) == running and clock.monotonic() < give_up_at:
        await clock.sleep(LOOK_SECONDS)


async def _end_terminals(codex: Codex, thread: Thread, done: Stopped) -> None:
    for terminal in await _terminals(codex, thread):
        params = {"threadId": thread.thread_id, "processId": terminal["processId"]}
        await codex.call("thread/backgroundTerminals/terminate", params)
        done.terminated.append(terminal)
    done.still_running = await _terminals(codex, thread)


async def _terminals(codex: Codex, thread: Thread) -> list[dict[str, Any]]:
    raw = await codex.call("thread/backgroundTerminals/list", {"threadId": thread.thread_id})
    return [{name: one.get(name) for name in ("processId", "command")} for one in msgspec.json.decode(raw)["data"]]
