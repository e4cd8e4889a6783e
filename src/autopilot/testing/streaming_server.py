"""A ledger in memory behind real HTTP: what a client test needs when the runtime is not its subject.

Speaks the snapshot, the stream, the pages and the append of docs/protocol.md for any worker id, with every token
accepted unless `tokens` names some. Heartbeats are sent when a test says so (`heartbeat`), never by time. `scripted`
answers come first: that is how a test makes the server refuse.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from autopilot.client.worker_state import fold
from autopilot.contract import Envelope, Health, HealthFact, LeaseInfo, WorkerSnapshot, decode, encode
from autopilot.contract.errors import Problem, StaleCursor, Unauthorized

BATCH = 200


@dataclass(slots=True)
class Opening:
    """One stream as it was asked for."""

    worker_id: str
    cursor: int | None
    headers: dict[str, str]
    query: dict[str, str]
    sent: int = 0


@dataclass(slots=True)
class Log:
    """One worker's events, as the data of their frames."""

    oldest_seq: int = 1
    frames: list[str] = field(default_factory=list)

    @property
    def latest_seq(self) -> int:
        """The last seq; 0 when there is none."""
        return len(self.frames)


class StreamingServer:
    """An async context manager; serves on a free port of the loopback."""

    def __init__(self) -> None:
        self.logs: dict[str, Log] = {}
        self.openings: list[Opening] = []
        self.calls: list[tuple[str, str, dict[str, str]]] = []
        """Method, path and headers of everything that was asked."""
        self.scripted: deque[Response] = deque()
        """Answers for the next stream openings; taken from the left."""
        self.tokens: set[str] | None = None
        self.bye: dict[str, Any] | None = None
        """Set (with `wake`): every open stream says bye and ends."""
        self.closing = False
        self.heartbeats = 0
        self.news = asyncio.Event()
        """Set whenever something happens, and then replaced."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._tasks = contextlib.AsyncExitStack()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    @property
    def url(self) -> str:
        """Base URL."""
        host, port = self.address
        return f"http://{host}:{port}"

    def append(
        self, worker_id: str, payload: dict[str, Any], *, event_type: str = "worker.event", **envelope: Any
    ) -> int:
        """Append one event; its seq."""
        log = self.logs.setdefault(worker_id, Log())
        seq = log.latest_seq + 1
        written = {
            "workerId": worker_id,
            "seq": seq,
            "eventType": event_type,
            "payload": payload,
            "occurredAt": f"2026-01-01T00:00:{seq % 60:02}.{seq // 60:06}Z",
            "actor": {"surface": "sdk", "user_id": 1},
            "xRequestId": None,
            "eventId": f"e{seq}",
            **envelope,
        }
        log.frames.append(json.dumps(written, ensure_ascii=False))
        self.wake()
        return seq

    def heartbeat(self) -> None:
        """Break the silence of every open stream."""
        self.heartbeats += 1
        self.wake()

    def wake(self) -> None:
        """Let every open stream look around."""
        self.news.set()
        self.news = asyncio.Event()

    async def changed(self) -> None:
        """Wait until something was appended, asked or sent."""
        await self.news.wait()

    def routes(self) -> list[Route]:
        """What it serves."""
        return [
            Route("/api/runtime/codex/workers/{worker_id}", self._snapshot),
            Route("/api/runtime/codex/workers/{worker_id}/stream", self._stream),
            Route("/api/runtime/codex/workers/{worker_id}/events", self._page, methods=["GET"]),
            Route("/api/runtime/codex/workers/{worker_id}/events", self._append, methods=["POST"]),
        ]

    async def __aenter__(self) -> Self:
        app = Starlette(routes=self.routes())
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", http="h11", loop="asyncio"))
        group = await self._tasks.enter_async_context(asyncio.TaskGroup())
        running = group.create_task(server.serve(sockets=[self._socket]))
        self._tasks.push_async_callback(self._stop, server, running)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tasks.aclose()

    async def _stop(self, server: uvicorn.Server, running: asyncio.Task[None]) -> None:
        self.closing = True
        self.wake()
        server.should_exit = True
        await running

    def refusal(self, request: Request) -> Problem | None:
        """Note the call; why it is refused, or None."""
        self.calls.append((request.method, request.url.path, dict(request.headers)))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.tokens is not None and token not in self.tokens:
            return Unauthorized("unknown token", reason_code="unknown_token")
        return None

    async def _stream(self, request: Request) -> Response:
        refusal = self.refusal(request)
        log = self.logs.setdefault(request.path_params["worker_id"], Log())
        cursor = request.query_params.get("cursor")
        opening = Opening(
            worker_id=request.path_params["worker_id"],
            cursor=None if cursor is None else int(cursor),
            headers=dict(request.headers),
            query=dict(request.query_params),
        )
        self.openings.append(opening)
        self.wake()
        if refusal is None and self.scripted:
            return self.scripted.popleft()
        if refusal is None and cursor is not None and not log.oldest_seq - 1 <= int(cursor) <= log.latest_seq:
            refusal = StaleCursor(
                "not in the log", reason_code="retention", oldest_seq=log.oldest_seq, latest_seq=log.latest_seq
            )
        if refusal is not None:
            return problem_answer(refusal)
        tail_ms = request.query_params.get("tail_ms")
        body = self._frames(opening, log, None if tail_ms is None else int(tail_ms) / 1000)
        return StreamingResponse(body, media_type="text/event-stream")

    async def _frames(self, opening: Opening, log: Log, tail_seconds: float | None) -> AsyncIterator[str]:
        seq = log.latest_seq if opening.cursor is None else opening.cursor
        heartbeats = self.heartbeats
        with_control = opening.query.get("frames") == "control"
        if with_control:
            yield control("codex.stream.open", {"latest_seq": log.latest_seq, "oldest_seq": log.oldest_seq})
        caught_up = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(tail_seconds):
                while not self.closing and self.bye is None:
                    changed = self.news
                    if self.heartbeats > heartbeats:
                        heartbeats = self.heartbeats
                        yield ": heartbeat\n\n"
                    batch = log.frames[seq : seq + BATCH]
                    if batch:
                        yield "".join(_events(batch, seq))
                        seq += len(batch)
                        opening.sent += len(batch)
                        self.wake()
                    elif with_control and not caught_up:
                        caught_up = True
                        yield control("codex.stream.caught_up", {"seq": seq})
                    else:
                        await changed.wait()
        if with_control and self.bye is not None:
            yield control("codex.stream.bye", self.bye)

    async def _snapshot(self, request: Request) -> Response:
        refusal = self.refusal(request)
        if refusal is not None:
            return problem_answer(refusal)
        return JSONResponse({"data": encode(self.snapshot(request.path_params["worker_id"]))})

    def snapshot(self, worker_id: str, *, at: int | None = None) -> WorkerSnapshot:
        """The worker's state at a seq (None: now)."""
        frames = self.logs.setdefault(worker_id, Log()).frames[:at]
        events = [decode(Envelope, json.loads(frame)) for frame in frames]
        return replace(fold(blank_snapshot(worker_id), events), pending_approvals=_pending(events))

    async def _page(self, request: Request) -> Response:
        refusal = self.refusal(request)
        if refusal is not None:
            return problem_answer(refusal)
        log = self.logs.setdefault(request.path_params["worker_id"], Log())
        limit = int(request.query_params.get("limit", "100"))
        if "after" in request.query_params:
            after = int(request.query_params["after"])
            frames = log.frames[after : after + limit]
        else:
            before = int(request.query_params.get("before", str(log.latest_seq + 1)))
            frames = log.frames[max(0, before - 1 - limit) : before - 1]
        return JSONResponse({"data": [json.loads(frame) for frame in frames]})

    async def _append(self, request: Request) -> Response:
        refusal = self.refusal(request)
        if refusal is not None:
            return problem_answer(refusal)
        event = (await request.json())["event"]
        worker_id = request.path_params["worker_id"]
        seq = self.append(
            worker_id, event["payload"], event_type=event["event_type"], xRequestId=request.headers["x-request-id"]
        )
        data = {"worker_id": worker_id, "seq": seq, "event_type": event["event_type"], "payload": event["payload"]}
        return JSONResponse({"data": {**data, "occurred_at": "2026-01-01T00:00:00Z"}}, status_code=202)


def blank_snapshot(worker_id: str) -> WorkerSnapshot:
    """A worker of which nothing is known but that it is open."""
    unknown = HealthFact(state="unknown")
    return WorkerSnapshot(
        worker_id=worker_id,
        status="running",
        latest_seq=0,
        metadata={},
        updated_at="2026-01-01T00:00:00Z",
        heartbeat_stale_after_ms=120_000,
        heartbeat_state="missing",
        execution_mode="desktop",
        lease=LeaseInfo(state="never"),
        health=Health(api=unknown, machine=unknown, codex=unknown, data=unknown),
        pending_approvals=0,
    )


def _pending(events: list[Envelope]) -> int:
    """How many approvals of a log nobody answered yet."""
    open_ids: set[str] = set()
    for event in events:
        if event.eventType.startswith("worker.approval."):
            approval_id = event.payload.get("approval_id") or event.payload["approval"]["approval_id"]
            (open_ids.add if event.eventType.endswith(".requested") else open_ids.discard)(approval_id)
    return len(open_ids)


def _events(batch: list[str], after: int) -> Iterator[str]:
    for seq, data in enumerate(batch, start=after + 1):
        yield f"id: {seq}\nevent: codex.worker.event\ndata: {data}\n\n"


def control(event: str, facts: dict[str, Any]) -> str:
    """A frame without a place in the log."""
    return f"event: {event}\ndata: {json.dumps(facts)}\n\n"


def problem_answer(problem: Problem, **headers: str) -> Response:
    """As it is said in HTTP."""
    return JSONResponse(problem.body(), status_code=problem.status or 500, headers=headers)
