"""The stream of everything of one `Principal` behind real HTTP, with the lists and single states beside it.

For tests whose subject is a client of that stream and not the runtime. Knows no chosen workers' events on it; workers'
own streams are those of `StreamingServer`. What happens to the principal is told with `wake`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from typing_extensions import override

from autopilot.client.everything import KINDS, Entry
from autopilot.contract import encode
from autopilot.contract.errors import NotFound
from autopilot.testing.principal import Principal
from autopilot.testing.streaming_server import Opening, StreamingServer, problem_answer

BASE = "/api/runtime/codex"
NAMES = {kind: name for name, kind in KINDS.items()}
CURSOR = "p1"


class EverythingServer(StreamingServer):
    """A StreamingServer whose principal has an overview."""

    def __init__(self, principal: Principal | None = None) -> None:
        super().__init__()
        self.principal = principal or Principal()
        self.is_mute = False
        """Set: streams that are open say nothing of what changes."""

    @override
    def routes(self) -> list[Route]:
        return [
            Route(f"{BASE}/stream", self._everything),
            Route(f"{BASE}/workers", self._workers),
            Route(f"{BASE}/machines", self._machines),
            Route(f"{BASE}/approvals", self._approvals),
            Route(f"{BASE}/approvals/{{approval_id}}", self._approval),
            Route(f"{BASE}/workers/{{worker_id}}/requests/{{request_id}}", self._receipt),
            *super().routes(),
        ]

    async def _everything(self, request: Request) -> Response:
        refused = self.refusal(request)
        opening = Opening("*", None, dict(request.headers), dict(request.query_params))
        self.openings.append(opening)
        self.wake()
        if refused is not None:
            return problem_answer(refused)
        if self.scripted:
            return self.scripted.popleft()
        return StreamingResponse(self._told(opening), media_type="text/event-stream")

    async def _told(self, opening: Opening) -> AsyncIterator[str]:
        place, heartbeats = len(self.principal.changes), self.heartbeats
        yield _frames(self.principal.opening())
        while not self.closing and self.bye is None:
            news = self.news
            if self.heartbeats > heartbeats:
                heartbeats = self.heartbeats
                yield ": heartbeat\n\n"
            changes = () if self.is_mute else tuple(self.principal.changes[place:])
            if changes:
                place += len(changes)
                opening.sent += len(changes)
                yield _frames(changes)
            else:
                await news.wait()

    async def _workers(self, request: Request) -> Response:
        newest_first = sorted(self.principal.workers.values(), key=lambda one: one.updated_at, reverse=True)
        return self._page_of(request, newest_first)

    async def _machines(self, request: Request) -> Response:
        return self._page_of(request, self.principal.machines.values())

    async def _approvals(self, request: Request) -> Response:
        return self._page_of(request, [one for one in self.principal.approvals.values() if one.ended_at is None])

    async def _approval(self, request: Request) -> Response:
        return self._one(request, self.principal.approvals.get(request.path_params["approval_id"]))

    async def _receipt(self, request: Request) -> Response:
        key = ("worker", request.path_params["worker_id"], request.path_params["request_id"])
        return self._one(request, self.principal.receipts.get(key))

    def _page_of(self, request: Request, states: Iterable[Any]) -> Response:
        refused = self.refusal(request)
        if refused is not None:
            return problem_answer(refused)
        rows = [encode(state) for state in states]
        limit = int(request.query_params.get("limit", "50"))
        return JSONResponse({"data": rows[:limit], "next": "more" if len(rows) > limit else None})

    def _one(self, request: Request, state: Any) -> Response:
        refused = self.refusal(request) or (NotFound("no such thing", reason_code="unknown") if state is None else None)
        return problem_answer(refused) if refused is not None else JSONResponse({"data": encode(state)})


def _frames(entries: Iterable[Entry]) -> str:
    return "".join(_frame(entry) for entry in entries)


def _frame(entry: Entry) -> str:
    name = NAMES[type(entry)]
    has_place = name.startswith("codex.state.") and name != "codex.state.recovery"
    body = json.dumps(encode(entry))
    place = f"id: {CURSOR}\n" if has_place else ""
    return f"{place}event: {name}\ndata: {body}\n\n"
