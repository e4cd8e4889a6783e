"""Stop means stopped: the turn, then what it left running, then looked at again; and the log says what happened.

Relies on Codex for the ending and on the recorder for what Codex says meanwhile. `worker.stopped` is put behind
everything else of the worker; what comes after it waits for a reattach.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from autopilot.companion.codex import history
from autopilot.companion.codex.messages import CodexError, CodexGone, CodexRefused, CodexUnavailable
from autopilot.companion.codex.supervisor import Codex
from autopilot.companion.execution import INTERRUPT_SECONDS
from autopilot.companion.recorder import Recorder
from autopilot.companion.threads import Thread
from autopilot.ops.clock import Clock

END_SECONDS = 5.0
LOOK_SECONDS = 0.05
LAST_WORDS_SECONDS = 2.0
"""Codex completes the item of a command that was ended within milliseconds, on its own time."""
NOTHING_RUNS = ("not found", "no rollout", "not materialized", "not loaded")
"""Refusals that mean: there is no such thread (any more), it never had a turn, or this Codex has not taken it up."""

ATTEMPTS = 3
Hear = Callable[[Thread], Awaitable[None]]
"""Waits for Codex and for the thread being heard of; gives up in time, without a word."""

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


async def stop(codex: Codex, recorder: Recorder, thread: Thread, clock: Clock, hear: Hear) -> Stopped:
    """End everything that runs for this thread; never raises an error of Codex's.

    A Codex that ends meanwhile takes what it ran with it: its successor is asked, so that the log says so before it is
    closed. One that is not connected yet may run a turn that an earlier companion began: it is waited for.
    """
    done = Stopped()
    for _ in range(ATTEMPTS):
        done.trouble = None
        await hear(thread)
        if await _attempt(codex, recorder, thread, done, clock):
            break
        await clock.sleep(LOOK_SECONDS)  # the session that ended is let go of
    await recorder.settle()
    log.info("thread.stopped", thread_id=thread.thread_id, **done.body())
    return done


async def _attempt(codex: Codex, recorder: Recorder, thread: Thread, done: Stopped, clock: Clock) -> bool:
    """Try once; False: the connection to Codex ended first."""
    if codex.gone:
        done.verified = True  # a Codex that does not run runs nothing
        return True
    try:
        await _interrupt(codex, thread, done, clock)
        ended = await _end_terminals(codex, thread, done)
        await _last_words(recorder, thread, ended, clock)
        done.verified = not done.still_running and await history.running_turn(codex.call, thread.thread_id) is None
    except CodexRefused as refused:
        done.trouble = refused.message
        done.verified = any(words in refused.message for words in NOTHING_RUNS)
    except (CodexGone, CodexUnavailable) as error:
        done.trouble = str(error)
        return False
    except CodexError as error:
        done.trouble = str(error)
    return True


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


async def _end_terminals(codex: Codex, thread: Thread, done: Stopped) -> set[str]:
    """End what goes on in the background; the ids of its items."""
    ended: set[str] = set()
    for terminal in await _terminals(codex, thread):
        params = {"threadId": thread.thread_id, "processId": terminal.processId}
        await codex.call("thread/backgroundTerminals/terminate", params)
        done.terminated.append(terminal.told())
        ended.add(terminal.itemId or "")
    done.still_running = [terminal.told() for terminal in await _terminals(codex, thread)]
    return ended


async def _last_words(recorder: Recorder, thread: Thread, ended: set[str], clock: Clock) -> None:
    """Wait until Codex has completed these items: the log, closed behind them, says how each command ended."""
    give_up_at = clock.monotonic() + LAST_WORDS_SECONDS
    while ended & {item.item_id for item in await recorder.open_items(thread)}:
        if clock.monotonic() > give_up_at:
            log.warning("thread.stopped_without_last_words", thread_id=thread.thread_id, items=sorted(ended))
            return
        await clock.sleep(LOOK_SECONDS)


async def _terminals(codex: Codex, thread: Thread) -> list[_Terminal]:
    raw = await codex.call("thread/backgroundTerminals/list", {"threadId": thread.thread_id})
    return msgspec.json.decode(raw, type=_Terminals).data


class _Terminal(msgspec.Struct, frozen=True):
    processId: Any = None  # noqa: N815  # the wire's name
    command: Any = None
    itemId: str | None = None  # noqa: N815  # the wire's name

    def told(self) -> dict[str, Any]:
        """As the log has it."""
        return {"processId": self.processId, "command": self.command}


class _Terminals(msgspec.Struct, frozen=True):
    data: list[_Terminal]
