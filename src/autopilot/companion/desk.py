"""Work off what was asked: one request a worker at a time, urgent ones at once, every answer reported.

Relies on `inbox` for memory and on `Execution` for the doing. A request is begun only after the runtime took note that
it is acknowledged: one that was cancelled, expired or given to another machine meanwhile is not done. Nor is one whose
time is over by the server's clock, as well as `Leases` knows it: that is reported as rejected, and why. While a stop
waits nothing else of its worker is begun, and after it nothing that was asked before.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import Awaitable
from typing import Any

import msgspec
import structlog

from autopilot.client import RuntimeCodexClient
from autopilot.companion import inbox, owed
from autopilot.companion.codex import translate
from autopilot.companion.codex.translate import Event
from autopilot.companion.database import Database
from autopilot.companion.execution import Execution
from autopilot.companion.identity import Machine
from autopilot.companion.inbox import Request
from autopilot.companion.leases import Leases
from autopilot.companion.outcomes import REFUSED, RESPONSE_ID, Outcome, failed, reported, short, told
from autopilot.companion.recorder import Recorder
from autopilot.companion.stop import Stopped, Stops
from autopilot.companion.threads import Thread, Threads
from autopilot.contract import ReceiptReport
from autopilot.contract.errors import (
    AutopilotError,
    InvalidRequest,
    NetworkError,
    PayloadTooLarge,
    Unavailable,
    Unprocessable,
    UnsupportedMediaType,
)
from autopilot.ops.clock import Clock
from autopilot.ops.log import correlated

AT_ONCE = 16
PAUSE_SECONDS = 1.0
LONGEST_AWAY_SECONDS, LONGEST_REFUSED_SECONDS = 5.0, 30.0
"""Between two attempts to tell the runtime something: where nobody is reached, and where somebody says no."""
URGENT_SECONDS = 2.0
"""A stop or interrupt does not wait longer than this for the runtime to take note."""
STOP = "worker/stop"
WORKER_SECONDS = 20.0
"""An answer that names a new worker waits this long for the runtime to know it."""
TOO_LATE = {"code": "expired", "message": "its time was over before the machine could begin; nothing was done"}
STOPPED = {"code": "worker_stopped", "message": "the worker was stopped before the machine began; nothing was done"}
NOT_BEGUN = {"code": "not_begun", "message": "the machine had not begun it; nothing was done"}
GOING_ON = frozenset({"accepted", "delivered", "acknowledged"})
NEVER = (InvalidRequest, PayloadTooLarge, Unprocessable, UnsupportedMediaType)
"""Refusals of the words themselves: the same words are refused again, whenever they are said."""

log = structlog.get_logger(__name__)


class Desk:
    """Keep `run` running; `wake` it when something was received."""

    def __init__(
        self,
        client: RuntimeCodexClient,
        machine: Machine,
        *,
        database: Database,
        threads: Threads,
        recorder: Recorder,
        execution: Execution,
        leases: Leases,
        stops: Stops,
        clock: Clock,
    ) -> None:
        self._client = client
        self._machine = machine
        self._database = database
        self._threads = threads
        self._recorder = recorder
        self._execution = execution
        self._leases = leases
        self._stops = stops
        self._clock = clock
        self._wake = asyncio.Event()
        self._busy: dict[tuple[str, str, str], str] = {}
        """What is being worked on -> whose turn it takes."""
        self._ending: dict[str, str] = {}
        """Threads whose logs were closed by others and whose end is under way -> their workers."""

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    async def run(self) -> None:
        """Work, forever. What was begun before a crash is reconciled first."""
        begun_before = {one.key for one in await self._database.run(inbox.pending) if one.state == "executing"}
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                pending, closed = await self._database.run(lambda db: (inbox.pending(db), owed.owed(db, "end")))
                for thread in filter(None, map(self._threads.get, closed)):
                    if thread.thread_id not in self._ending:
                        self._ending[thread.thread_id] = thread.worker_id
                        tasks.create_task(self._end_closed(thread))
                stopping = {one.worker_id for one in pending if one.method == STOP} | set(self._ending.values())
                for request in pending:
                    if self._may_begin(request, stopping):
                        self._busy[request.key] = _lane(request)
                        tasks.create_task(self._work(request, in_doubt=request.key in begun_before))
                        begun_before.discard(request.key)
                await self._wake.wait()

    def _may_begin(self, request: Request, stopping: set[str]) -> bool:
        if request.key in self._busy or (request.worker_id in stopping and request.method != STOP):
            return False
        return request.urgent or (len(self._busy) < AT_ONCE and _lane(request) not in self._busy.values())

    async def _work(self, request: Request, *, in_doubt: bool) -> None:
        try:
            with correlated(x_request_id=request.x_request_id, traceparent=request.traceparent):
                await self._step(request, in_doubt=in_doubt)
        finally:
            del self._busy[request.key]
            self._wake.set()

    async def _step(self, request: Request, *, in_doubt: bool) -> None:
        """Bring one request as far as it goes now."""
        if request.state == "answered":
            await self._report(request, request.outcome or {})
        elif request.method == STOP:
            await self._stop(request)
        elif in_doubt:
            log.info("request.in_doubt", request_id=request.request_id, method=request.method)
            doubt = "the companion ended while it asked Codex"
            await self._finish(request, await self._guarded(self._execution.reconcile(request, doubt)))
        elif (refusal := self._refusal(request)) is not None:
            await self._refuse(request, refusal)
        elif await self._acknowledged(request):
            if (refusal := self._refusal(request)) is not None:  # the runtime may have been away for long
                await self._refuse(request, refusal)
                return
            if not await self._database.run(lambda db: inbox.begin(db, request)):
                return
            began = self._clock.monotonic()
            outcome = await self._guarded(self._execution.do(request))
            log.info(
                "request.done",
                request_id=request.request_id,
                method=request.method,
                state=outcome.state,
                seconds=round(self._clock.monotonic() - began, 3),
            )
            made = outcome.response.get("worker_id") if isinstance(outcome.response, dict) else None
            if made is not None:  # whoever is told of a worker may use it
                await self._leases.until_held(made, WORKER_SECONDS)
            await self._finish(request, outcome)

    def _refusal(self, request: Request) -> dict[str, Any] | None:
        """Why it may not be begun any more; None: it may."""
        if request.state != "received":
            return None
        thread = self._threads.of_worker(request.worker_id)
        if thread is not None and not thread.is_open:
            return STOPPED
        late = request.expires_at is not None and self._leases.presence.server_now() >= request.expires_at
        return TOO_LATE if late else None

    async def _refuse(self, request: Request, error: dict[str, Any]) -> None:
        """Say that it was not begun, and why."""
        log.info("request.not_begun", request_id=request.request_id, method=request.method, reason=error["code"])
        await self._keep_and_report(request, {"state": "rejected", "response": None, "error": error})

    async def _guarded(self, doing: Awaitable[Outcome]) -> Outcome:
        """Whatever goes wrong in one request ends that request, and no other."""
        try:
            return await doing
        except Exception:
            log.exception("request.broke")
            words = "the companion failed while it asked Codex; its log says how"
            return Outcome("indeterminate", error={"code": "internal_error", "message": words})

    async def _acknowledged(self, request: Request) -> bool:
        """Have the runtime note that it is being done; False: it is over there."""
        try:
            async with asyncio.timeout(URGENT_SECONDS if request.urgent else None):
                state = await self._told(request, "acknowledged")
        except TimeoutError:
            return True
        except NEVER:
            await self._ended(request)
            return False
        if state in GOING_ON:
            return True
        log.info("request.is_over", request_id=request.request_id, method=request.method, state=state)
        if state == "indeterminate":  # there nobody could know; here it is known
            await self._refuse(request, NOT_BEGUN)
        else:
            await self._ended(request)
        return False

    async def _stop(self, request: Request) -> None:
        """End what the worker runs, and put `worker.stopped` behind everything else."""
        thread = self._threads.of_worker(request.worker_id)
        if thread is None:
            error = failed("unknown_thread", "this machine has no thread of that worker; stop it by force").error
            with contextlib.suppress(*NEVER):
                await self._told(request, "rejected", error=error)
        if thread is None or not thread.is_open:
            await self._ended(request)  # where it is not open, its `worker.stopped` is on its way
            return
        if not await self._acknowledged(request):
            return
        done = await self._end(thread)
        body = {
            "source": translate.SOURCE,
            "method": "worker/stop",
            "request_id": request.request_id,
            "reason": request.params.get("reason"),
            **done.body(),
            "occurred_at": translate.timestamp(self._clock.now()),
        }
        event_id = f"stopped:{request.request_id}"
        event = Event(thread.thread_id, "worker.stopped", "worker/stop", event_id, msgspec.json.encode(body))

        def close(db: sqlite3.Connection) -> None:
            self._recorder.store(db, [event], [thread])
            thread.state = "stopped"
            self._threads.save(db, thread)
            inbox.ended(db, request, self._clock.now().timestamp())

        try:
            await self._database.run(close)
        except Exception:
            thread.state = "open"  # nothing of it was written, and it is done again
            raise
        self._recorder.written()

    async def _end_closed(self, thread: Thread) -> None:
        """The log of this thread was closed by others: end what it runs, before anything new is begun in it."""
        try:
            await self._end(thread)
            await self._database.run(lambda db: owed.pay(db, "end", thread.thread_id))
        finally:
            del self._ending[thread.thread_id]
            self._wake.set()

    async def _end(self, thread: Thread) -> Stopped:
        return await self._stops.end(thread)

    async def _finish(self, request: Request, outcome: Outcome) -> None:
        """Keep the answer and put it on its way, in one transaction."""
        thread = self._threads.of_worker(request.worker_id)
        if request.target == "worker" and thread is not None and outcome.state != "indeterminate":
            event = await asyncio.to_thread(self._result, request, thread, outcome)  # of whatever size

            def put(db: sqlite3.Connection) -> None:
                self._recorder.store(db, [event], [thread])
                inbox.ended(db, request, self._clock.now().timestamp())

            await self._database.run(put)
            self._recorder.written()
            return
        outcome = await asyncio.to_thread(reported, outcome)
        kept = {"state": outcome.state, "response": outcome.response, "error": outcome.error}
        await self._keep_and_report(request, kept)

    async def _keep_and_report(self, request: Request, kept: dict[str, Any]) -> None:
        await self._database.run(lambda db: inbox.answered(db, request, kept))
        await self._report(request, kept)

    def _result(self, request: Request, thread: Thread, outcome: Outcome) -> Event:
        """The event that ends a worker's receipt."""
        done = outcome.state == "completed"
        cut = told(outcome, {"threadId": thread.thread_id})
        body = {
            "source": translate.SOURCE,
            "request_id": request.request_id,
            "method": request.method,
            "ok": done,
            **({"response": cut.params} if done else {"error": short(outcome.error)}),
            **cut.members,
            "occurred_at": translate.timestamp(self._clock.now()),
        }
        event_type, event_id = "worker.response" if done else "worker.error", f"{RESPONSE_ID}{request.request_id}"
        payload = msgspec.json.encode(body)
        return Event(thread.thread_id, event_type, request.method, event_id, payload, artifacts=cut.artifacts)

    async def _report(self, request: Request, kept: dict[str, Any]) -> None:
        """Tell the runtime the end of what has no log of its own, or no answer."""
        state = kept.get("state", "indeterminate")
        with contextlib.suppress(*NEVER):
            try:
                await self._told(request, state, kept.get("response"), kept.get("error"))
            except NEVER as refused:
                await self._told(request, *_without_words(state, refused))
        await self._ended(request)

    async def _ended(self, request: Request) -> None:
        await self._database.run(lambda db: inbox.ended(db, request, self._clock.now().timestamp()))

    async def _tell(
        self, request: Request, state: str, response: Any = None, error: dict[str, Any] | None = None
    ) -> str | None:
        report = ReceiptReport(
            worker_id=request.worker_id or None,
            request_id=request.request_id,
            state=state,
            response=response,
            error=error,
        )
        (told,) = await self._client.report_receipts(self._machine.machine_id, [report])
        return told.state

    async def _told(
        self, request: Request, state: str, response: Any = None, error: dict[str, Any] | None = None
    ) -> str | None:
        """Tell until the runtime has it: the receipt's state then.

        Raises:
            InvalidRequest, PayloadTooLarge, Unprocessable, UnsupportedMediaType: it will never take these words.
        """
        pause = PAUSE_SECONDS
        while True:
            try:
                return await self._tell(request, state, response, error)
            except NEVER as refused:
                log.error("receipt.refused", request_id=request.request_id, state=state, error=str(refused))  # noqa: TRY400  # the words tell
                raise
            except AutopilotError as trouble:
                log.warning("receipt.not_told", request_id=request.request_id, error=str(trouble), code=trouble.code)
                away = isinstance(trouble, (NetworkError, Unavailable))
                pause = min(pause, LONGEST_AWAY_SECONDS if away else LONGEST_REFUSED_SECONDS)
                await self._clock.sleep(max(pause * random.uniform(0.5, 1), trouble.retry_after_seconds or 0.0))
                pause *= 2


def _without_words(state: str, refused: AutopilotError) -> tuple[str, None, dict[str, Any]]:
    """The end of a request whose answer the runtime does not take: what is asked of it is that answer."""
    words = f"the machine ended it as {state}, and the runtime does not take what it says of that: {refused.message}"
    error = {"code": REFUSED, "message": words, "was": state}
    return "failed" if state == "completed" else state, None, error


def _lane(request: Request) -> str:
    """Requests of one lane are done one after the other: those to one worker, and each urgent one by itself."""
    return "/".join(request.key) if request.urgent or request.target == "machine" else request.worker_id
