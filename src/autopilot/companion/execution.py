"""What requests mean in Codex's words: each asked once, by the table in `methods`, and what became of it.

Relies on `Codex` for the calls and on `Recovery` for threads that have to be heard of first. Knows nothing of the
ledger: an `Outcome` is what the inbox reports. Unknown methods are refused, never passed through.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from autopilot.companion.codex import history
from autopilot.companion.codex.connection import MAX_FRAME_BYTES
from autopilot.companion.codex.messages import (
    CodexError,
    CodexGone,
    CodexRefused,
    CodexSilent,
    CodexTooLarge,
    CodexUnavailable,
)
from autopilot.companion.codex.supervisor import Codex
from autopilot.companion.gate import Gate
from autopilot.companion.inbox import Request
from autopilot.companion.leases import Holder
from autopilot.companion.methods import OWN_MESSAGE, PROGRAM_READS, READS, THREAD_ACTS, THREAD_READS
from autopilot.companion.outcomes import Outcome, answered, completed, failed
from autopilot.companion.recovery import Recovery
from autopilot.companion.threads import Thread, Threads
from autopilot.companion.traces import Traces, source
from autopilot.ops.clock import Clock

READY_SECONDS = 30.0
"""How long a request waits for a Codex that is being started."""
RESUME_SECONDS = 10.0
"""How long a stop waits to hear of its thread: it ends what runs also where Codex says nothing."""
INTERRUPT_SECONDS = 10.0
"""Codex answers an interrupt within 10 ms; one for a turn that is over it may never answer (0.163.0)."""
LOOKS = 4
LOOK_SECONDS = 0.3
"""What Codex was told last may be in its history a moment later than its connection ended."""

log = structlog.get_logger(__name__)


class Execution:
    """Does requests, one call each."""

    def __init__(
        self,
        codex: Codex,
        threads: Threads,
        recovery: Recovery,
        *,
        gate: Gate,
        clock: Clock,
        defaults: dict[str, Any],
    ) -> None:
        """`defaults`: params of `thread/start` that the request may leave out."""
        self._codex = codex
        self._threads = threads
        self._recovery = recovery
        self._traces = Traces(codex, threads, recovery)
        self._gate = gate
        self._clock = clock
        self.defaults = defaults
        self.holder: Callable[[str], Holder | None] = lambda _thread_id: None
        """The other machine whose companion speaks for a thread, where there is one."""
        self._of_worker: dict[str, Callable[[Request, Thread], Awaitable[Outcome]]] = {
            "turn/start": self._turn_start,
            "turn/steer": self._turn_steer,
            "turn/interrupt": self._turn_interrupt,
            "thread/archive": self._archive,
            "thread/unarchive": self._unarchive,
        }
        self._of_machine: dict[str, Callable[[Request], Awaitable[Outcome]]] = {
            "thread/start": self._thread_start,
            "thread/resume": self._thread_resume,
            "thread/fork": self._thread_fork,
            "account/read": self._account,
        }

    async def do(self, request: Request) -> Outcome:
        """Do it; never raises an error of Codex's."""
        try:
            return await self._dispatch(request)
        except CodexRefused as refused:
            return failed("codex_refused", refused.message, codex_code=refused.code)
        except (CodexSilent, CodexGone) as error:
            return await self.reconcile(request, str(error))
        except CodexError as error:
            return failed("codex_unavailable", str(error))

    async def caught_up(self, thread: Thread) -> None:
        """Wait for a Codex that is being started, or found again, and hear of the thread from then on.

        Never raises an error of Codex's: who goes on without it sees for himself how far that leads.
        """
        with contextlib.suppress(CodexError, TimeoutError):
            await self._codex.caught_up(READY_SECONDS)
            if not thread.subscribed:
                async with asyncio.timeout(RESUME_SECONDS):
                    await self._recovery.resume(thread)

    async def reconcile(self, request: Request, doubt: str) -> Outcome:
        """It may or may not have reached Codex: let Codex's own history say, else say that nobody knows."""
        found = None
        for look in range(LOOKS):
            try:
                await self._codex.ready(READY_SECONDS)
                found = await self._found(request)
            except CodexError as error:  # the session that ended may not have been let go of yet
                if isinstance(error, CodexTooLarge) and request.method in READS:  # its answer, twice
                    return failed("response_too_large", f"{error}; {SMALLER}", limit=MAX_FRAME_BYTES)
                log.warning("request.not_reconciled", request_id=request.request_id, error=str(error))
            else:
                if found is not None or request.method not in OWN_MESSAGE:
                    break
            await self._clock.sleep(LOOK_SECONDS * (look + 1))
        if found is not None:
            log.info("request.reconciled", request_id=request.request_id, method=request.method)
            return found
        return Outcome("indeterminate", error={"code": "indeterminate", "message": doubt})

    async def _found(self, request: Request) -> Outcome | None:
        """What Codex knows of it; None: nothing that would tell."""
        if request.method in READS:
            return await self._dispatch(request)  # reading again changes nothing
        return await self._traces.of(request)

    async def _dispatch(self, request: Request) -> Outcome:
        session = await self._codex.ready(READY_SECONDS)
        refused = await self._gate.refused(session.connection.version, request.method)
        if refused is not None:
            return refused
        if request.method in self._of_machine:
            return await self._of_machine[request.method](request)
        if request.method in PROGRAM_READS:
            return answered(await self._call(request.method, request.params))
        if request.method not in self._of_worker and request.method not in THREAD_READS | THREAD_ACTS.keys():
            return failed("method_not_supported", f"{request.method} can't be asked of this companion")
        return await self._dispatch_to_thread(request)

    async def _dispatch_to_thread(self, request: Request) -> Outcome:
        thread = self._threads.of_worker(request.worker_id)
        if thread is None:
            return failed("unknown_thread", "this machine has no thread of that worker")
        named = request.params.get("threadId", thread.thread_id)
        if named != thread.thread_id:
            return failed("invalid_params", "params.threadId is another worker's thread")
        await self._hear(thread)
        if thread.elsewhere is not None and request.method not in READS:
            return _held(thread)
        return await self._of_worker.get(request.method, self._of_thread)(request, thread)

    async def _hear(self, thread: Thread) -> None:
        """Hear of the thread before anything is asked of it.

        Raises:
            CodexUnavailable: it can't be; nothing was asked.
        """
        try:
            if not thread.subscribed and thread.elsewhere is None:
                await self._recovery.resume(thread)
        except (CodexSilent, CodexGone) as error:
            raise CodexUnavailable(str(error)) from error

    async def _turn_start(self, request: Request, thread: Thread) -> Outcome:
        heard, running = thread.subscribed, thread.active_turn
        raw = await self._call(
            "turn/start", _with_thread(request, thread) | {"clientUserMessageId": request.request_id}
        )
        response = msgspec.json.decode(raw)
        turn_id = response["turn"]["id"]
        effect = "steered_running_turn" if turn_id == running else "started_turn"
        if not heard:
            await self._recovery.resume(thread)  # it had no turn before, and could not be resumed
        return completed(response, effect=effect, turn_id=turn_id)

    async def _turn_steer(self, request: Request, thread: Thread) -> Outcome:
        raw = await self._call(
            "turn/steer", _with_thread(request, thread) | {"clientUserMessageId": request.request_id}
        )
        return completed(msgspec.json.decode(raw), effect="steered_running_turn")

    async def _turn_interrupt(self, request: Request, thread: Thread) -> Outcome:
        running = await history.running_turn(self._call, thread.thread_id)
        if running is None or running != request.params.get("turnId"):
            return failed("codex_refused", "no active turn to interrupt", running_turn=running)
        params = _with_thread(request, thread)
        raw = await self._codex.call("turn/interrupt", params, within_seconds=INTERRUPT_SECONDS)
        return completed(msgspec.json.decode(raw), effect="interrupted_turn")

    async def _of_thread(self, request: Request, thread: Thread) -> Outcome:
        """One call that names the thread."""
        params = _with_thread(request, thread)
        if request.method in OWN_MESSAGE:
            params["clientUserMessageId"] = request.request_id
        return answered(await self._call(request.method, params), THREAD_ACTS.get(request.method))

    async def _archive(self, request: Request, thread: Thread) -> Outcome:
        outcome = await self._of_thread(request, thread)
        thread.subscribed = False  # Codex unloads it
        return outcome

    async def _unarchive(self, request: Request, thread: Thread) -> Outcome:
        outcome = await self._of_thread(request, thread)
        await self._recovery.resume(thread)
        return outcome

    async def _account(self, request: Request) -> Outcome:
        """Whose account Codex uses; of an address only what tells one's own from another."""
        outcome = answered(await self._call(request.method, request.params))
        account = outcome.response.get("account") if isinstance(outcome.response, dict) else None
        if isinstance(account, dict) and isinstance(account.get("email"), str):
            name, at, domain = account["email"].partition("@")
            account["email"] = f"{name[:1]}…{at}{domain}"
        return outcome

    async def _thread_start(self, request: Request) -> Outcome:
        if request.params.get("ephemeral") is True:
            return failed("invalid_params", "an ephemeral thread can't be a worker")
        params = self.defaults | request.params | source(request)
        return await self._new_worker(await self._call("thread/start", params))

    async def _thread_resume(self, request: Request) -> Outcome:
        """Adopt a thread: an older one, or one that another process has let go of."""
        thread_id = self._thread_named(request)
        holder = self.holder(thread_id)
        if holder is not None:
            return _held_by_machine(holder)
        thread = await self._recovery.adopt(thread_id)
        if thread is None:
            return failed("invalid_params", "this thread is not one that can be a worker")
        if thread.elsewhere is not None:
            return _held(thread)
        raw = await self._call("thread/read", {"threadId": thread.thread_id})
        return completed(msgspec.json.decode(raw) | {"worker_id": thread.worker_id}, effect="adopted_thread")

    async def _thread_fork(self, request: Request) -> Outcome:
        """A new thread that begins with the history of another one, whoever writes that."""
        if request.params.get("ephemeral") is True:
            return failed("invalid_params", "an ephemeral thread can't be a worker")
        named = {"threadId": self._thread_named(request), "excludeTurns": True}
        params = request.params | named | source(request)
        return await self._new_worker(await self._call("thread/fork", params), effect="forked_thread")

    def _thread_named(self, request: Request) -> str:
        """The thread that a request names, or that of the worker it was sent to."""
        thread = self._threads.of_worker(request.worker_id)
        return str(request.params.get("threadId") or (thread.thread_id if thread else None))

    async def _new_worker(self, raw: msgspec.Raw, effect: str = "started_thread") -> Outcome:
        thread = await self._recovery.started(raw)
        response = msgspec.json.decode(raw) | {"worker_id": thread.worker_id}
        return completed(response, effect=effect)

    async def _call(self, method: str, params: Any) -> msgspec.Raw:
        return await self._codex.call(method, params)


SMALLER = "ask for less of it: thread/turns/list and thread/items/list take a limit and a cursor"
WAYS_OUT = ("thread/resume", "thread/fork")
"""What a person can ask for when a thread is held elsewhere: to adopt it once it is let go of, or a copy of it."""


def _held(thread: Thread) -> Outcome:
    words = (
        "another program on that computer holds this thread, so it can only be watched: ask for thread/resume once that"
        " program has let go of it, or for thread/fork to go on in a thread of your own"
    )
    return failed("held_by_another_process", words, reason=thread.elsewhere, ways_out=WAYS_OUT)


def _held_by_machine(holder: Holder) -> Outcome:
    words = "the companion of another machine speaks for this thread"
    return failed("held_by_another_machine", words, machine_id=holder.machine_id, since=holder.since)


def _with_thread(request: Request, thread: Thread) -> dict[str, Any]:
    return {**request.params, "threadId": thread.thread_id}
