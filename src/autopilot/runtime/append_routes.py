"""`POST /workers/{worker_id}/events`."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.runtime import append_body
from autopilot.runtime.append_plan import HEARTBEAT
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.ledger_rows import Batch, Outcome
from autopilot.runtime.router import Match, Route, data_response
from autopilot.runtime.settings import RuntimeSettings
from autopilot.runtime.workers_ids import worker_id_of


class _Item(msgspec.Struct, gc=False):
    """What a batch's answer says of one event."""

    event_id: str
    seq: int
    duplicate: bool


class AppendRoutes:
    """Appends on behalf of callers."""

    def __init__(self, ledger: Ledger, settings: RuntimeSettings) -> None:
        self._ledger = ledger
        self._settings = settings

    def routes(self) -> Iterable[Route]:
        """Its one route."""
        return [Route("POST", "/workers/{worker_id}/events", self.append)]

    async def append(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """202 once the events are durable, whether now or already before."""
        worker_id = worker_id_of(match)
        body = append_body.read(request, self._settings)
        outcomes = await self._ledger.append(Batch(worker_id, request.claims, body.drafts, body.generation))
        if body.is_batch:
            return data_response(202, [_Item(one.draft.event_id, one.seq, one.duplicate) for one in outcomes])
        return data_response(202, _single(worker_id, outcomes[0]))


def _single(worker_id: str, outcome: Outcome) -> dict[str, object]:
    draft = outcome.draft
    return {
        "worker_id": worker_id,
        "seq": outcome.seq,
        "event_type": draft.event_type,
        "payload": msgspec.Raw(draft.payload.encode()),
        "occurred_at": outcome.occurred_at,
        "event_id": None if draft.event_type == HEARTBEAT else draft.event_id,
        "duplicate": outcome.duplicate,
    }
