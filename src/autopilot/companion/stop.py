"""Stop means stopped: the turn, then what it left running, then looked at again; and the log says what happened.

Three ways to end something, each after the one before: `turn/interrupt`, Codex's own ending of background terminals,
and signals to what still lives of the thread's commands (`processes`). A Codex of our own that answers nothing at all
is ended too, for nothing else would stop its turn; the user's shared one never. Relies on the recorder for what Codex
says meanwhile. `worker.stopped` is put behind everything else of the worker; what comes after it waits for a reattach.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from autopilot.companion import processes
from autopilot.companion.codex import history
from autopilot.companion.codex.messages import CodexError, CodexGone, CodexRefused, CodexSilent, CodexUnavailable
from autopilot.companion.codex.supervisor import Codex, Session
from autopilot.companion.processes import Process
from autopilot.companion.recorder import Recorder
from autopilot.companion.threads import Thread, Threads
from autopilot.ops.clock import Clock

ASK_SECONDS = 5.0
"""Codex answers each of these calls within 10 ms."""
HANGING_ASK_SECONDS = 1.0
"""One that is known to answer nothing is given another chance, a short one."""
END_SECONDS = 5.0
LOOK_SECONDS = 0.05
LAST_WORDS_SECONDS = 2.0
"""Codex completes the item of a command that was ended within milliseconds, on its own time."""
GRACE_SECONDS = 0.5
"""What Codex has ended is gone by then."""
SIGNALS = ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))
"""Each is given so long."""
NOTHING_RUNS = ("not found", "no rollout", "not materialized", "not loaded")
"""Refusals that mean: there is no such thread (any more), it never had a turn, or this Codex has not taken it up."""

TOO_EARLY = "not supported yet"
"""What Codex says of a thread's turns while the first one is only beginning."""

ATTEMPTS = 3
Hear = Callable[[Thread], Awaitable[None]]
"""Waits for Codex and for the thread being heard of; gives up in time, without a word."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Ended:
    """A process that ran when the stop began, or was found since."""

    process: Process
    command: str
    ended_by: str | None = None
    """`interrupt`, `terminate`, `SIGTERM` or `SIGKILL`: what was done last before it was gone; `itself`: nothing was;
    None: it lives."""

    def told(self) -> dict[str, Any]:
        """As the log has it."""
        return {"pid": self.process.pid, "command": self.command, "ended_by": self.ended_by}


@dataclass(slots=True)
class Stopped:
    """What a stop found and did."""

    turn_over: bool = False
    """Whether we looked, and no turn was running any more."""
    interrupted_turn: str | None = None
    terminated: list[dict[str, Any]] = field(default_factory=list)
    """Background terminals that Codex was asked to end: `{processId, command}`."""
    still_running: list[dict[str, Any]] = field(default_factory=list)
    """Background terminals that Codex still names."""
    processes: dict[tuple[int, str], Ended] = field(default_factory=dict)
    unverified: list[str] = field(default_factory=list)
    """What could not be looked at, in words."""
    cut_off: list[str] | None = None
    """Other workers whose turns ended with the Codex that had to be ended; None: none had to be."""
    trouble: str | None = None

    @property
    def living(self) -> list[Ended]:
        """The processes that nothing has ended yet."""
        return [one for one in self.processes.values() if one.ended_by is None]

    @property
    def verified(self) -> bool:
        """Whether we looked at everything, and nothing was running any more."""
        return self.turn_over and not (self.unverified or self.still_running or self.living)

    def body(self) -> dict[str, Any]:
        """As the log has it."""
        found: dict[str, Any] = {
            "interrupted_turn": self.interrupted_turn,
            "terminated": self.terminated,
            "processes": [one.told() for one in self.processes.values()],
            "verified": self.verified,
        }
        left = [*self.still_running, *({"pid": one.process.pid, "command": one.command} for one in self.living)]
        if left:
            found["still_running"] = left
        if self.unverified:
            found["unverified"] = self.unverified
        if self.cut_off is not None:
            found["codex_ended"] = {"cut_off": self.cut_off}
        if self.trouble is not None:
            found["trouble"] = self.trouble
        return found


class Stops:
    """Ends what threads run; each `end` by itself, many at once."""

    def __init__(self, codex: Codex, recorder: Recorder, threads: Threads, clock: Clock, hear: Hear) -> None:
        self._codex = codex
        self._recorder = recorder
        self._threads = threads
        self._clock = clock
        self._hear = hear
        self._ending_codex = asyncio.Lock()

    async def end(self, thread: Thread) -> Stopped:
        """End everything that runs for this thread; never raises an error of Codex's.

        A Codex that ends meanwhile takes its turns with it: its successor is asked, so that the log says so before it
        is closed. One that is not connected yet may run a turn that an earlier companion began: it is waited for.
        """
        done = Stopped()
        if thread.elsewhere is not None:
            done.unverified.append("what runs: another program holds this thread, and it is not ours to end")
            return done
        await self._look(thread, done, None)
        for _ in range(ATTEMPTS):
            done.trouble = None
            await self._hear(thread)
            if await self._attempt(thread, done):
                break
            await self._clock.sleep(LOOK_SECONDS)  # the session that ended is let go of
        await self._end_processes(thread, done)
        if not done.turn_over and not done.unverified:
            done.unverified.append("whether a turn is running")
        if not processes.can_be_seen():
            done.unverified.append("processes: this system does not tell of them")
        await self._recorder.settle()
        log.info("thread.stopped", thread_id=thread.thread_id, **done.body())
        return done

    async def _attempt(self, thread: Thread, done: Stopped) -> bool:
        """Have Codex end what it can; False: the connection to Codex ended first, or was ended."""
        session = self._codex.session
        if self._codex.gone:
            done.turn_over = True  # a Codex that does not run runs no turn
            return True
        try:
            await self._interrupt(thread, done)
            await self._look(thread, done, "interrupt")
            ended = await self._end_terminals(thread, done)
            await self._last_words(thread, ended)
            await self._gone_within(GRACE_SECONDS if ended else 0.0, thread, done, "terminate")
            done.turn_over = await self._running_turn(thread) is None
        except CodexRefused as refused:
            done.trouble = refused.message
            done.turn_over = thread.elsewhere is None and any(words in refused.message for words in NOTHING_RUNS)
        except (CodexGone, CodexUnavailable) as error:
            done.trouble = str(error)
            return False
        except CodexSilent as error:
            done.trouble = str(error)
            await self._end_processes(thread, done)  # not later than its word would come
            return not await self._end_what_hangs(session, thread, done)
        except CodexError as error:
            done.trouble = str(error)
        return True

    async def _interrupt(self, thread: Thread, done: Stopped) -> None:
        running = await self._running_turn(thread)
        if running is None:
            return
        done.interrupted_turn = running
        try:
            await self._ask("turn/interrupt", {"threadId": thread.thread_id, "turnId": running})
        except CodexSilent:  # it may never answer for a turn that is over (0.163.0)
            log.info("turn.interrupt_unanswered", thread_id=thread.thread_id, turn_id=running)
        give_up_at = self._clock.monotonic() + END_SECONDS
        while await history.running_turn(self._ask, thread.thread_id) == running:
            if self._clock.monotonic() > give_up_at:
                return
            await self._clock.sleep(LOOK_SECONDS)

    async def _running_turn(self, thread: Thread) -> str | None:
        """The turn that runs, also where it has only just begun."""
        give_up_at = self._clock.monotonic() + END_SECONDS
        while True:
            try:
                return await history.running_turn(self._ask, thread.thread_id)
            except CodexRefused as refused:
                if TOO_EARLY not in refused.message or self._clock.monotonic() > give_up_at:
                    raise
            await self._clock.sleep(LOOK_SECONDS)

    async def _end_terminals(self, thread: Thread, done: Stopped) -> set[str]:
        """End what goes on in the background; the ids of its items."""
        ended: set[str] = set()
        for terminal in await self._terminals(thread):
            params = {"threadId": thread.thread_id, "processId": terminal.processId}
            await self._ask("thread/backgroundTerminals/terminate", params)
            done.terminated.append(terminal.told())
            ended.add(terminal.itemId or "")
        done.still_running = [terminal.told() for terminal in await self._terminals(thread)]
        return ended

    async def _last_words(self, thread: Thread, ended: set[str]) -> None:
        """Wait until Codex has completed these items: the log, closed behind them, says how each command ended."""
        give_up_at = self._clock.monotonic() + LAST_WORDS_SECONDS
        while ended & {item.item_id for item in await self._recorder.open_items(thread)}:
            if self._clock.monotonic() > give_up_at:
                log.warning("thread.stopped_without_last_words", thread_id=thread.thread_id, items=sorted(ended))
                return
            await self._clock.sleep(LOOK_SECONDS)

    async def _end_processes(self, thread: Thread, done: Stopped) -> None:
        """Signal what still lives, gently first; what is forked meanwhile is found at the next look."""
        for number, seconds in SIGNALS:
            await self._look(thread, done, None)
            if not done.living:
                return
            await self._gone_within(seconds, thread, done, number.name, number)

    async def _gone_within(
        self, seconds: float, thread: Thread, done: Stopped, by: str, number: signal.Signals | None = None
    ) -> None:
        """Look until nothing lives any more, for so long; what was not signalled yet is."""
        signalled: set[tuple[int, str]] = set()
        give_up_at = self._clock.monotonic() + seconds
        while True:
            fresh = [one for one in done.living if _key(one.process) not in signalled] if number else []
            signalled |= {_key(one.process) for one in fresh}
            for one in fresh:
                self._signal(one.process, done, number)
            await self._look(thread, done, by)
            if not done.living or self._clock.monotonic() > give_up_at:
                return
            await self._clock.sleep(LOOK_SECONDS)

    def _signal(self, process: Process, done: Stopped, number: signal.Signals | None) -> None:
        assert number is not None
        try:
            process.signal(number)
        except PermissionError:
            words = f"process {process.pid} is another user's"
            done.unverified += [words] if words not in done.unverified else []

    async def _look(self, thread: Thread, done: Stopped, by: str | None) -> None:
        """Note what runs now, and what is gone since the last look: `by` what was done between the two."""
        record = self._codex.server.record
        spare = set() if record is None else {record.pid}
        found = await asyncio.to_thread(processes.of_thread, thread.thread_id, spare)
        for process in found:
            if _key(process) not in done.processes:
                done.processes[_key(process)] = Ended(process, process.command)
        for one in done.living:
            if not one.process.lives:
                one.ended_by = by or "itself"

    async def _end_what_hangs(self, session: Session | None, thread: Thread, done: Stopped) -> bool:
        """Codex did not answer: where it answers nothing at all and is ours, end it. True: it has ended."""
        try:
            await self._ask("thread/loaded/list", {})
        except CodexSilent:
            pass
        except (CodexGone, CodexUnavailable):
            return True
        except CodexError:
            return False
        else:
            return False
        if session is not None and session.shared:
            done.unverified.append("whether a turn is running: Codex does not answer, and it is not ours to end")
            return False
        async with self._ending_codex:
            if self._codex.session is session:
                others = [one for one in self._threads if one.active_turn is not None and one is not thread]
                done.cut_off = [one.worker_id for one in others]
                log.warning("codex.hangs", ended_for=thread.thread_id, cut_off=done.cut_off)
                await self._codex.server.stop()
        return True

    async def _terminals(self, thread: Thread) -> list[_Terminal]:
        raw = await self._ask("thread/backgroundTerminals/list", {"threadId": thread.thread_id})
        return msgspec.json.decode(raw, type=_Terminals).data

    async def _ask(self, method: str, params: Any) -> msgspec.Raw:
        """Call Codex, also when others wait for it; bounded.

        Raises:
            CodexError: as `Codex.call`.
        """
        hangs = self._codex.liveness.unresponsive_since is not None
        seconds = HANGING_ASK_SECONDS if hangs else ASK_SECONDS
        try:
            async with asyncio.timeout(seconds):
                return await self._codex.call(method, params, within_seconds=seconds)
        except TimeoutError:
            raise CodexSilent(f"Codex did not answer {method} within {seconds:g} s") from None


def _key(process: Process) -> tuple[int, str]:
    return process.pid, process.started


class _Terminal(msgspec.Struct, frozen=True):
    processId: Any = None  # noqa: N815  # the wire's name
    command: Any = None
    itemId: str | None = None  # noqa: N815  # the wire's name

    def told(self) -> dict[str, Any]:
        """As the log has it."""
        return {"processId": self.processId, "command": self.command}


class _Terminals(msgspec.Struct, frozen=True):
    data: list[_Terminal]
