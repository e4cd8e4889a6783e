"""The calls about workers (docs/protocol.md, "Public worker API"). Ids are always sent: every call may be repeated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autopilot.client.calls import Calls, many, new_id, one, path_of
from autopilot.client.follower import Follower, FollowPolicy
from autopilot.client.http import UNARY_TIMEOUT_SECONDS, ByteStream, Reply
from autopilot.client.sources import worker_stream
from autopilot.contract import (
    AppendBody,
    Appended,
    AppendEvent,
    BatchAppended,
    CreatedWorker,
    CreateWorker,
    Envelope,
    Receipt,
    RequestBody,
    RequestCall,
    RequestOutcome,
    StopAll,
    StoppedAll,
    StoppedWorker,
    StopWorker,
    WorkerSnapshot,
    WorkerSummary,
    decode,
    encode,
)

DEFAULT_WAIT_MS = 15_000
ENDED_STATES = frozenset({"completed", "failed", "rejected", "expired", "cancelled", "indeterminate"})


@dataclass(frozen=True, slots=True)
class WorkerPage:
    """One page of the list, newest activity first."""

    workers: Sequence[WorkerSummary]
    next: str | None
    """Where the next page begins; None: this is the last."""


def has_ended(receipt: Receipt | RequestOutcome) -> bool:
    """Whether nothing more will become of the request."""
    return receipt.state in ENDED_STATES


class WorkerCalls(Calls):
    """What one may do with workers."""

    async def list_workers(
        self,
        *,
        status: str | None = None,
        workspace_ref: str | None = None,
        search: str | None = None,
        machine_id: str | None = None,
        backend: str | None = None,
        activity: str | None = None,
        limit: int | None = None,
        before: str | None = None,
    ) -> WorkerPage:
        """One page of one's workers, all of them or those that are wanted.

        `search`: words that are all in title, preview, folder, workspace or id. With it, or with `activity`, a page may
        have fewer than `limit`, even none, while `next` says where to go on.
        """
        query = {
            "status": status,
            "workspace_ref": workspace_ref,
            "q": search or None,
            "machine_id": machine_id,
            "backend": backend,
            "activity": activity,
            "limit": limit,
            "before": before,
        }
        reply = await self._http.call("workers.list", "GET", path_of("workers"), query=query)
        return WorkerPage(many(WorkerSummary, reply), reply.body.get("next"))

    async def every_worker(
        self,
        *,
        status: str | None = None,
        search: str | None = None,
        machine_id: str | None = None,
        backend: str | None = None,
        activity: str | None = None,
        limit: int = 200,
    ) -> AsyncIterator[WorkerSummary]:
        """All of one's workers, or all that are wanted (as `list_workers`), page by page."""
        before: str | None = None
        while True:
            page = await self.list_workers(
                status=status,
                search=search,
                machine_id=machine_id,
                backend=backend,
                activity=activity,
                limit=limit,
                before=before,
            )
            for worker in page.workers:
                yield worker
            if page.next is None:
                return
            before = page.next

    async def create_worker(
        self,
        worker_id: str | None = None,
        *,
        workspace_ref: str | None = None,
        codex_home_ref: str | None = None,
        adapter: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> CreatedWorker:
        """Create a worker, or reattach to one that is stopped; an open one is answered as it is."""
        body = CreateWorker(
            worker_id=worker_id or new_id("worker"),
            workspace_ref=workspace_ref,
            codex_home_ref=codex_home_ref,
            adapter=adapter,
            metadata=metadata,
        )
        reply = await self._http.call("workers.create", "POST", path_of("workers"), body=encode(body))
        return one(CreatedWorker, reply)

    async def worker(self, worker_id: str, *, within_seconds: float | None = None) -> WorkerSnapshot:
        """Everything known about one worker, true at its `latest_seq`.

        `within_seconds`: ask once, and no longer: for who wants to know whether anybody answers.
        """
        reply = await self._http.call(
            "workers.snapshot",
            "GET",
            path_of("workers", worker_id),
            timeout_seconds=UNARY_TIMEOUT_SECONDS if within_seconds is None else within_seconds,
            whole_seconds=within_seconds,
            retry=within_seconds is None,
        )
        return one(WorkerSnapshot, reply)

    async def open_stream(self, worker_id: str, cursor: int | None, *, tail_ms: int | None = None) -> ByteStream:
        """One raw event stream, for those who parse it themselves; most want `follow`."""
        return await worker_stream(self._http, worker_id).open(cursor, tail_ms)

    def follow(
        self, worker_id: str, *, cursor: int | None = None, policy: FollowPolicy | None = None
    ) -> Follower[Envelope]:
        """The worker's events after `cursor` (None: from now on), for as long as one likes, whatever breaks."""
        return Follower(
            worker_stream(self._http, worker_id),
            lambda value: decode(Envelope, value),
            cursor=cursor,
            policy=policy,
            clock=self._http.clock,
            rng=self._http.rng,
            name=worker_id,
        )

    async def events(
        self, worker_id: str, *, before: int | None = None, after: int | None = None, limit: int | None = None
    ) -> list[Envelope]:
        """One page of the log, in the log's order: the last ones below `before`, or the first ones above `after`."""
        query = {"before": before, "after": after, "limit": limit}
        reply = await self._http.call("workers.events", "GET", path_of("workers", worker_id, "events"), query=query)
        return many(Envelope, reply)

    async def append_event(
        self,
        worker_id: str,
        event_type: str,
        payload: dict[str, Any] | None = None,
        *,
        event_id: str | None = None,
    ) -> Appended:
        """Append one event."""
        event = AppendEvent(event_type=event_type, payload=payload or {}, event_id=event_id or new_id("event"))
        reply = await self._append(worker_id, {"event": encode(event)})
        return one(Appended, reply)

    async def append_events(
        self, worker_id: str, events: Iterable[AppendEvent], *, generation: int | None = None
    ) -> list[BatchAppended]:
        """Append all of them, or none; an executor says under which lease."""
        named = tuple(event if event.event_id else replace(event, event_id=new_id("event")) for event in events)
        body = encode(AppendBody(events=named, generation=generation))
        del body["event"]
        return many(BatchAppended, await self._append(worker_id, body))

    async def append_encoded(self, worker_id: str, body: bytes) -> list[BatchAppended]:
        """Append a batch whose JSON is made already (every event with its `event_id`): payloads stay to the byte."""
        path = path_of("workers", worker_id, "events")
        return many(BatchAppended, await self._http.call("workers.append", "POST", path, encoded=body))

    async def _append(self, worker_id: str, body: dict[str, Any]) -> Reply:
        return await self._http.call("workers.append", "POST", path_of("workers", worker_id, "events"), body=body)

    async def request(
        self,
        worker_id: str,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        request_id: str | None = None,
        wait_ms: int = DEFAULT_WAIT_MS,
    ) -> RequestOutcome:
        """Ask the worker something and wait up to `wait_ms` for the end; `has_ended` says whether it came."""
        path = path_of("workers", worker_id, "requests")
        return one(
            RequestOutcome, await self._ask("workers.request", path, request_call(method, params, request_id), wait_ms)
        )

    async def receipt(self, worker_id: str, request_id: str) -> Receipt:
        """What became of a request."""
        path = path_of("workers", worker_id, "requests", request_id)
        return one(Receipt, await self._http.call("workers.receipt", "GET", path))

    async def cancel_request(self, worker_id: str, request_id: str) -> Receipt:
        """Take a request back, if nobody has it yet; the receipt says whether that came in time."""
        path = path_of("workers", worker_id, "requests", request_id, "cancel")
        return one(Receipt, await self._http.call("workers.cancel", "POST", path))

    async def stop_worker(self, worker_id: str, *, reason: str | None = None, force: bool = False) -> StoppedWorker:
        """Stop the worker; `force` closes its log at once, without the executor's word."""
        body = encode(StopWorker(reason=reason, force=force))
        path = path_of("workers", worker_id, "stop")
        return one(StoppedWorker, await self._http.call("workers.stop", "POST", path, body=body))

    async def stop_all(self, *, reason: str | None = None, force: bool = False) -> StoppedAll:
        """Stop every open worker that one may stop; each has its answer, or says why it could not be asked."""
        body = encode(StopAll(reason=reason, force=force))
        return one(StoppedAll, await self._http.call("workers.stop_all", "POST", path_of("stop-all"), body=body))

    async def _ask(self, operation: str, path: str, call: RequestCall, wait_ms: int) -> Reply:
        return await self._http.call(
            operation,
            "POST",
            path,
            query={"wait_ms": wait_ms},
            body=encode(RequestBody(request=call)),
            timeout_seconds=UNARY_TIMEOUT_SECONDS + wait_ms / 1000,
        )


def request_call(method: str, params: dict[str, Any] | None, request_id: str | None) -> RequestCall:
    """What is asked, with an id in any case."""
    return RequestCall(request_id=request_id or new_id("request"), method=method, params=params or {})
