"""The routes of requests: ask, look at the receipt, take back, report; and stop."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg

from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.ops.log import get_logger
from autopilot.runtime import policy_requests, receipts, requests_reports, requests_stop
from autopilot.runtime.delivery import Target
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.machines_routes import machine_id_of
from autopilot.runtime.receipts_states import ENDED
from autopilot.runtime.requests import Asker, Requests
from autopilot.runtime.requests_bodies import Bodies, identifier
from autopilot.runtime.requests_stop_all import StopAll
from autopilot.runtime.router import Match, Route, data_response, integer_of, query_of
from autopilot.runtime.workers_ids import worker_id_of

log = get_logger("autopilot.runtime.requests")

MAX_WAIT_MS = 60_000
DEFAULT_WAIT_MS = 15_000


class RequestRoutes:
    """What people call, and what a companion reports."""

    def __init__(self, requests: Requests, ledger: Ledger, pool: asyncpg.Pool, bodies: Bodies) -> None:
        self._requests = requests
        self._pool = pool
        self._ledger = ledger
        self._bodies = bodies

    def routes(self) -> Iterable[Route]:
        """Its routes."""
        return [
            Route("POST", "/workers/{worker_id}/requests", self.ask),
            Route("GET", "/workers/{worker_id}/requests/{request_id}", self.receipt),
            Route("POST", "/workers/{worker_id}/requests/{request_id}/cancel", self.cancel),
            Route("POST", "/workers/{worker_id}/stop", self.stop),
            Route("POST", "/stop-all", self.stop_all),
            Route("POST", "/machines/{machine_id}/requests", self.ask),
            Route("GET", "/machines/{machine_id}/requests/{request_id}", self.receipt),
            Route("POST", "/machines/{machine_id}/requests/{request_id}/cancel", self.cancel),
            Route("POST", "/machines/{machine_id}/receipts", self.report),
        ]

    async def ask(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 with the end, 202 with the receipt so far; 403 where policy denies it, or the role goes meanwhile."""
        target = target_of(match)
        wait_ms = integer_of(query_of(request), "wait_ms", low=0, high=MAX_WAIT_MS, default=DEFAULT_WAIT_MS) or 0
        call = self._bodies.call(request)
        ask = self._requests.ask_worker if target.kind == "worker" else self._requests.ask_machine
        record = await ask(asker_of(request), target.id, call)
        log.info(
            "request.stored", target=target.id, request_id=call.request_id, method=call.method, state=record["state"]
        )
        if record["state"] not in ENDED and wait_ms:
            record = await self._requests.outcome(request.claims, target, call.request_id, wait_ms / 1000)
        if record["state"] in ENDED:
            return _ended(record)
        return data_response(202, await self._requests.shown(record))

    async def receipt(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """The receipt as it is."""
        record = await self._requests.receipt(request.claims, target_of(match), request_id_of(match))
        return data_response(200, await self._requests.shown(record))

    async def cancel(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """The receipt, taken back."""
        record = await self._requests.cancel(request.claims, target_of(match), request_id_of(match))
        return data_response(200, receipts.body(record))

    async def stop(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """202 when this call changed or changes something, 200 when it was over before."""
        worker_id = worker_id_of(match)
        reason, force = self._bodies.stop(request)
        stopped = await requests_stop.stop(
            self._ledger, self._requests, asker_of(request), worker_id, reason, force=force
        )
        return data_response(200 if stopped.was_over else 202, stopped.body())

    async def stop_all(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """202 with what it came to for each worker, whatever that was."""
        reason, force = self._bodies.stop(request)
        stopping = StopAll(self._ledger, self._requests, asker_of(request), reason, force=force)
        return data_response(202, await stopping.run(self._pool))

    async def report(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """What became of each step an executor reports."""
        machine_id = machine_id_of(match)
        reports = self._bodies.reports(request)
        judged = await requests_reports.report(self._ledger, request.claims, machine_id, reports.receipts)
        return data_response(200, [item.body() for item in judged])


def asker_of(request: RuntimeRequest) -> Asker:
    """Who asks, and the call it came with."""
    return Asker(request.claims, request.headers.get("x-request-id"), request.headers.get("traceparent"))


def target_of(match: Match) -> Target:
    """The path's worker or machine.

    Raises:
        Unprocessable: not in the charset, or too long.
    """
    if "worker_id" in match:
        return Target("worker", worker_id_of(match))
    return Target("machine", machine_id_of(match))


def request_id_of(match: Match) -> str:
    """The path's request_id.

    Raises:
        Unprocessable: not in the charset, or too long.
    """
    return identifier(match["request_id"], "request_id")


def _ended(record: asyncpg.Record) -> RuntimeResponse:
    if policy_requests.was_denied(record):
        raise policy_requests.refusal(record)
    return data_response(200, receipts.outcome_body(record))
