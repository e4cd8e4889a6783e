"""The routes of machines: registration, list, heartbeat, feed, and the requests addressed to them; and of leases."""

from __future__ import annotations

from collections.abc import Iterable

from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.runtime import leases
from autopilot.runtime.feed import Feeds
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.ledger_rows import instant
from autopilot.runtime.machine_facts import facts_of
from autopilot.runtime.machines import Held, Machines, Registration
from autopilot.runtime.requests_bodies import Bodies, identifier
from autopilot.runtime.router import Match, Route, data_response, integer_of, query_of
from autopilot.runtime.stream import HEADERS, MAX_TAIL_MS, control_of, cursor_of
from autopilot.runtime.workers_ids import worker_id_of


class MachineRoutes:
    """What a companion calls."""

    def __init__(self, machines: Machines, feeds: Feeds, ledger: Ledger, bodies: Bodies) -> None:
        self._machines = machines
        self._feeds = feeds
        self._ledger = ledger
        self._bodies = bodies

    def routes(self) -> Iterable[Route]:
        """Its routes."""
        return [
            Route("GET", "/machines", self.list),
            Route("POST", "/machines", self.register),
            Route("POST", "/machines/{machine_id}/heartbeat", self.heartbeat),
            Route("GET", "/machines/{machine_id}/feed", self.feed),
            Route("POST", "/machines/{machine_id}/feed/ack", self.acknowledge),
            Route("POST", "/workers/{worker_id}/lease", self.claim),
            Route("POST", "/workers/{worker_id}/lease/release", self.release),
        ]

    async def list(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """The principal's machines."""
        return data_response(200, [found.body(request.claims) for found in await self._machines.of(request.claims)])

    async def register(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """Make or refresh a machine."""
        said = self._bodies.register(request)
        registration = Registration(
            machine_id=said.machine_id,
            name=said.name or said.machine_id,
            platform=said.platform,
            companion_version=said.companion_version,
            codex_version=said.codex_version,
            desktop_session_id=said.desktop_session_id,
        )
        registered = await self._machines.register(request.claims, registration, request.headers.get("x-request-id"))
        return data_response(200, registered.body(request.claims))

    async def heartbeat(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """Renew all leases of a machine."""
        machine_id = machine_id_of(match)
        said = self._bodies.heartbeat(request)
        held = [Held(worker.worker_id, worker.generation) for worker in said.workers]
        facts = facts_of(request.body, said.facts)
        beats = await self._machines.heartbeat(request.claims, machine_id, said.desktop_session_id, held, facts)
        seals = await self._machines.seals(said.kept_seal)
        return data_response(200, {"machine_id": machine_id, "workers": [beat.body() for beat in beats], **seals})

    async def feed(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 and frames, or a refusal before the first of them."""
        machine_id = machine_id_of(match)
        query = query_of(request)
        tail_ms = integer_of(query, "tail_ms", low=1, high=MAX_TAIL_MS, default=None)
        control = control_of(query.get("frames"))
        cursor = cursor_of(request)
        await self._machines.enter(request.claims, machine_id)
        start = await self._feeds.start(machine_id, cursor)
        tail_seconds = None if tail_ms is None else tail_ms / 1000
        body = self._feeds.follow(machine_id, start, tail_seconds=tail_seconds, control=control)
        return RuntimeResponse(200, HEADERS, body)

    async def acknowledge(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """Forget entries."""
        machine_id = machine_id_of(match)
        cursor = self._bodies.ack(request)
        await self._machines.enter(request.claims, machine_id)
        acked = await self._feeds.acknowledge(machine_id, cursor)
        return data_response(200, {"machine_id": machine_id, "cursor": acked})

    async def claim(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """Take a worker's lease."""
        worker_id = worker_id_of(match)
        machine_id, ttl_ms = self._bodies.claim(request)
        lease = await leases.claim(
            self._ledger,
            request.claims,
            worker_id,
            machine_id,
            ttl_ms,
            x_request_id=request.headers.get("x-request-id"),
        )
        return data_response(200, {"generation": lease.generation, "expires_at": instant(lease.expires_at)})

    async def release(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """Let a worker's lease go."""
        worker_id = worker_id_of(match)
        said = self._bodies.release(request)
        lease = await leases.release(
            self._ledger,
            request.claims,
            worker_id,
            said.machine_id,
            said.generation,
            x_request_id=request.headers.get("x-request-id"),
        )
        return data_response(
            200,
            {
                "machine_id": lease.machine_id,
                "generation": lease.generation,
                "expires_at": instant(lease.expires_at),
                "state": "released",
            },
        )


def machine_id_of(match: Match) -> str:
    """The path's machine_id.

    Raises:
        Unprocessable: not in the charset, or too long.
    """
    return identifier(match["machine_id"], "machine_id")
