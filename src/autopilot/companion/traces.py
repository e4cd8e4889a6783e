"""What Codex remembers of a request whose answer was lost: its own history and queue, its loaded threads.

Relies on what was sent along with each request: its id as `clientUserMessageId` or `threadSource`. Only ever reads;
where Codex keeps nothing that would tell, there is no trace, and nobody may conclude that nothing was done.
"""

from __future__ import annotations

from typing import Any

import msgspec

from autopilot.companion.codex import history
from autopilot.companion.codex.supervisor import Codex
from autopilot.companion.inbox import Request
from autopilot.companion.methods import OWN_MESSAGE, THREAD_ACTS
from autopilot.companion.outcomes import Outcome, completed
from autopilot.companion.recovery import Recovery
from autopilot.companion.threads import Thread, Threads

THREAD_SOURCE = "autopilot:"
"""What `threadSource` of a thread started for a request begins with: finds it again after a crash."""


class Traces:
    """Looks for what requests left behind."""

    def __init__(self, codex: Codex, threads: Threads, recovery: Recovery) -> None:
        self._codex = codex
        self._threads = threads
        self._recovery = recovery

    async def of(self, request: Request) -> Outcome | None:
        """What became of it, by what Codex remembers; None: no trace.

        Raises:
            CodexError: Codex did not say.
        """
        if request.method in {"thread/start", "thread/fork"}:
            return await self._started_for(request)
        thread = self._threads.of_worker(request.worker_id)
        return None if thread is None else await self._found_in(thread, request)

    async def _found_in(self, thread: Thread, request: Request) -> Outcome | None:
        """What Codex knows of a request to this thread."""
        method, params = request.method, request.params
        if method in OWN_MESSAGE:
            return await self._found_message(thread, request)
        if method == "turn/interrupt":
            over = await history.running_turn(self._codex.call, thread.thread_id) != params.get("turnId")
            return completed({}, effect="turn_is_over") if over else None
        if method == "thread/queue/delete":
            waits = {one.id for one in await history.queued(self._codex.call, thread.thread_id)}
            return None if params.get("queuedSubmissionId") in waits else completed({}, effect="not_in_queue")
        if method in {"thread/name/set", "thread/archive", "thread/unarchive"}:
            told = await history.described(self._codex.call, thread.thread_id)
            name = {"thread/archive": told.archived, "thread/unarchive": not told.archived}
            done = name.get(method, told.name == params.get("name"))
            return completed({}, effect=THREAD_ACTS[method]) if done else None
        return None

    async def _found_message(self, thread: Thread, request: Request) -> Outcome | None:
        turn_id = await history.turn_of_message(self._codex.call, thread.thread_id, request.request_id)
        if turn_id is not None:
            told = {"turnId": turn_id} if request.method == "turn/steer" else {"turn": {"id": turn_id}}
            return completed(told, effect="found_in_history", turn_id=turn_id)
        if request.method == "thread/queue/add":
            for one in await history.queued(self._codex.call, thread.thread_id):
                if one.clientUserMessageId == request.request_id:
                    return completed({"queuedSubmission": {"id": one.id}}, effect="found_in_queue")
        return None

    async def _started_for(self, request: Request) -> Outcome | None:
        """The thread that was started for this request, where Codex still has it loaded."""
        loaded = msgspec.json.decode(await self._codex.call("thread/loaded/list", {}))
        for thread_id in loaded.get("data", []):
            raw = await self._codex.call("thread/read", {"threadId": thread_id})
            told = msgspec.json.decode(raw).get("thread", {})
            if told.get("threadSource") == f"{THREAD_SOURCE}{request.request_id}":
                thread = await self._recovery.introduce(msgspec.json.decode(raw, type=_Started).thread)
                await self._recovery.resume(thread)
                return completed({"thread": told, "worker_id": thread.worker_id}, effect="found_in_history")
        return None


class _Started(msgspec.Struct, frozen=True):
    thread: msgspec.Raw


def source(request: Request) -> dict[str, Any]:
    """Finds a new thread again whose making was not answered."""
    return {"threadSource": f"{THREAD_SOURCE}{request.request_id}"}
